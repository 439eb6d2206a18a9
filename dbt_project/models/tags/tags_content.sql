{% set family = tag_family_content() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

member_days as (

    select * from {{ ref('agg_member_days') }}
    where content_view_count > 0 or content_like_count > 0 or live_count > 0 or live_seconds > 0

),

facts as (

    select
        member_days.member_id,
        {{ window_edge(days_between('member_days.business_date', 'clocks.as_of_date')) }} as age_days,
        count(*) as content_day_count,
        sum(member_days.content_view_count) as content_view_count,
        sum(member_days.content_like_count) as content_like_count,
        sum(member_days.live_count) as live_count,
        sum(member_days.live_seconds) as live_seconds,
        sum(member_days.page_view_count) as page_view_count,
        max(case when member_days.content_view_count > 0 then member_days.business_date end) as last_content_date,
        max(case when member_days.live_count > 0 then member_days.business_date end) as last_live_date
    from member_days
    inner join clocks on member_days.business_date < clocks.as_of_date
    group by member_days.member_id, {{ window_edge(days_between('member_days.business_date', 'clocks.as_of_date')) }}

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
