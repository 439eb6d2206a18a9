with resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

refunds as (

    select
        given_back.*,
        resolved_accounts.member_id
    from {{ ref('int_refunds_matched') }} as given_back
    left join resolved_accounts on given_back.account_id = resolved_accounts.account_id

),

refund_lines as (

    select * from {{ ref('fct_refund_lines') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where line_kind = 'sale'

),

order_heads as (

    select * from {{ ref('int_order_heads_resolved') }}

),

divided as (

    select
        refund_id,
        min(order_line_id) as order_line_id,
        count(distinct order_line_id) as order_line_count,
        sum(case when part = 'goods' then refund_amount else 0 end) as goods_amount,
        sum(case when part = 'service' then refund_amount else 0 end) as service_amount,
        sum(case when part = 'freight' then refund_amount else 0 end) as freight_amount,
        sum(case when part = 'goods' then reporting_refund_amount end) as reporting_goods_amount,
        min(exchange_rate) as exchange_rate,
        bool_or(is_counted) as is_counted,
        min(paid_date) as paid_date
    from refund_lines
    group by refund_id

),

-- What was paid for an order that is refunded: by its payments, else by its head, else by its lines.
paid_orders as (

    select
        order_lines.order_id,
        coalesce(
            case when max(order_heads.payment_count) > 0 then max(order_heads.paid_amount) end,
            max(order_heads.payable_amount),
            sum(order_lines.gross_amount + order_lines.service_amount + order_lines.freight_amount)
        ) as paid_amount
    from order_lines
    left join order_heads on order_lines.order_id = order_heads.order_id
    where order_lines.order_id in (select refund_lines.order_id from refund_lines)
    group by order_lines.order_id

),

accumulated as (

    select
        refunds.refund_id,
        {{ money('refunds.refund_amount') }} as refund_amount,
        paid_orders.paid_amount,
        sum({{ money('refunds.refund_amount') }}) over (
            partition by refunds.original_order_id
            order by refunds.refunded_at asc nulls last, refunds.refund_id asc nulls last
            rows between unbounded preceding and current row
        ) as refunded_amount
    from refunds
    inner join paid_orders on refunds.original_order_id = paid_orders.order_id
    where refunds.is_original_matched

),

-- Refunds that name their line are held against the line too.
named_lines as (

    select
        refunds.refund_id,
        {{ money('refunds.refund_amount') }} as refund_amount,
        order_lines.gross_amount + order_lines.service_amount as paid_amount,
        sum({{ money('refunds.refund_amount') }}) over (
            partition by order_lines.order_line_id
            order by refunds.refunded_at asc nulls last, refunds.refund_id asc nulls last
            rows between unbounded preceding and current row
        ) as refunded_amount
    from refunds
    inner join order_lines on refunds.original_order_line_id = order_lines.order_line_id

),

excesses as (

    select refund_id, least(refunded_amount - paid_amount, refund_amount) as excess_amount from accumulated
    union all
    select refund_id, least(refunded_amount - paid_amount, refund_amount) as excess_amount from named_lines

),

exceeding as (

    select refund_id, max(excess_amount) as excess_amount
    from excesses
    where excess_amount > 0
    group by refund_id

),

final as (

    select
        refunds.refund_id,
        refunds.refund_order_id,
        refunds.original_order_id,
        case when divided.order_line_count = 1 then divided.order_line_id end as original_order_line_id,
        refunds.member_id,
        refunds.account_id,
        refunds.product_id,
        refunds.source_system,
        refunds.batch_id,
        refunds.store_code,
        refunds.currency_code,
        refunds.product_kind,
        refunds.source_entity,
        refunds.refund_kind,
        cast(refunds.quantity as decimal(18, 4)) as quantity,
        cast(refunds.refund_amount as decimal(18, 4)) as refund_amount,
        {{ money('divided.goods_amount') }} as goods_amount,
        {{ money('divided.service_amount') }} as service_amount,
        {{ money('divided.freight_amount') }} as freight_amount,
        {{ money('coalesce(exceeding.excess_amount, 0)') }} as over_refund_amount,
        cast(divided.exchange_rate as decimal(18, 8)) as exchange_rate,
        case
            when divided.exchange_rate is not null then {{ money('coalesce(divided.reporting_goods_amount, 0)') }}
        end as reporting_goods_amount,
        refunds.is_anonymous,
        refunds.is_original_matched,
        divided.is_counted,
        exceeding.refund_id is not null as is_over_refund,
        divided.exchange_rate is not null as has_exchange_rate,
        refunds.business_date,
        divided.paid_date,
        refunds.refunded_at,
        refunds.loaded_at
    from refunds
    inner join divided on refunds.refund_id = divided.refund_id
    left join exceeding on refunds.refund_id = exceeding.refund_id

)

select * from final
