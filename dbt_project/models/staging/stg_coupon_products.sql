with coupon_products as (

    {{ newest_versions('coupon_products', ['coupon_code', 'campaign_code', 'product_code']) }}

),

final as (

    select
        coupon_code,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        {{ entity_id('source_system', 'product_code') }} as product_id,
        source_system,
        batch_id,
        {{ is_deleted_flag() }},
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from coupon_products

)

select * from final
