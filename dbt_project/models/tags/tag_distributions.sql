-- depends_on: {{ ref('member_tags') }}
{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    pre_hook="{{ forget_as_of_date() }}"
) }}
{% set tags = all_tags() %}

with clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

binned as (

    {% for tag in tags %}
    select
        {{ text_literal(tag.code) }} as tag_code,
        {{ tag_bin(tag) }} as value_bin,
        count(*) as member_count
    from {{ ref('member_tags') }}
    group by {{ tag_bin(tag) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        binned.tag_code,
        binned.value_bin,
        cast(binned.member_count as bigint) as member_count,
        clocks.as_of_date
    from binned
    cross join clocks

)

select * from final
