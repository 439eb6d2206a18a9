{% set families = tag_families() %}
{% set tags = all_tags() %}
{{ config(post_hook="{{ document_tags(all_tags()) }}") }}

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
        {%- for tag in tags %}
        {{ tag.family }}.{{ tag.code }},
        {%- endfor %}
        clocks.as_of_date
    from members
    cross join clocks
    {%- for family in families %}
    left join {{ family.code }} on members.member_id = {{ family.code }}.member_id
    {%- endfor %}

)

select * from final
