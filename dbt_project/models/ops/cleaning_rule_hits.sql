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

repeats as (

    select * from {{ ref('int_rows_dated') }}

),

events as (

    select * from {{ ref('fct_events') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

members as (

    select * from {{ ref('dim_members') }}

),

standardising as (

    select * from {{ ref('stg_standardising_outcomes') }}
    where outcome in ('standardised', 'rejected')

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

-- Whatever the entity: rows of current batches that a newer or earlier row of the same key stands for.
landed_rows as (

    select entity, sum(rows_landed + rows_tombstoned + rows_carried) as row_count
    from load_batches
    group by entity

),

staged_rows as (

    select entity, sum(row_count) as row_count
    from repeats
    group by entity

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
        landed_rows.entity, 'repeated_key', '同一主键的重复行或旧版本，保留其一', 'Repeat or older version of a key: one row of it is kept',
        landed_rows.row_count - coalesce(staged_rows.row_count, 0)
    from landed_rows
    left join staged_rows on landed_rows.entity = staged_rows.entity
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
    union all
    select 'products', 'product_category_variants', '同一商品出现在多个类目，取最多', 'Product in several categories; the most frequent wins', count(*)
    from products
    where category_variant_count > 1
    union all
    select 'products', 'product_described_elsewhere', '商品由另一系统的主数据描述', 'Product that the product file of another system describes', count(*)
    from products
    where master_product_id <> product_id
    union all
    select 'orders', 'order_void', '未支付、取消、换货或小样订单，不计成交', 'Order that was cancelled, never paid, an exchange or a sample: no purchase', count(*)
    from orders
    where is_void
    union all
    select 'refunds', 'refund_of_void_order', '未计成交订单的退款，不冲减销售', 'Refund of an order that is no purchase: taken off nothing', count(*)
    from refunds
    where not is_counted
    union all
    select 'events', 'product_inferred', '商品主数据缺失，由行为事件补建', 'Event of a product that is absent from the product file; built from its events', count(*)
    from events
    inner join products on events.product_id = products.product_id
    where
        events.is_behaviour
        and products.is_inferred
        and exists (
            select 1 from load_batches
            where load_batches.entity = 'products'
        )
    union all
    select 'events', 'member_without_profile', '行为会员不在会员表', 'Event of a member who is absent from the member file', count(*)
    from events
    inner join members on events.member_id = members.member_id
    where
        events.is_behaviour
        and not members.has_profile
        and exists (
            select 1 from load_batches
            where load_batches.entity = 'members'
        )
    union all
    select 'events', 'anonymous_event', '匿名行为，保留', 'Event of somebody who is not identified, kept', count(*)
    from events
    where is_behaviour and is_anonymous
    union all
    select 'events', 'event_outside_calendar', '日期在品牌日历之外，保留并标记', 'Dated outside the brand''s calendar; kept, flagged, and no clock', count(*)
    from events
    where is_behaviour and is_outside_calendar
    union all
    select 'events', 'bot_event', '机器人行为，保留并标记', 'Event of a program: by its name or its rate; kept, flagged', count(*)
    from events
    where is_behaviour and is_bot
    union all
    select 'events', 'internal_event', '内部或测试账号行为，保留并标记', 'Event of a test or internal account; kept, flagged', count(*)
    from events
    where is_behaviour and is_internal
    union all
    select 'events', 'purchase_reported', '客户端上报的购买，以订单为准', 'Purchase that a client reports; the order counts', count(*)
    from events
    where event_name = 'purchase_reported'

),

unioned as (

    -- Two sources may have the same rule in words of their own.
    select
        entity, rule_code, min(label_zh) as label_zh, min(label_en) as label_en, 'landing' as stage,
        sum(rows_touched) as rows_touched
    from landed
    group by entity, rule_code
    union all
    select entity, rule_code, label_zh, label_en, 'staging' as stage, sum(row_count) as rows_touched
    from standardising
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
