with contract_entities as (

    select * from {{ source('config', 'contract_entities') }}

),

final as (

    select
        entity,
        label_zh,
        label_en,
        nature,
        enables_zh,
        enables_en,
        is_mapped
    from contract_entities

)

select * from final
