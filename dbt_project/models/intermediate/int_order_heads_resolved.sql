{{ config(materialized='table') }}

with orders as (

    select * from {{ ref('stg_orders') }}

),

-- What an order's head says of all its lines. An order that was cancelled, never paid, deleted, or is an exchange or a sample is
-- void: it was placed, and is no purchase. A gift to somebody else is paid for, and is one.
final as (

    select
        order_id,
        account_id,
        member_key,
        source_system,
        order_status,
        order_kind,
        channel,
        store_code,
        coalesce(is_deleted, false)
        or order_status in ('created', 'cancelled', 'closed')
        or coalesce(order_kind in ('exchange', 'sample'), false) as is_void,
        paid_at,
        loaded_at
    from orders

)

select * from final
