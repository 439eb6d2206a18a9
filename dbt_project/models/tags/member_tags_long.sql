-- depends_on: {{ ref('member_tags') }}
{{ config(materialized='view') }}
{% set tags = all_tags() %}

with final as (

    {% for tag in tags %}
    select
        wide.member_id,
        {{ text_literal(tag.code) }} as tag_code,
        {{ tag_text(tag, 'wide') }} as tag_value,
        wide.as_of_date
    from {{ ref('member_tags') }} as wide
    where wide.{{ tag.code }} is not null
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select * from final
