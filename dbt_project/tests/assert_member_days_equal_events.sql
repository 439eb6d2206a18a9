-- Returns rows when the days of members do not add up to their events and sessions: they are incremental, by date and by member,
-- and must not drift.
{{ config(meta={'dagster': {'ref': {'name': 'agg_member_days'}}}) }}

with events as (

    select
        events.member_id,
        events.business_date,
        1 as event_count,
        0 as session_count
    from {{ ref('fct_events') }} as events
    where events.is_behaviour and {{ counts_for_a_member('events') }}
    union all
    select
        sessions.member_id,
        sessions.business_date,
        0 as event_count,
        1 as session_count
    from {{ ref('fct_sessions') }} as sessions
    where {{ counts_for_a_member('sessions') }}

),

told as (

    select
        member_id,
        business_date,
        sum(event_count) as event_count,
        sum(session_count) as session_count
    from events
    group by member_id, business_date

),

days as (

    select * from {{ ref('agg_member_days') }}

),

final as (

    select
        coalesce(told.member_id, days.member_id) as member_id,
        coalesce(told.business_date, days.business_date) as business_date,
        told.event_count,
        days.event_count as day_event_count,
        told.session_count,
        days.session_count as day_session_count
    from told
    full outer join days on told.member_id = days.member_id and told.business_date = days.business_date
    where
        coalesce(told.event_count, -1) <> coalesce(days.event_count, -1)
        or coalesce(told.session_count, -1) <> coalesce(days.session_count, -1)

)

select * from final
