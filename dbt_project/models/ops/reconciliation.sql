{#- Rows and money, level by level: what one stage hands over is what the next one has. -#}
with load_batches as (

    select * from {{ ref('stg_load_batches') }}
    where is_current and entity = 'order_lines'

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

fct_refunds as (

    select * from {{ ref('fct_refunds') }}

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

sides as (

    select
        'landed_rows' as check_code, 'Rows: files = landed + quarantined' as label_en, '行数：文件 = 入湖 + 隔离' as label_zh,
        cast(coalesce(sum(rows_in), 0) as decimal(38, 4)) as left_value,
        cast(coalesce(sum(rows_landed + rows_quarantined), 0) as decimal(38, 4)) as right_value
    from load_batches
    union all
    select
        'lake_rows', 'Rows: batches say landed = rows in the lake', '行数：批次登记 = 湖内行数',
        (select cast(coalesce(sum(load_batches.rows_landed), 0) as decimal(38, 4)) from load_batches),
        cast(count(*) as decimal(38, 4))
    from landed_lines
    union all
    select
        'staged_rows', 'Rows: landed lines - repeats of a key = staged lines', '行数：入湖行 - 重复键 = 清洗行',
        (
            select cast(count(distinct landed_lines.order_id || '-' || landed_lines.order_line_number) as decimal(38, 4))
            from landed_lines
        ),
        cast(count(*) as decimal(38, 4))
    from stg_order_lines
    union all
    select
        'mart_rows', 'Rows: staged lines = order lines + refunds', '行数：清洗行 = 订单行 + 退款行',
        (select cast(count(*) as decimal(38, 4)) from stg_order_lines),
        cast(count(*) + (select count(*) from fct_refunds) as decimal(38, 4))
    from fct_order_lines
    union all
    select
        'mart_amount', 'Money: staged lines = order lines - refunds', '金额：清洗行 = 订单行 - 退款',
        (select cast(coalesce(sum(stg_order_lines.line_amount), 0) as decimal(38, 4)) from stg_order_lines),
        cast(coalesce(sum(line_amount), 0) - (select coalesce(sum(fct_refunds.refund_amount), 0) from fct_refunds) as decimal(38, 4))
    from fct_order_lines
    union all
    select
        'order_amount', 'Money: sale lines = orders', '金额：销售行 = 订单',
        cast(coalesce(sum(goods_amount + service_amount), 0) as decimal(38, 4)),
        (select cast(coalesce(sum(fct_orders.gross_amount + fct_orders.service_amount), 0) as decimal(38, 4)) from fct_orders)
    from orders_from_lines

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
