with touches as (

    select * from {{ ref('stg_touches') }}
    where not is_deleted

),

campaigns as (

    select * from {{ ref('stg_campaigns') }}

),

-- A list of who was targeted has no time of its own: the campaign's start, or its first day, stands for it, and says so; where the campaign is not
-- known either, the day on which the list came in.
final as (

    select
        touches.touch_id,
        touches.account_id,
        touches.campaign_id,
        touches.member_key,
        touches.source_system,
        touches.channel,
        touches.touch_type,
        touches.is_holdout,
        touches.touched_at is null as is_date_assumed,
        coalesce(
            touches.business_date, {{ business_date('campaigns.starts_at') }}, campaigns.start_date, {{ business_date('touches.loaded_at') }}
        ) as business_date,
        coalesce(
            touches.touched_at, campaigns.starts_at, {{ business_day_start('campaigns.start_date') }}, touches.loaded_at
        ) as touched_at,
        touches.loaded_at
    from touches
    left join campaigns on touches.campaign_id = campaigns.campaign_id

)

select * from final
