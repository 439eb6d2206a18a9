-- Returns rows when an order is not the sum of its lines to the cent, or a refund not the sum of its parts.
{{ config(meta={'dagster': {'ref': {'name': 'fct_orders'}}}) }}

with lines_of_orders as (

    select
        order_id,
        sum(gross_amount) as gross_amount,
        sum(service_amount) as service_amount,
        sum(line_amount) as line_amount
    from {{ ref('fct_order_lines') }}
    where line_kind = 'sale'
    group by order_id

),

orders as (

    select * from {{ ref('fct_orders') }}

),

parts_of_refunds as (

    select refund_id, sum(refund_amount) as refund_amount
    from {{ ref('fct_refund_lines') }}
    group by refund_id

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

refunds_of_orders as (

    select original_order_id as order_id, sum(goods_amount) as refund_amount
    from refunds
    where is_counted and is_original_matched
    group by original_order_id

),

final as (

    select orders.order_id as id, orders.gross_amount as amount, lines_of_orders.gross_amount as sum_amount
    from orders
    full outer join lines_of_orders on orders.order_id = lines_of_orders.order_id
    where
        orders.order_id is null
        or lines_of_orders.order_id is null
        or orders.gross_amount <> lines_of_orders.gross_amount
        or orders.service_amount <> lines_of_orders.service_amount
        -- Goods and services are rounded apart: each by half a cent at most.
        or abs(orders.gross_amount + orders.service_amount - lines_of_orders.line_amount) > 0.01
    union all
    select refunds.refund_id as id, {{ money('refunds.refund_amount') }} as amount, parts_of_refunds.refund_amount as sum_amount
    from refunds
    full outer join parts_of_refunds on refunds.refund_id = parts_of_refunds.refund_id
    where
        parts_of_refunds.refund_id is null
        or refunds.refund_id is null
        or {{ money('refunds.refund_amount') }} <> parts_of_refunds.refund_amount
        or refunds.goods_amount + refunds.service_amount + refunds.freight_amount <> parts_of_refunds.refund_amount
    union all
    select orders.order_id as id, orders.refund_amount as amount, refunds_of_orders.refund_amount as sum_amount
    from orders
    full outer join refunds_of_orders on orders.order_id = refunds_of_orders.order_id
    where orders.order_id is null or orders.refund_amount <> coalesce(refunds_of_orders.refund_amount, 0)

)

select * from final
