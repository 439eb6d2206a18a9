with standard_events as (

    select * from {{ source('config', 'standard_events') }}

),

final as (

    select
        event_name,
        label_zh,
        label_en,
        feeds_zh,
        feeds_en,
        visit_role
    from standard_events

)

select * from final
