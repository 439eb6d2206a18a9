with aipl as (

    select * from {{ ref('seg_aipl') }}

),

final as (

    select
        count(case when aipl_level > 0 then 1 end) as fertility_count,
        count(case when previous_aipl_level between 1 and 3 then 1 end) as advancable_count,
        count(case when previous_aipl_level between 1 and 3 and aipl_level > previous_aipl_level then 1 end) as advanced_count,
        {{ ratio(
            'count(case when previous_aipl_level between 1 and 3 and aipl_level > previous_aipl_level then 1 end)',
            'count(case when previous_aipl_level between 1 and 3 then 1 end)'
        ) }} as advancing_rate,
        count(case when is_registered then 1 end) as superiority_count,
        count(case when is_registered and is_active then 1 end) as thriving_count,
        {{ ratio('count(case when is_registered and is_active then 1 end)', 'count(case when is_registered then 1 end)') }} as thriving_rate,
        previous_as_of_date as as_of_date_before,
        as_of_date
    from aipl
    group by previous_as_of_date, as_of_date

)

select * from final
