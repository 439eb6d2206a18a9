-- Returns rows when a brand has purchases from orders and from behaviour side by side: each would count twice.
{{ config(meta={'dagster': {'ref': {'name': 'fct_events'}}}) }}

with purchases as (

    select
        source_system,
        is_behaviour,
        count(*) as event_count
    from {{ ref('fct_events') }}
    where event_name = 'purchase'
    group by source_system, is_behaviour

),

final as (

    select
        reported.source_system,
        reported.event_count as reported_count,
        ordered.event_count as ordered_count
    from purchases as reported
    cross join purchases as ordered
    where reported.is_behaviour and not ordered.is_behaviour

)

select * from final
