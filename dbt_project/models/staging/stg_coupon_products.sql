with coupon_products as (

    select * from {{ source('raw', 'coupon_products') }}

),

batches as (

    select batch_id from {{ ref('stg_load_batches') }}
    where is_current and entity = 'coupon_products'

),

-- The same key twice: the first one seen counts, whatever the order of arrival within a load.
deduplicated as (

    select coupon_products.*
    from coupon_products
    inner join batches on coupon_products.batch_id = batches.batch_id
    qualify row_number() over (
        partition by
            coupon_products.source_system, coupon_products.coupon_code, coupon_products.campaign_code, coupon_products.product_code
        order by coupon_products.loaded_at nulls last, coupon_products.batch_id nulls last, coupon_products.source_row_number nulls last
    ) = 1

),

final as (

    select
        coupon_code,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        {{ entity_id('source_system', 'product_code') }} as product_id,
        source_system,
        batch_id,
        loaded_at
    from deduplicated

)

select * from final
