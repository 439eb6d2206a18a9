-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook=["{{ reassign_members() }}", "{{ delete_touched_purchases() }}"]
) }}

with payments as (

    select * from {{ ref('stg_payments') }}
    where
        not is_deleted
        {% if is_incremental() %}
        and order_id not in (select kept.order_id from {{ this }} as kept)
        {% endif %}

),

orders as (

    select * from {{ ref('fct_orders') }}
    {% if is_incremental() %}
    where order_id not in (select kept.order_id from {{ this }} as kept)
    {% endif %}

),

order_heads as (

    select * from {{ ref('int_order_heads_resolved') }}

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

-- A brand or a shop without a payment file: what the order says was paid, when it says so.
implied as (

    select
        'implied:' || orders.order_id as payment_id,
        orders.order_id,
        orders.source_system,
        cast(null as {{ dbt.type_string() }}) as batch_id,
        'full' as payment_kind,
        cast(null as {{ dbt.type_string() }}) as payment_method,
        orders.currency_code,
        orders.payable_amount as payment_amount,
        true as is_implied,
        orders.paid_date as business_date,
        orders.paid_at,
        orders.loaded_at
    from orders
    left join order_heads on orders.order_id = order_heads.order_id
    where orders.is_paid and orders.payable_amount <> 0 and coalesce(order_heads.payment_count, 0) = 0

),

unioned as (

    select
        payment_id, order_id, source_system, batch_id, payment_kind, payment_method, currency_code,
        {{ money('payment_amount') }} as payment_amount, false as is_implied, business_date, paid_at, loaded_at
    from payments
    union all
    select
        payment_id, order_id, source_system, batch_id, payment_kind, payment_method, currency_code,
        payment_amount, is_implied, business_date, paid_at, loaded_at
    from implied

),

exchange_rates as (

    {{ rates_of('unioned', 'business_date') }}

),

rated as (

    select
        unioned.*,
        {{ applied_rate('unioned.currency_code', 'exchange_rates.exchange_rate') }} as applied_rate
    from unioned
    left join exchange_rates
        on unioned.currency_code = exchange_rates.currency_code
        and unioned.business_date = exchange_rates.rated_date

),

final as (

    select
        rated.payment_id,
        rated.order_id,
        resolved_accounts.member_id,
        coalesce(orders.account_id, order_heads.account_id) as account_id,
        rated.source_system,
        rated.batch_id,
        rated.payment_kind,
        rated.payment_method,
        coalesce(order_heads.payment_status, 'paid') as payment_status,
        rated.currency_code,
        rated.payment_amount,
        rated.applied_rate as exchange_rate,
        {{ money('rated.payment_amount * rated.applied_rate') }} as reporting_payment_amount,
        rated.is_implied,
        orders.order_id is not null or coalesce(order_heads.has_head, false) as is_order_known,
        rated.applied_rate is not null as has_exchange_rate,
        rated.business_date,
        rated.paid_at,
        greatest(rated.loaded_at, coalesce(order_heads.loaded_at, rated.loaded_at)) as loaded_at
    from rated
    left join orders on rated.order_id = orders.order_id
    left join order_heads on rated.order_id = order_heads.order_id
    left join resolved_accounts on coalesce(orders.account_id, order_heads.account_id) = resolved_accounts.account_id

)

select * from final
