{% set family = tag_family_social() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

member_days as (

    select * from {{ ref('agg_member_days') }}
    where share_count > 0 or content_like_count > 0

),

reviews as (

    select * from {{ ref('fct_reviews') }}
    where member_id is not null

),

unioned as (

    select
        member_id,
        cast(null as {{ dbt.type_string() }}) as review_id,
        cast(null as integer) as rating,
        false as has_image,
        false as has_text,
        false as is_append,
        share_count,
        content_like_count as like_count,
        business_date
    from member_days
    union all
    select
        member_id,
        review_id,
        rating,
        coalesce(image_count, 0) > 0 as has_image,
        has_content as has_text,
        is_append,
        0 as share_count,
        0 as like_count,
        business_date
    from reviews

),

facts as (

    select
        unioned.*,
        {{ days_between('unioned.business_date', 'clocks.as_of_date') }} as age_days
    from unioned
    inner join clocks on unioned.business_date < clocks.as_of_date

),

aggregated as (

    select
        {{- tag_expressions(tags) }}
        member_id
    from facts
    group by member_id

),

final as (

    select
        members.member_id,
        {{- tag_columns(tags, 'aggregated') }}
        clocks.as_of_date
    from members
    cross join clocks
    left join aggregated on members.member_id = aggregated.member_id

)

select * from final
