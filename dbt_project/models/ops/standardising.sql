with outcomes as (

    select * from {{ ref('stg_standardising_outcomes') }}

),

final as (

    select
        entity,
        field,
        source_system,
        rule_code,
        outcome,
        label_zh,
        label_en,
        row_count
    from outcomes

)

select * from final
