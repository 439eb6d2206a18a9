{% set rows = [] %}
{% for tag in all_tags() %}
{% for value in tag['values'] %}
{% do rows.append({'tag': tag.code, 'value': value, 'position': loop.index}) %}
{% endfor %}
{% endfor %}

with final as (

    {% for row in rows %}
    select
        {{ text_literal(row.tag) }} as tag_code,
        {{ text_literal(row.value.code) }} as value_code,
        {{ text_literal(row.value.label_zh) }} as label_zh,
        {{ text_literal(row.value.label_en) }} as label_en,
        {{ row.position }} as position
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select * from final
