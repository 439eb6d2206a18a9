{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    pre_hook="{{ take_back_tag_history() }}",
    post_hook="{{ close_tag_versions() }}"
) }}

with clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

declared as (

    {% for tag in all_tags() %}
    select
        {{ text_literal(tag.code) }} as tag_code,
        {{ text_literal(tag_rule(tag)) }} as definition_sql,
        {{ tag.version }} as version,
        {{ text_literal(local_md5(tag_rule(tag) ~ '|' ~ tag.version)) }} as rule_hash
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

{% if is_incremental() %}
kept as (

    select * from {{ this }}
    where valid_to is null

),

latest as (

    select max(valid_from) as valid_from from {{ this }}

),
{% endif %}

final as (

    select
        declared.tag_code,
        declared.definition_sql,
        declared.rule_hash,
        declared.version,
        clocks.as_of_date as valid_from,
        cast(null as date) as valid_to
    from declared
    cross join clocks
    {% if is_incremental() %}
    left join latest on true
    left join kept on declared.tag_code = kept.tag_code
    where
        clocks.as_of_date >= coalesce(latest.valid_from, clocks.as_of_date)
        and (kept.tag_code is null or kept.rule_hash <> declared.rule_hash)
    {% endif %}

)

select * from final
