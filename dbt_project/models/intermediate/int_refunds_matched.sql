with order_lines as (

    select * from {{ ref('int_order_lines_attributed') }}

),

refunds as (

    select * from {{ ref('stg_refunds') }}
    where refund_status = 'refunded' and not is_deleted

),

products as (

    select * from {{ ref('int_products_resolved') }}

),

order_heads as (

    select * from {{ ref('int_order_heads_resolved') }}

),

refund_lines as (

    select * from order_lines
    where line_kind = 'refund'

),

refunded_products as (

    select distinct account_id, product_id from refund_lines

),

sale_lines as (

    select
        sales.account_id,
        sales.product_id,
        sales.order_id,
        sales.quantity,
        sales.ordered_at
    from order_lines as sales
    inner join refunded_products
        on sales.account_id = refunded_products.account_id and sales.product_id = refunded_products.product_id
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
        on refund_lines.account_id = sale_lines.account_id
        and refund_lines.product_id = sale_lines.product_id
        and refund_lines.ordered_at >= sale_lines.ordered_at
        and -refund_lines.quantity <= sale_lines.quantity
    qualify row_number() over (
        partition by refund_lines.order_line_id
        order by sale_lines.ordered_at desc nulls last, sale_lines.order_id asc nulls last
    ) = 1

),

-- A refund that names its order needs no guess; its lines say who bought and what, where the refund itself does not.
refunded_orders as (

    select
        order_lines.order_id,
        min(order_lines.account_id) as account_id,
        min(order_lines.store_code) as store_code
    from order_lines
    where order_lines.line_kind = 'sale' and order_lines.order_id in (select refunds.order_id from refunds)
    group by order_lines.order_id

),

refunded_lines as (

    select order_lines.order_line_id, order_lines.product_id, order_lines.product_kind
    from order_lines
    where order_lines.line_kind = 'sale' and order_lines.order_line_id in (select refunds.order_line_id from refunds)

),

unioned as (

    select
        refund_lines.order_line_id as refund_id,
        refund_lines.order_id as refund_order_id,
        candidates.original_order_id,
        cast(null as {{ dbt.type_string() }}) as original_order_line_id,
        refund_lines.account_id,
        refund_lines.product_id,
        refund_lines.product_kind,
        refund_lines.source_system,
        refund_lines.batch_id,
        refund_lines.store_code,
        refund_lines.currency_code,
        'order_lines' as source_entity,
        cast(null as {{ dbt.type_string() }}) as refund_kind,
        abs(refund_lines.quantity) as quantity,
        -refund_lines.line_amount as refund_amount,
        candidates.original_order_id is not null as is_original_matched,
        refund_lines.is_void,
        refund_lines.business_date,
        refund_lines.ordered_at as refunded_at,
        refund_lines.loaded_at
    from refund_lines
    left join candidates on refund_lines.order_line_id = candidates.order_line_id
    union all
    select
        refunds.refund_id,
        refunds.order_id as refund_order_id,
        refunds.order_id as original_order_id,
        refunds.order_line_id as original_order_line_id,
        coalesce(refunds.account_id, order_heads.account_id, refunded_orders.account_id) as account_id,
        coalesce(refunds.product_id, refunded_lines.product_id) as product_id,
        refunded_lines.product_kind,
        refunds.source_system,
        refunds.batch_id,
        coalesce(order_heads.store_code, refunded_orders.store_code) as store_code,
        refunds.currency_code,
        'refunds' as source_entity,
        refunds.refund_kind,
        refunds.quantity,
        cast(refunds.refund_amount as decimal(18, 4)) as refund_amount,
        refunded_orders.order_id is not null as is_original_matched,
        false as is_void,
        -- Money that went back at no known time counts when it was asked for; then when it became known.
        coalesce(
            refunds.business_date, {{ business_date('refunds.requested_at') }}, {{ business_date('refunds.loaded_at') }}
        ) as business_date,
        coalesce(refunds.refunded_at, refunds.requested_at, refunds.loaded_at) as refunded_at,
        refunds.loaded_at
    from refunds
    left join order_heads on refunds.order_id = order_heads.order_id
    left join refunded_orders on refunds.order_id = refunded_orders.order_id
    left join refunded_lines on refunds.order_line_id = refunded_lines.order_line_id

),

final as (

    select
        unioned.refund_id,
        unioned.refund_order_id,
        unioned.original_order_id,
        unioned.original_order_line_id,
        unioned.account_id,
        unioned.product_id,
        coalesce(unioned.product_kind, products.product_kind, 'goods') as product_kind,
        unioned.source_system,
        unioned.batch_id,
        unioned.store_code,
        unioned.currency_code,
        unioned.source_entity,
        unioned.refund_kind,
        unioned.quantity,
        unioned.refund_amount,
        unioned.account_id is null as is_anonymous,
        unioned.is_original_matched,
        -- Money back for an order that never counted as a purchase must not be taken off those that do.
        not unioned.is_void and not coalesce(originals.is_void, false) as is_counted,
        unioned.business_date,
        unioned.refunded_at,
        greatest(unioned.loaded_at, coalesce(originals.loaded_at, unioned.loaded_at)) as loaded_at
    from unioned
    left join products on unioned.product_id = products.product_id
    left join order_heads as originals on unioned.original_order_id = originals.order_id

)

select * from final
