with planned_events as (

    select * from {{ source('config', 'planned_events') }}

),

final as (

    select
        event_name,
        source_system,
        label_zh,
        label_en,
        owner
    from planned_events

)

select * from final
