{% set families = tag_families() %}
{{ config(post_hook="{{ document_tags(tag_families()) }}") }}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

{% for family in families %}
{{ family.code }} as (

    select * from {{ ref('tags_' ~ family.code) }}

),
{% endfor %}

final as (

    select
        members.member_id,
        {%- for family in families %}
        {%- for tag in compile_tags(family) %}
        {{ family.code }}.{{ tag.code }},
        {%- endfor %}
        {%- endfor %}
        clocks.as_of_date
    from members
    cross join clocks
    {%- for family in families %}
    left join {{ family.code }} on members.member_id = {{ family.code }}.member_id
    {%- endfor %}

)

select * from final
