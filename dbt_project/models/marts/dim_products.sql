with products as (

    select * from {{ ref('int_products_resolved') }}

),

final as (

    select
        product_id,
        product_code,
        source_system,
        product_name,
        brand_name,
        manufacturer_code,
        category_l1_name,
        category_l2_name,
        category_l3_name,
        package_size,
        product_kind,
        cast(product_name_variant_count as integer) as product_name_variant_count,
        is_inferred,
        loaded_at
    from products

)

select * from final
