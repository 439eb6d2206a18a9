with coupon_redemptions as (

    select * from {{ source('raw', 'coupon_redemptions') }}

),

batches as (

    select batch_id from {{ ref('stg_load_batches') }}
    where is_current and entity = 'coupon_redemptions'

),

-- The same key twice: the first one seen counts, whatever the order of arrival within a load.
deduplicated as (

    select coupon_redemptions.*
    from coupon_redemptions
    inner join batches on coupon_redemptions.batch_id = batches.batch_id
    qualify row_number() over (
        partition by
            coupon_redemptions.source_system, coupon_redemptions.member_key, coupon_redemptions.coupon_code,
            coupon_redemptions.campaign_code, coupon_redemptions.redeemed_on
        order by
            coupon_redemptions.loaded_at nulls last, coupon_redemptions.batch_id nulls last,
            coupon_redemptions.source_row_number nulls last
    ) = 1

),

final as (

    select
        md5(
            source_system || '|' || member_key || '|' || coupon_code || '|' || campaign_code
            || '|' || cast(redeemed_on as {{ dbt.type_string() }})
        ) as redemption_id,
        {{ member_id('source_system', 'member_key') }} as member_id,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        member_key,
        coupon_code,
        source_system,
        batch_id,
        redeemed_on as business_date,
        loaded_at
    from deduplicated

)

select * from final
