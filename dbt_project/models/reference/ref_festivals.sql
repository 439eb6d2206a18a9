with festivals as (

    select * from {{ source('reference_data', 'festivals') }}

),

final as (

    select
        festival_id,
        festival_code,
        label_zh,
        label_en,
        phase_code,
        phase_label_zh,
        phase_label_en,
        window_basis,
        festival_year,
        phase_number,
        anchor_date,
        starts_at,
        ends_at
    from festivals

)

select * from final
