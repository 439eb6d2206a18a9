{{ config(materialized='table') }}

with products as (

    select * from {{ ref('stg_products') }}

),

order_lines as (

    select * from {{ ref('stg_order_lines') }}
    where not is_deleted

),

refunds as (

    select * from {{ ref('stg_refunds') }}
    where product_id is not null and not is_deleted

),

events as (

    select * from {{ ref('stg_events') }}
    where product_id is not null and not is_deleted

),

-- What the lines say of a product: its newest name wins, earlier spellings are counted.
sold as (

    select
        product_id,
        source_system,
        {{ newest_value('product_name', 'ordered_at') }} as product_name,
        {{ newest_value('product_kind', 'ordered_at') }} as product_kind,
        count(distinct product_name) as product_name_variant_count,
        max(loaded_at) as loaded_at
    from order_lines
    group by product_id, source_system

),

viewed_categories as (

    select product_id, source_system, category_code, count(*) as event_count, max(loaded_at) as loaded_at
    from events
    group by product_id, source_system, category_code

),

-- What behaviour says of a product: the category that most of its events name.
viewed as (

    select
        product_id,
        source_system,
        category_code,
        count(category_code) over (partition by product_id) as category_variant_count,
        max(loaded_at) over (partition by product_id) as loaded_at
    from viewed_categories
    qualify row_number() over (
        partition by product_id
        order by
            case when category_code is null then 1 else 0 end asc nulls last,
            event_count desc nulls last, category_code asc nulls last
    ) = 1

),

refunded as (

    select product_id, source_system, max(loaded_at) as loaded_at
    from refunds
    group by product_id, source_system

),

sighted as (

    select product_id, source_system from products
    union
    select product_id, source_system from sold
    union
    select product_id, source_system from viewed
    union
    select product_id, source_system from refunded

),

-- An id is `<source_system>:<product_code>`.
named as (

    select
        product_id,
        source_system,
        substr(product_id, length(source_system) + 2) as product_code
    from sighted

),

-- A brand may keep its products in a system of their own. Its file describes what is sold elsewhere under the same code, by systems
-- that have no product file themselves, unless two files know the code.
masters as (

    select product_code, min(product_id) as product_id
    from products
    group by product_code
    having count(*) = 1

),

described as (

    select
        named.*,
        case
            when own.product_id is not null then own.product_id
            when named.source_system not in (select products.source_system from products) then masters.product_id
        end as master_product_id
    from named
    left join products as own on named.product_id = own.product_id
    left join masters on named.product_code = masters.product_code

),

final as (

    select
        described.product_id,
        described.master_product_id,
        described.product_code,
        described.source_system,
        coalesce(products.product_name, sold.product_name) as product_name,
        products.product_name_en,
        products.spu_code,
        products.brand_name,
        products.manufacturer_code,
        coalesce(products.category_l1_code, case when products.category_l1_name is null then viewed.category_code end) as category_l1_code,
        products.category_l1_name,
        products.category_l2_code,
        products.category_l2_name,
        products.category_l3_code,
        products.category_l3_name,
        products.package_size,
        coalesce(products.product_kind, sold.product_kind, 'goods') as product_kind,
        products.currency_code,
        products.list_price,
        products.replenishment_days,
        coalesce(sold.product_name_variant_count, 0) as product_name_variant_count,
        coalesce(viewed.category_variant_count, 0) as category_variant_count,
        products.product_id is null as is_inferred,
        coalesce(products.is_deleted, false) as is_deleted,
        products.launch_date,
        coalesce(products.loaded_at, sold.loaded_at, viewed.loaded_at, refunded.loaded_at) as loaded_at
    from described
    left join products on described.master_product_id = products.product_id
    left join sold on described.product_id = sold.product_id
    left join viewed on described.product_id = viewed.product_id
    left join refunded on described.product_id = refunded.product_id

)

select * from final
