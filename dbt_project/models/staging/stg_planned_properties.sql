with planned_properties as (

    select * from {{ source('config', 'planned_properties') }}

),

final as (

    select
        event_name,
        property_name,
        value_type,
        label_zh,
        label_en,
        is_required,
        is_contract_field
    from planned_properties

)

select * from final
