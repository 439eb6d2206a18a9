with coupon_redemptions as (

    {{ newest_versions('coupon_redemptions', ['member_key', 'coupon_code', 'campaign_code', 'redeemed_on']) }}

),

final as (

    select
        {{ composite_id(['source_system', 'member_key', 'coupon_code', 'campaign_code', 'redeemed_on']) }} as redemption_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        {{ entity_id('source_system', 'receipt_key') }} as receipt_id,
        {{ entity_id('source_system', 'order_key') }} as order_id,
        member_key,
        source_system,
        batch_id,
        coupon_code,
        discount_amount,
        {{ is_deleted_flag() }},
        redeemed_on as business_date,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from coupon_redemptions

)

select * from final
