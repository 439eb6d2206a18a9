{#- Events that came in lately against the tracking plan, and what is lost where one is missing. -#}
with events as (

    select * from {{ ref('fct_events') }}
    where is_behaviour

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

planned_events as (

    select * from {{ ref('stg_planned_events') }}

),

standard_events as (

    select * from {{ ref('stg_standard_events') }}

),

arrived as (

    select
        events.source_event_name as event_name,
        events.source_system,
        count(*) as event_count,
        count(distinct events.business_date) as event_day_count,
        min(events.business_date) as first_date,
        max(events.business_date) as last_date
    from events
    cross join clocks
    where
        events.business_date < clocks.as_of_date
        and events.business_date >= {{ add_days('clocks.as_of_date', -brand_tracking_window_days()) }}
    group by events.source_event_name, events.source_system

),

-- A plan is made per source system; where there is none, each event that arrived stands for itself.
compared as (

    select
        coalesce(planned_events.event_name, arrived.event_name) as event_name,
        coalesce(planned_events.source_system, arrived.source_system) as source_system,
        planned_events.label_zh,
        planned_events.label_en,
        planned_events.owner,
        planned_events.event_name is not null as is_planned,
        coalesce(arrived.event_count, 0) as event_count,
        coalesce(arrived.event_day_count, 0) as event_day_count,
        arrived.first_date,
        arrived.last_date
    from planned_events
    full outer join arrived
        on planned_events.event_name = arrived.event_name and planned_events.source_system = arrived.source_system

),

-- Standard events that nobody plans and nobody sends: they too cost something, and somebody should have decided so.
neither as (

    select
        standard_events.event_name,
        cast(null as {{ dbt.type_string() }}) as source_system,
        standard_events.label_zh,
        standard_events.label_en,
        cast(null as {{ dbt.type_string() }}) as owner,
        false as is_planned,
        0 as event_count,
        0 as event_day_count,
        cast(null as date) as first_date,
        cast(null as date) as last_date
    from standard_events
    left join compared on standard_events.event_name = compared.event_name
    where compared.event_name is null

),

unioned as (

    select * from compared
    union all
    select * from neither

),

final as (

    select
        unioned.event_name,
        unioned.source_system,
        case
            when unioned.is_planned and unioned.event_count > 0 then 'arrived'
            when unioned.is_planned then 'absent'
            when unioned.event_count > 0 then 'unplanned'
            else 'not_planned'
        end as status,
        coalesce(unioned.label_zh, standard_events.label_zh) as label_zh,
        coalesce(unioned.label_en, standard_events.label_en) as label_en,
        unioned.owner,
        standard_events.feeds_zh,
        standard_events.feeds_en,
        cast(unioned.event_count as bigint) as event_count,
        cast(unioned.event_day_count as integer) as event_day_count,
        standard_events.event_name is not null as is_standard,
        unioned.first_date,
        unioned.last_date
    from unioned
    left join standard_events on unioned.event_name = standard_events.event_name

)

select * from final
