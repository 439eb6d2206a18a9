with redemptions as (

    select * from {{ ref('int_coupon_redemptions_matched') }}

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

final as (

    select
        redemptions.redemption_id,
        resolved_accounts.member_id,
        redemptions.account_id,
        redemptions.campaign_id,
        redemptions.order_id,
        redemptions.coupon_code,
        redemptions.source_system,
        cast(redemptions.same_day_order_count as integer) as same_day_order_count,
        redemptions.is_order_matched,
        redemptions.is_product_matched,
        redemptions.business_date,
        redemptions.redeemed_at,
        redemptions.loaded_at
    from redemptions
    left join resolved_accounts on redemptions.account_id = resolved_accounts.account_id

)

select * from final
