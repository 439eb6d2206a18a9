with products as (

    select * from {{ ref('int_products_resolved') }}

),

final as (

    select
        product_id,
        master_product_id,
        product_code,
        source_system,
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
        product_kind,
        currency_code,
        cast(list_price as decimal(18, 4)) as list_price,
        cast(replenishment_days as integer) as replenishment_days,
        cast(product_name_variant_count as integer) as product_name_variant_count,
        cast(category_variant_count as integer) as category_variant_count,
        is_inferred,
        is_deleted,
        launch_date,
        loaded_at
    from products

)

select * from final
