{#- A table: every value is looked at, and both the counts of rules and their test read the result. -#}
{{ config(materialized='table') }}

{% set ruled = [
    ('members', 'phone', 'phone_rule'), ('members', 'email', 'email_rule'), ('members', 'gender', 'gender_rule'),
    ('members', 'birthday', 'birthday_rule'), ('members', 'region', 'region_rule'), ('members', 'account_kind', 'account_rule'),
    ('stores', 'region', 'region_rule'), ('orders', 'region', 'region_rule'),
    ('identifiers', 'identifier_value', 'identifier_rule'), ('events', 'user_agent', 'user_agent_rule'),
] %}

with members as (

    select * from {{ ref('stg_members') }}

),

stores as (

    select * from {{ ref('stg_stores') }}

),

orders as (

    select * from {{ ref('stg_orders') }}

),

identifiers as (

    select * from {{ ref('stg_identifiers') }}

),

events as (

    select
        *,
        case when is_bot then 'bot_user_agent' when user_agent is null then 'missing' else 'unchanged' end as user_agent_rule
    from {{ ref('stg_events') }}

),

counted as (

    {% for entity, field, rule in ruled %}
    select
        '{{ entity }}' as entity, '{{ field }}' as field, source_system, {{ rule }} as rule_code, count(*) as row_count
    from {{ entity }}
    group by source_system, {{ rule }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

rules as {{ standardising_rules_relation() }},

final as (

    select
        counted.entity,
        counted.field,
        counted.source_system,
        counted.rule_code,
        rules.outcome,
        rules.label_zh,
        rules.label_en,
        cast(counted.row_count as bigint) as row_count
    from counted
    left join rules on counted.rule_code = rules.rule_code

)

select * from final
