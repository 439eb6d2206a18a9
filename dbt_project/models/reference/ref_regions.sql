with regions as (

    select * from {{ source('reference_data', 'regions') }}

),

final as (

    select
        adcode,
        parent_adcode,
        province_adcode,
        prefecture_adcode,
        level,
        name_zh,
        short_name_zh,
        name_en,
        aliases,
        first_year,
        last_year,
        is_current
    from regions

)

select * from final
