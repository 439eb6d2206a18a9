{#- Which version of which app sends which event: an event that a new version forgot shows as a hole. -#}
with events as (

    select * from {{ ref('fct_events') }}
    where is_behaviour

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

final as (

    select
        events.source_system,
        coalesce(events.platform, 'unknown') as platform,
        coalesce(events.app_version, 'unknown') as app_version,
        events.source_event_name as event_name,
        cast(count(*) as bigint) as event_count,
        min(events.business_date) as first_date,
        max(events.business_date) as last_date
    from events
    cross join clocks
    where
        events.business_date < clocks.as_of_date
        and events.business_date >= {{ add_days('clocks.as_of_date', -brand_tracking_window_days()) }}
    group by events.source_system, coalesce(events.platform, 'unknown'), coalesce(events.app_version, 'unknown'), events.source_event_name

)

select * from final
