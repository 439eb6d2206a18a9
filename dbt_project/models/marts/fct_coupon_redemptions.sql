with redemptions as (

    select * from {{ ref('int_coupon_redemptions_matched') }}

),

final as (

    select
        redemption_id,
        member_id,
        campaign_id,
        order_id,
        coupon_code,
        source_system,
        cast(same_day_order_count as integer) as same_day_order_count,
        is_order_matched,
        is_product_matched,
        business_date,
        redeemed_at,
        loaded_at
    from redemptions

)

select * from final
