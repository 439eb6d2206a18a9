{#- Every landed order head, payment and refund, those of superseded batches too: which orders and dates a run must build again. -#}
with orders as (

    select * from {{ source('raw', 'orders') }}

),

refunds as (

    select * from {{ source('raw', 'refunds') }}

),

payments as (

    select * from {{ source('raw', 'payments') }}

),

batches as (

    select * from {{ ref('stg_load_batches') }}
    where entity in ('orders', 'payments', 'refunds')

),

-- A file is touched when its newest batch, or rows of it that had been set aside, come in; so are all the orders it ever named.
files as (

    select entity, source_system, origin_file, max(loaded_at) as touched_at
    from batches
    group by entity, source_system, origin_file

),

unioned as (

    select batch_id, source_system, order_key, ordered_at as dated_at from orders
    union all
    -- An order counts on the day on which it is paid.
    select batch_id, source_system, order_key, paid_at as dated_at from orders
    where paid_at is not null
    union all
    select batch_id, source_system, order_key, paid_at as dated_at from payments
    union all
    select batch_id, source_system, order_key, coalesce(refunded_at, requested_at, loaded_at) as dated_at from refunds

),

final as (

    select
        {{ entity_id('unioned.source_system', 'unioned.order_key') }} as order_id,
        unioned.batch_id,
        batches.entity,
        {{ business_date('unioned.dated_at') }} as business_date,
        files.touched_at
    from unioned
    inner join batches on unioned.batch_id = batches.batch_id
    inner join files
        on batches.entity = files.entity
        and batches.source_system = files.source_system
        and batches.origin_file = files.origin_file

)

select * from final
