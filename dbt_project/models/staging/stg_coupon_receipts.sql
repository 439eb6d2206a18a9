with coupon_receipts as (

    {{ newest_versions('coupon_receipts', ['receipt_key'], is_large=true) }}

),

final as (

    select
        {{ entity_id('source_system', 'receipt_key') }} as receipt_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'coupon_code') }} as offer_id,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        {{ entity_id('source_system', 'merchant_code') }} as merchant_id,
        member_key,
        source_system,
        batch_id,
        coupon_code,
        threshold_amount,
        discount_amount,
        discount_rate,
        distance_band,
        {{ is_deleted_flag() }},
        {{ business_date('received_at') }} as business_date,
        received_at,
        expires_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from coupon_receipts

)

select * from final
