{{ config(materialized='view') }}
{% set tags = all_tags() %}
{% for family in tag_families() %}
-- depends_on: {{ ref('tags_' ~ family.code ~ '_history') }}
{% endfor %}

with versions as (

    select * from {{ ref('tag_versions') }}

),

values_by_tag as (

    {% for tag in tags %}
    select
        history.member_id,
        {{ text_literal(tag.code) }} as tag_code,
        {{ tag_text(tag, 'history') }} as tag_value,
        history.valid_from,
        history.valid_to
    from {{ ref('tags_' ~ tag.family ~ '_history') }} as history
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        values_by_tag.member_id,
        values_by_tag.tag_code,
        values_by_tag.tag_value,
        versions.version,
        versions.rule_hash,
        values_by_tag.valid_from,
        values_by_tag.valid_to
    from values_by_tag
    left join versions
        on values_by_tag.tag_code = versions.tag_code
        and values_by_tag.valid_from >= versions.valid_from
        and (versions.valid_to is null or values_by_tag.valid_from < versions.valid_to)

)

select * from final
