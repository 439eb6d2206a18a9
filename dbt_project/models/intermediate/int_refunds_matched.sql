with order_lines as (

    select * from {{ ref('stg_order_lines') }}

),

products as (

    select * from {{ ref('int_products_resolved') }}

),

refund_lines as (

    select * from order_lines
    where line_kind = 'refund'

),

refunded_products as (

    select distinct member_id, product_id from refund_lines

),

sale_lines as (

    select
        sales.member_id,
        sales.product_id,
        sales.order_id,
        sales.quantity,
        sales.ordered_at
    from order_lines as sales
    inner join refunded_products
        on sales.member_id = refunded_products.member_id and sales.product_id = refunded_products.product_id
    where sales.line_kind = 'sale'

),

-- A cancellation carries its own number. Its original is the same member's latest earlier sale of the product that was
-- large enough; without one the refund stands alone.
candidates as (

    select
        refund_lines.order_line_id,
        sale_lines.order_id as original_order_id
    from refund_lines
    inner join sale_lines
        on refund_lines.member_id = sale_lines.member_id
        and refund_lines.product_id = sale_lines.product_id
        and refund_lines.ordered_at >= sale_lines.ordered_at
        and -refund_lines.quantity <= sale_lines.quantity
    qualify row_number() over (
        partition by refund_lines.order_line_id
        order by sale_lines.ordered_at desc nulls last, sale_lines.order_id asc nulls last
    ) = 1

),

final as (

    select
        refund_lines.order_line_id as refund_id,
        refund_lines.order_id as refund_order_id,
        candidates.original_order_id,
        refund_lines.member_id,
        refund_lines.product_id,
        coalesce(refund_lines.product_kind, products.product_kind) as product_kind,
        refund_lines.source_system,
        refund_lines.batch_id,
        refund_lines.store_code,
        refund_lines.currency_code,
        abs(refund_lines.quantity) as quantity,
        -refund_lines.line_amount as refund_amount,
        refund_lines.member_id is null as is_anonymous,
        candidates.original_order_id is not null as is_original_matched,
        refund_lines.business_date,
        refund_lines.ordered_at as refunded_at,
        refund_lines.loaded_at
    from refund_lines
    left join candidates on refund_lines.order_line_id = candidates.order_line_id
    left join products on refund_lines.product_id = products.product_id

)

select * from final
