with products as (

    {{ newest_versions('products', ['product_code']) }}

),

final as (

    select
        {{ entity_id('source_system', 'product_code') }} as product_id,
        product_code,
        source_system,
        batch_id,
        product_name,
        product_name_en,
        spu_code,
        brand_name,
        manufacturer_code,
        category_l1_code,
        category_l1_name,
        category_l2_code,
        category_l2_name,
        category_l3_code,
        category_l3_name,
        package_size,
        attributes,
        description,
        product_kind,
        currency_code,
        list_price,
        cost_price,
        replenishment_days,
        {{ is_deleted_flag() }},
        launched_on as launch_date,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from products

)

select * from final
