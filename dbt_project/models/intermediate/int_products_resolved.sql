{{ config(materialized='table') }}

with products as (

    select * from {{ ref('stg_products') }}

),

order_lines as (

    select * from {{ ref('stg_order_lines') }}

),

-- What the lines say of a product: its newest name wins, earlier spellings are counted.
sold as (

    select
        product_id,
        product_code,
        source_system,
        max_by(product_name, ordered_at) filter (where product_name is not null) as product_name,
        max_by(product_kind, ordered_at) filter (where product_kind is not null) as product_kind,
        count(distinct product_name) as product_name_variant_count,
        max(loaded_at) as loaded_at
    from order_lines
    group by product_id, product_code, source_system

),

final as (

    select
        coalesce(products.product_id, sold.product_id) as product_id,
        coalesce(products.product_code, sold.product_code) as product_code,
        coalesce(products.source_system, sold.source_system) as source_system,
        coalesce(products.product_name, sold.product_name) as product_name,
        products.brand_name,
        products.manufacturer_code,
        products.category_l1_name,
        products.category_l2_name,
        products.category_l3_name,
        products.package_size,
        coalesce(products.product_kind, sold.product_kind, 'goods') as product_kind,
        coalesce(sold.product_name_variant_count, 0) as product_name_variant_count,
        products.product_id is null as is_inferred,
        coalesce(products.loaded_at, sold.loaded_at) as loaded_at
    from products
    full outer join sold on products.product_id = sold.product_id

)

select * from final
