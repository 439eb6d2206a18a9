with calendar_days as (

    select * from {{ source('reference_data', 'calendar_days') }}

),

final as (

    select
        holiday_code,
        holiday_name_zh,
        holiday_name_en,
        festival_code,
        festival_codes,
        year_number,
        quarter_number,
        month_number,
        iso_year_number,
        iso_week_number,
        weekday_number,
        lunar_year_number,
        lunar_month_number,
        lunar_day_number,
        days_to_lunar_new_year,
        festival_year,
        festival_day_index,
        festival_sale_day_number,
        is_workday,
        is_holiday,
        is_make_up_workday,
        is_weekend,
        is_lunar_leap_month,
        calendar_date,
        lunar_aligned_date,
        campaign_aligned_date
    from calendar_days

)

select * from final
