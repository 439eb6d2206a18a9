with receipts as (

    select * from {{ ref('stg_coupon_receipts') }}
    where not is_deleted

),

offers as (

    select * from {{ ref('stg_offers') }}
    where not is_deleted

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

-- A receipt says its own terms, or its offer does.
final as (

    select
        receipts.receipt_id,
        resolved_accounts.member_id,
        receipts.account_id,
        receipts.offer_id,
        coalesce(receipts.campaign_id, offers.campaign_id) as campaign_id,
        receipts.merchant_id,
        receipts.coupon_code,
        receipts.source_system,
        receipts.batch_id,
        cast(receipts.distance_band as integer) as distance_band,
        {{ money('coalesce(receipts.threshold_amount, offers.threshold_amount)') }} as threshold_amount,
        {{ money('coalesce(receipts.discount_amount, offers.discount_amount)') }} as discount_amount,
        cast(
            coalesce(
                receipts.discount_rate, offers.discount_rate,
                {{ ratio('coalesce(receipts.discount_amount, offers.discount_amount)',
                         'coalesce(receipts.threshold_amount, offers.threshold_amount)') }}
            ) as double
        ) as discount_rate,
        receipts.business_date,
        receipts.received_at,
        coalesce(receipts.expires_at, offers.valid_to) as expires_at,
        receipts.loaded_at
    from receipts
    left join offers on receipts.offer_id = offers.offer_id
    left join resolved_accounts on receipts.account_id = resolved_accounts.account_id

)

select * from final
