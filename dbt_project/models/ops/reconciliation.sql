{#- Rows and money, level by level: what one stage hands over is what the next one has. -#}
{% set number = 'decimal(38, 4)' %}

with load_batches as (

    select * from {{ ref('stg_load_batches') }}
    where is_current

),

landed_lines as (

    select * from {{ ref('stg_order_lines_landed') }}
    where is_current

),

stg_order_lines as (

    select * from {{ ref('stg_order_lines') }}

),

fct_order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

stg_refunds as (

    select * from {{ ref('stg_refunds') }}
    where refund_status = 'refunded' and not is_deleted

),

fct_refunds as (

    select * from {{ ref('fct_refunds') }}

),

landed_events as (

    select * from {{ ref('stg_events_landed') }}
    where is_current

),

stg_events as (

    select * from {{ ref('stg_events') }}

),

fct_events as (

    select * from {{ ref('fct_events') }}
    where is_behaviour

),

batches as (

    select
        coalesce(sum(rows_in), 0) as rows_in,
        coalesce(sum(rows_landed + rows_quarantined), 0) as rows_accounted,
        coalesce(sum(case when entity = 'order_lines' then rows_landed + rows_tombstoned + rows_carried end), 0) as line_count,
        coalesce(sum(case when entity = 'events' then rows_landed + rows_tombstoned + rows_carried end), 0) as event_count
    from load_batches

),

lake_lines as (

    select
        count(*) as row_count,
        count(distinct order_id || '-' || order_line_number) as key_count
    from landed_lines

),

staged_lines as (

    select
        count(*) as row_count,
        coalesce(sum(case when is_deleted then 1 else 0 end), 0) as deleted_count,
        coalesce(sum(case when not is_deleted then line_amount end), 0) as line_amount
    from stg_order_lines

),

mart_lines as (

    select
        count(*) as row_count,
        coalesce(sum(line_amount), 0) as line_amount
    from fct_order_lines

),

staged_refunds as (

    select
        count(*) as row_count,
        coalesce(sum(refund_amount), 0) as refund_amount
    from stg_refunds

),

mart_refunds as (

    select
        coalesce(sum(case when source_entity = 'order_lines' then 1 else 0 end), 0) as line_count,
        coalesce(sum(case when source_entity = 'order_lines' then refund_amount end), 0) as line_amount,
        coalesce(sum(case when source_entity = 'refunds' then 1 else 0 end), 0) as refund_count,
        coalesce(sum(case when source_entity = 'refunds' then refund_amount end), 0) as refund_amount
    from fct_refunds

),

-- To the cent per order: a price may have three decimals, an order has two.
orders_from_lines as (

    select
        order_id,
        round(sum(case when product_kind <> 'service' then line_amount else 0 end), 2) as goods_amount,
        round(sum(case when product_kind = 'service' then line_amount else 0 end), 2) as service_amount
    from fct_order_lines
    where line_kind = 'sale'
    group by order_id

),

line_sums as (

    select coalesce(sum(goods_amount + service_amount), 0) as order_amount from orders_from_lines

),

order_sums as (

    select coalesce(sum(gross_amount + service_amount), 0) as order_amount from fct_orders

),

lake_events as (

    select
        count(*) as row_count,
        count(distinct event_id) as key_count
    from landed_events

),

staged_events as (

    select
        count(*) as row_count,
        coalesce(sum(case when is_deleted then 1 else 0 end), 0) as deleted_count
    from stg_events

),

mart_events as (

    select count(*) as row_count from fct_events

),

sides as (

    select
        'landed_rows' as check_code, 'Rows: files = landed + quarantined' as label_en, '行数：文件 = 入湖 + 隔离' as label_zh,
        cast(rows_in as {{ number }}) as left_value, cast(rows_accounted as {{ number }}) as right_value
    from batches
    union all
    select
        'lake_rows', 'Rows: batches say landed = order lines in the lake', '行数：批次登记 = 湖内订单行数',
        cast(batches.line_count as {{ number }}), cast(lake_lines.row_count as {{ number }})
    from batches
    cross join lake_lines
    union all
    select
        'staged_rows', 'Rows: landed lines - repeats of a key = staged lines', '行数：入湖行 - 重复键 = 清洗行',
        cast(lake_lines.key_count as {{ number }}), cast(staged_lines.row_count as {{ number }})
    from lake_lines
    cross join staged_lines
    union all
    select
        'mart_rows', 'Rows: staged lines - deleted = order lines + refunds', '行数：清洗行 - 已删除 = 订单行 + 退款行',
        cast(staged_lines.row_count - staged_lines.deleted_count as {{ number }}),
        cast(mart_lines.row_count + mart_refunds.line_count as {{ number }})
    from staged_lines
    cross join mart_lines
    cross join mart_refunds
    union all
    select
        'mart_amount', 'Money: staged lines = order lines - refunds', '金额：清洗行 = 订单行 - 退款',
        cast(staged_lines.line_amount as {{ number }}), cast(mart_lines.line_amount - mart_refunds.line_amount as {{ number }})
    from staged_lines
    cross join mart_lines
    cross join mart_refunds
    union all
    select
        'order_amount', 'Money: sale lines = orders', '金额：销售行 = 订单',
        cast(line_sums.order_amount as {{ number }}), cast(order_sums.order_amount as {{ number }})
    from line_sums
    cross join order_sums
    union all
    select
        'refund_rows', 'Rows: refunds that were paid = refunds', '行数：已退款单 = 退款',
        cast(staged_refunds.row_count as {{ number }}), cast(mart_refunds.refund_count as {{ number }})
    from staged_refunds
    cross join mart_refunds
    union all
    select
        'refund_amount', 'Money: refunds that were paid = refunds', '金额：已退款单 = 退款',
        cast(staged_refunds.refund_amount as {{ number }}), cast(mart_refunds.refund_amount as {{ number }})
    from staged_refunds
    cross join mart_refunds
    union all
    select
        'event_lake_rows', 'Rows: batches say landed = events in the lake', '行数：批次登记 = 湖内事件数',
        cast(batches.event_count as {{ number }}), cast(lake_events.row_count as {{ number }})
    from batches
    cross join lake_events
    union all
    select
        'staged_event_rows', 'Rows: landed events - repeats of a key = staged events', '行数：入湖事件 - 重复键 = 清洗事件',
        cast(lake_events.key_count as {{ number }}), cast(staged_events.row_count as {{ number }})
    from lake_events
    cross join staged_events
    union all
    select
        'mart_event_rows', 'Rows: staged events - deleted = events', '行数：清洗事件 - 已删除 = 事件',
        cast(staged_events.row_count - staged_events.deleted_count as {{ number }}), cast(mart_events.row_count as {{ number }})
    from staged_events
    cross join mart_events

),

final as (

    select
        check_code,
        label_zh,
        label_en,
        left_value,
        right_value,
        left_value - right_value as difference
    from sides

)

select * from final
