with campaigns as (

    select * from {{ ref('dim_campaigns') }}

),

touches as (

    -- Whoever was planned and held back, or could not be reached, was not touched.
    select * from {{ ref('fct_touches') }}
    where touch_type = 'sent'

),

coupon_redemptions as (

    select * from {{ ref('fct_coupon_redemptions') }}

),

touched as (

    select campaign_id, count(distinct member_id) as touched_member_count
    from touches
    group by campaign_id

),

redeemed as (

    select
        campaign_id,
        count(*) as redemption_count,
        count(distinct member_id) as redeeming_member_count
    from coupon_redemptions
    group by campaign_id

),

final as (

    select
        campaigns.campaign_id,
        campaigns.campaign_type,
        cast(coalesce(touched.touched_member_count, 0) as bigint) as touched_member_count,
        cast(coalesce(redeemed.redeeming_member_count, 0) as bigint) as redeeming_member_count,
        cast(coalesce(redeemed.redemption_count, 0) as bigint) as redemption_count,
        -- Who was touched was chosen, not drawn: this rate describes the campaign and says nothing of its effect.
        {{ ratio('coalesce(redeemed.redeeming_member_count, 0)', 'touched.touched_member_count') }} as redemption_rate,
        campaigns.start_date,
        campaigns.end_date
    from campaigns
    left join touched on campaigns.campaign_id = touched.campaign_id
    left join redeemed on campaigns.campaign_id = redeemed.campaign_id

)

select * from final
