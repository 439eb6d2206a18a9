{{ config(materialized='table') }}

{#- What links an account to an identifier: one row per account and identifier that may join accounts, with how sure that is. -#}
with accounts as (

    select * from {{ ref('int_accounts_sighted') }}

),

identifiers as (

    select * from {{ ref('stg_identifiers') }}
    where not is_deleted and identifier_hash is not null

),

rules as (

    select * from {{ ref('stg_identity_rules') }}

),

account_keys as (

    select * from {{ ref('stg_identity_account_keys') }}

),

decisions as (

    select * from {{ ref('int_accounts_decided') }}
    where decision = 'keep_together'

),

order_lines as (

    select * from {{ ref('int_order_lines_attributed') }}

),

reviews as (

    select * from {{ ref('stg_reviews') }}
    where not is_deleted

),

tickets as (

    select * from {{ ref('stg_service_tickets') }}
    where not is_deleted

),

-- A phone is given to somebody else one day. Each release ends a tenure: who has it before and who has it after are not one for that.
releases as (

    select distinct
        identifiers.identifier_type,
        identifiers.identifier_hash,
        identifiers.valid_to
    from identifiers
    inner join rules on identifiers.identifier_type = rules.identifier_type and rules.is_recycled
    where identifiers.valid_to is not null

),

tenures as (

    select
        identifiers.identifier_id,
        count(releases.valid_to) as tenure
    from identifiers
    left join releases
        on identifiers.identifier_type = releases.identifier_type
        and identifiers.identifier_hash = releases.identifier_hash
        and identifiers.observed_at >= releases.valid_to
    group by identifiers.identifier_id

),

-- A system's own key may be an identifier that another system knows: a JD pin, say.
own_keys as (

    select
        accounts.account_id,
        accounts.source_system,
        account_keys.identifier_type,
        {{ standard_identifier('account_keys.identifier_type', identifier_text('account_keys.identifier_type', 'accounts.member_key')) }} as standard_value,
        accounts.loaded_at
    from accounts
    inner join account_keys on accounts.source_system = account_keys.source_system

),

order_owners as (

    select
        {{ key_of_id('order_id', 'source_system') }} as order_key,
        min(account_id) as account_id,
        min(source_system) as source_system,
        min(ordered_at) as ordered_at,
        min(loaded_at) as loaded_at
    from order_lines
    where account_id is not null
    group by {{ key_of_id('order_id', 'source_system') }}
    having count(distinct account_id) = 1

),

-- Who reviews an order or asks about it has bought it; customer service knows the number, not the buyer.
citations as (

    select
        {{ key_of_id('order_id', 'source_system') }} as order_key,
        account_id,
        source_system,
        reviewed_at as observed_at,
        loaded_at
    from reviews
    where order_id is not null and account_id is not null
    union all
    select
        {{ key_of_id('order_id', 'source_system') }} as order_key,
        account_id,
        source_system,
        opened_at as observed_at,
        loaded_at
    from tickets
    where order_id is not null and account_id is not null

),

cited as (

    select distinct order_key from citations

),

cited_orders as (

    select
        citations.order_key,
        citations.account_id,
        citations.source_system,
        citations.observed_at,
        citations.loaded_at
    from citations
    inner join order_owners on citations.order_key = order_owners.order_key
    union all
    select
        order_owners.order_key,
        order_owners.account_id,
        order_owners.source_system,
        order_owners.ordered_at as observed_at,
        order_owners.loaded_at
    from order_owners
    inner join cited on order_owners.order_key = cited.order_key

),

unioned as (

    select
        identifiers.account_id,
        identifiers.source_system,
        identifiers.identifier_type,
        identifiers.identifier_type || ':' || identifiers.identifier_hash || ':' || cast(tenures.tenure as {{ dbt.type_string() }}) as node_id,
        case when identifiers.is_verified then rules.tier else rules.unverified_tier end as tier,
        identifiers.is_verified,
        identifiers.observed_at,
        identifiers.loaded_at
    from identifiers
    inner join rules on identifiers.identifier_type = rules.identifier_type
    inner join tenures on identifiers.identifier_id = tenures.identifier_id
    union all
    select
        own_keys.account_id,
        own_keys.source_system,
        own_keys.identifier_type,
        own_keys.identifier_type || ':' || {{ identifier_hash('own_keys.identifier_type', 'own_keys.standard_value') }} || ':0' as node_id,
        rules.tier,
        true as is_verified,
        own_keys.loaded_at as observed_at,
        own_keys.loaded_at
    from own_keys
    inner join rules on own_keys.identifier_type = rules.identifier_type
    where own_keys.standard_value is not null
    union all
    select
        cited_orders.account_id,
        cited_orders.source_system,
        rules.identifier_type,
        rules.identifier_type || ':' || {{ sha256_hex('cited_orders.order_key') }} || ':0' as node_id,
        rules.tier,
        true as is_verified,
        cited_orders.observed_at,
        cited_orders.loaded_at
    from cited_orders
    inner join rules on rules.identifier_type = 'order_number'
    union all
    select
        decisions.account_id,
        decisions.source_system,
        'decision' as identifier_type,
        'decision:' || decisions.decision_code || ':0' as node_id,
        1 as tier,
        true as is_verified,
        decisions.decided_at as observed_at,
        decisions.decided_at as loaded_at
    from decisions

),

grouped as (

    select
        account_id,
        source_system,
        identifier_type,
        node_id,
        min(tier) as tier,
        max(case when is_verified then 1 else 0 end) = 1 as is_verified,
        min(observed_at) as first_observed_at,
        max(observed_at) as last_observed_at,
        min(loaded_at) as loaded_at
    from unioned
    where tier is not null
    group by account_id, source_system, identifier_type, node_id

),

-- What many accounts of one system share says nothing of a person: a shop's phone, a test number.
crowds as (

    select
        node_id,
        source_system,
        count(*) as account_count
    from grouped
    group by node_id, source_system

),

hubs as (

    select
        crowds.node_id,
        max(crowds.account_count) as account_count
    from crowds
    group by crowds.node_id

),

final as (

    select
        grouped.account_id,
        grouped.source_system,
        grouped.identifier_type,
        grouped.node_id,
        cast(grouped.tier as integer) as tier,
        grouped.is_verified,
        coalesce(hubs.account_count > rules.max_accounts_per_system, false) as is_hub,
        grouped.first_observed_at,
        grouped.last_observed_at,
        grouped.loaded_at
    from grouped
    inner join hubs on grouped.node_id = hubs.node_id
    left join rules on grouped.identifier_type = rules.identifier_type

)

select * from final
