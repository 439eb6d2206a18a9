with landed as (

    select * from {{ ref('stg_cleaning_rule_hits') }}

),

load_batches as (

    select * from {{ ref('stg_load_batches') }}
    where is_current

),

products as (

    select * from {{ ref('dim_products') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

coupon_products as (

    select * from {{ ref('stg_coupon_products') }}

),

touches as (

    select * from {{ ref('fct_touches') }}

),

redemptions as (

    select * from {{ ref('fct_coupon_redemptions') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

warehouse as (

    select
        'order_lines' as entity, 'product_inferred' as rule_code,
        '商品主数据缺失，由订单行补建' as label_zh, 'Product absent from the product file; built from its order lines' as label_en,
        count(*) as rows_touched
    from order_lines
    inner join products on order_lines.product_id = products.product_id
    where
        products.is_inferred
        and exists (
            select 1 from load_batches
            where load_batches.entity = 'products'
        )
    union all
    select 'order_lines', 'fuel_unit', '燃油按一件计，不按数量', 'Fuel line counted as one unit, not by its quantity', count(*)
    from order_lines
    where product_kind = 'fuel'
    union all
    select 'order_lines', 'anonymous_sale', '无会员的销售行，按匿名保留', 'Line without a member, kept as an anonymous sale', count(*)
    from order_lines
    where is_anonymous and line_kind = 'sale'
    union all
    select 'order_lines', 'service_line', '服务类代码，不计入商品', 'Service code: money kept apart, not a product', count(*)
    from order_lines
    where product_kind = 'service'
    union all
    select
        'coupon_products', 'exact_duplicate', '完全重复行，保留首行', 'Exact duplicate dropped, first one kept',
        coalesce((
            select sum(load_batches.rows_landed) from load_batches
            where load_batches.entity = 'coupon_products'
        ), 0) - count(*)
    from coupon_products
    union all
    select 'touches', 'touch_date_assumed', '触达无日期，按活动首日计', 'Touch without a date: the campaign''s first day stands for it', count(*)
    from touches
    where is_date_assumed
    union all
    select
        'coupon_redemptions', 'redemption_without_order', '核销当日无订单',
        'Redemption without an order of the member on that business date', count(*)
    from redemptions
    where not is_order_matched
    union all
    select 'refunds', 'refund_without_original', '退款找不到原订单', 'Refund whose original sale is not known', count(*)
    from refunds
    where not is_original_matched
    union all
    select 'products', 'product_name_variants', '同一商品多个名称，取最新', 'Product with several names; the newest wins', count(*)
    from products
    where product_name_variant_count > 1

),

unioned as (

    select entity, rule_code, label_zh, label_en, 'landing' as stage, sum(rows_touched) as rows_touched
    from landed
    group by entity, rule_code, label_zh, label_en
    union all
    select entity, rule_code, label_zh, label_en, 'warehouse' as stage, rows_touched
    from warehouse

),

final as (

    select
        entity,
        rule_code,
        stage,
        label_zh,
        label_en,
        cast(rows_touched as bigint) as rows_touched
    from unioned
    where rows_touched > 0

)

select * from final
