{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook=["{{ delete_changed_page_views() }}", "{{ follow_sessions() }}"]
) }}

with sessions as (

    select * from {{ ref('fct_sessions') }}
    where
        page_view_count > 0
        {% if is_incremental() %}
        and business_date not in (select distinct kept.session_business_date from {{ this }} as kept)
        {% endif %}

),

visits as (

    select
        parts.source_system,
        parts.visitor_id,
        parts.visit_date,
        parts.started_at,
        parts.ended_at,
        parts.session_id
    from ({{ visits_of_sessions() }}) as parts
    where parts.session_id in (select sessions.session_id from sessions)

),

-- What opens a page, and what says that one was left.
steps as (

    select
        visits.session_id,
        events.event_id,
        events.event_name,
        events.page_name,
        events.module_name,
        events.product_id,
        events.category_code,
        events.content_id,
        events.store_code,
        case when events.visit_role = 'page' then 1 else 0 end as page_count,
        events.duration_seconds,
        events.business_date,
        events.event_at,
        {{ instant_microseconds('events.event_at') }} as event_microseconds
    from {{ ref('fct_events') }} as events
    inner join visits
        on events.source_system = visits.source_system
        and {{ visitor_id('events') }} = visits.visitor_id
        and events.business_date = visits.visit_date
        and events.event_at >= visits.started_at
        and events.event_at <= visits.ended_at
    where events.visit_role in ('page', 'leave') and {{ is_of_a_visit('events') }}

),

followed as (

    select
        *,
        lead(event_microseconds) over (
            partition by session_id order by event_microseconds asc nulls last, event_id asc nulls last
        ) as next_microseconds,
        sum(page_count) over (
            partition by session_id order by event_microseconds asc nulls last, event_id asc nulls last
            rows between unbounded preceding and current row
        ) as page_number
    from steps

),

final as (

    select
        followed.event_id as page_view_id,
        followed.session_id,
        sessions.member_id,
        sessions.account_id,
        sessions.anonymous_id,
        followed.product_id,
        followed.content_id,
        sessions.source_system,
        followed.event_name,
        followed.page_name,
        followed.module_name,
        followed.category_code,
        followed.store_code,
        cast(followed.page_number as bigint) as page_number,
        sessions.event_count as session_event_count,
        -- Of the last page nobody knows when it was left, unless the client measured it: then NULL, never 0.
        case
            when followed.next_microseconds is not null
                then {{ seconds_of('followed.next_microseconds - followed.event_microseconds') }}
            when followed.duration_seconds > 0
                then cast(least(followed.duration_seconds, {{ brand_session_gap_minutes() * 60 }}) as decimal(18, 4))
        end as dwell_seconds,
        followed.page_number = 1 as is_entry,
        followed.page_number = sessions.page_view_count as is_exit,
        sessions.is_bounce,
        sessions.is_bot,
        sessions.is_internal,
        followed.business_date,
        sessions.business_date as session_business_date,
        followed.event_at as viewed_at,
        sessions.loaded_at
    from followed
    inner join sessions on followed.session_id = sessions.session_id
    where followed.page_count = 1

)

select * from final
