-- depends_on: {{ ref('int_clocks_resolved') }}
{% set family = tag_family_channel() %}
{% set tags = compile_tags(family) if execute else [] %}
{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    pre_hook="{{ take_back_tag_history() }}",
    post_hook="{{ close_tag_history('channel') }}"
) }}

with current_tags as (

    select * from {{ ref('tags_channel') }}

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
        current_tags.member_id,
        {%- for tag in tags %}
        current_tags.{{ tag.code }},
        {%- endfor %}
        current_tags.as_of_date as valid_from,
        cast(null as date) as valid_to
    from current_tags
    {% if is_incremental() %}
    left join latest on true
    left join kept on current_tags.member_id = kept.member_id
    where
        current_tags.as_of_date >= coalesce(latest.valid_from, current_tags.as_of_date)
        and (kept.member_id is null or {{ tags_differ(tags, 'current_tags', 'kept', kept_columns()) }})
    {% endif %}

)

select * from final
