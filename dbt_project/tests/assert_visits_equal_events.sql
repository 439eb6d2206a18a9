-- Returns rows when visits, sessions or page views do not add up to the events they are made of: all of them are incremental and
-- must not drift.
{{ config(meta={'dagster': {'ref': {'name': 'fct_page_views'}}}) }}

with events as (

    select
        events.business_date,
        count(*) as event_count,
        count(case when standard_events.visit_role = 'page' then 1 end) as page_view_count
    from {{ ref('fct_events') }} as events
    left join {{ ref('stg_standard_events') }} as standard_events on events.source_event_name = standard_events.event_name
    where {{ is_of_a_visit('events') }}
    group by events.business_date

),

visits as (

    select
        business_date,
        sum(event_count) as event_count,
        sum(page_view_count) as page_view_count
    from {{ ref('int_visits_dated') }}
    group by business_date

),

page_views as (

    select
        business_date,
        count(*) as page_view_count
    from {{ ref('fct_page_views') }}
    group by business_date

),

totals as (

    select
        (select sum(events.event_count) from events) as event_count,
        (select sum(sessions.event_count) from {{ ref('fct_sessions') }} as sessions) as session_event_count

),

final as (

    select
        coalesce(events.business_date, visits.business_date) as business_date,
        events.event_count,
        visits.event_count as visit_event_count,
        events.page_view_count,
        page_views.page_view_count as told_page_view_count
    from events
    full outer join visits on events.business_date = visits.business_date
    left join page_views on coalesce(events.business_date, visits.business_date) = page_views.business_date
    where
        coalesce(events.event_count, 0) <> coalesce(visits.event_count, 0)
        or coalesce(events.page_view_count, 0) <> coalesce(visits.page_view_count, 0)
        or coalesce(events.page_view_count, 0) <> coalesce(page_views.page_view_count, 0)
    union all
    -- A session has events of two dates, so sessions add up over all dates only.
    select
        cast(null as date) as business_date,
        event_count,
        session_event_count as visit_event_count,
        cast(null as bigint) as page_view_count,
        cast(null as bigint) as told_page_view_count
    from totals
    where coalesce(event_count, 0) <> coalesce(session_event_count, 0)

)

select * from final
