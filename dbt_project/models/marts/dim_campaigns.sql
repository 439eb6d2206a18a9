with campaigns as (

    select * from {{ ref('stg_campaigns') }}

),

final as (

    select
        campaign_id,
        campaign_code,
        source_system,
        campaign_name,
        campaign_type,
        cast({{ days_between('start_date', 'end_date') }} + 1 as integer) as duration_days,
        start_date,
        end_date,
        loaded_at
    from campaigns

)

select * from final
