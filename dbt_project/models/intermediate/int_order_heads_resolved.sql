{{ config(materialized='table') }}

with orders as (

    select * from {{ ref('stg_orders') }}

),

payments as (

    select * from {{ ref('stg_payments') }}
    where not is_deleted

),

-- What the buyer paid. What a platform pays the brand settles its own share of the discounts, not the order.
paid as (

    select
        order_id,
        min(source_system) as source_system,
        min(currency_code) as currency_code,
        count(case when payment_kind <> 'platform' then 1 end) as payment_count,
        count(case when payment_kind in ('full', 'balance') then 1 end) as final_payment_count,
        sum(case when payment_kind <> 'platform' then payment_amount else 0 end) as paid_amount,
        sum(case when payment_kind = 'deposit' then payment_amount else 0 end) as deposit_amount,
        max(case when payment_kind in ('full', 'balance') then paid_at end) as final_paid_at,
        max(case when payment_kind = 'deposit' then paid_at end) as deposit_paid_at,
        max(loaded_at) as loaded_at
    from payments
    group by order_id

),

-- An order is paid when its balance is, or all of it. Where no such payment has landed, the head is believed.
named as (

    select
        coalesce(orders.order_id, paid.order_id) as order_id,
        orders.account_id,
        orders.member_key,
        coalesce(orders.source_system, paid.source_system) as source_system,
        orders.order_status,
        orders.order_kind,
        orders.channel,
        orders.store_code,
        coalesce(orders.currency_code, paid.currency_code) as currency_code,
        orders.platform_discount_amount,
        orders.brand_discount_amount,
        orders.points_discount_amount,
        orders.freight_amount,
        orders.payable_amount,
        coalesce(paid.paid_amount, 0) as paid_amount,
        coalesce(paid.deposit_amount, 0) as deposit_amount,
        coalesce(paid.payment_count, 0) as payment_count,
        orders.order_id is not null as has_head,
        coalesce(orders.is_deleted, false) as is_deleted,
        coalesce(paid.final_payment_count, 0) > 0
        or orders.paid_at is not null
        or coalesce(orders.order_status in ('paid', 'shipped', 'completed'), false) as is_paid,
        coalesce(paid.final_paid_at, orders.paid_at, orders.ordered_at) as settled_at,
        paid.deposit_paid_at,
        orders.changed_at,
        greatest(coalesce(orders.loaded_at, paid.loaded_at), coalesce(paid.loaded_at, orders.loaded_at)) as loaded_at
    from orders
    full outer join paid on orders.order_id = paid.order_id

),

-- What head and payments say of all its lines. An order that was never paid or is deleted, an exchange and a sample are void: it
-- was placed, and is no purchase. What was cancelled after it was paid was one, and its refund takes it back. A gift to somebody
-- else is paid for, and is one.
final as (

    select
        order_id,
        account_id,
        member_key,
        source_system,
        order_status,
        order_kind,
        case
            when is_paid then 'paid'
            when deposit_amount > 0 and coalesce(order_status in ('cancelled', 'closed'), false) then 'deposit_forfeited'
            when deposit_amount > 0 then 'deposit_paid'
            else 'unpaid'
        end as payment_status,
        channel,
        store_code,
        currency_code,
        platform_discount_amount,
        brand_discount_amount,
        points_discount_amount,
        freight_amount,
        payable_amount,
        paid_amount,
        deposit_amount,
        payment_count,
        has_head,
        is_paid,
        is_deleted or not is_paid or coalesce(order_kind in ('exchange', 'sample'), false) as is_void,
        case when is_paid then {{ business_date('settled_at') }} end as paid_date,
        case when is_paid then settled_at end as paid_at,
        -- A deposit is lost when its order was closed; where nobody says when that was, with the deposit's own day.
        case
            when not is_paid and deposit_amount > 0 and coalesce(order_status in ('cancelled', 'closed'), false)
                then greatest(coalesce(changed_at, deposit_paid_at), deposit_paid_at)
        end as forfeited_at,
        loaded_at
    from named

)

select * from final
