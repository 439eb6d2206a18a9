with products as (

    select * from {{ source('raw', 'products') }}

),

batches as (

    select batch_id from {{ ref('stg_load_batches') }}
    where is_current and entity = 'products'

),

-- The same key twice: the first one seen counts, whatever the order of arrival within a load.
deduplicated as (

    select products.*
    from products
    inner join batches on products.batch_id = batches.batch_id
    qualify row_number() over (
        partition by products.source_system, products.product_code
        order by products.loaded_at nulls last, products.batch_id nulls last, products.source_row_number nulls last
    ) = 1

),

final as (

    select
        {{ entity_id('source_system', 'product_code') }} as product_id,
        product_code,
        source_system,
        batch_id,
        product_name,
        brand_name,
        manufacturer_code,
        category_l1_name,
        category_l2_name,
        category_l3_name,
        package_size,
        product_kind,
        loaded_at
    from deduplicated

)

select * from final
