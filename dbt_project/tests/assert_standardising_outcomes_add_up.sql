-- Returns rows when the outcomes of a standardised field are not, together, the current rows of its entity.
with outcomes as (

    select * from {{ ref('stg_standardising_outcomes') }}

),

accounted as (

    select entity, field, source_system, sum(row_count) as row_count
    from outcomes
    group by entity, field, source_system

),

staged as (

    select 'members' as entity, source_system, count(*) as row_count from {{ ref('stg_members') }}
    group by source_system
    union all
    select 'stores' as entity, source_system, count(*) as row_count from {{ ref('stg_stores') }}
    group by source_system
    union all
    select 'orders' as entity, source_system, count(*) as row_count from {{ ref('stg_orders') }}
    group by source_system
    union all
    select 'identifiers' as entity, source_system, count(*) as row_count from {{ ref('stg_identifiers') }}
    group by source_system
    union all
    select 'events' as entity, source_system, count(*) as row_count from {{ ref('stg_events') }}
    group by source_system

),

final as (

    select
        coalesce(accounted.entity, staged.entity) as entity,
        accounted.field,
        coalesce(accounted.source_system, staged.source_system) as source_system,
        accounted.row_count as accounted_rows,
        staged.row_count as staged_rows
    from accounted
    full outer join staged
        on accounted.entity = staged.entity
        and accounted.source_system = staged.source_system
    where coalesce(accounted.row_count, -1) <> coalesce(staged.row_count, -1)

)

select * from final
