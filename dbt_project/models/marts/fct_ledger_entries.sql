-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook="{{ delete_restated_entries() }}") }}

with orders as (

    select * from {{ ref('fct_orders') }}
    {% if is_incremental() %}
    where order_id not in (select kept.order_id from {{ this }} as kept)
    {% endif %}

),

payments as (

    select * from {{ ref('fct_payments') }}
    {% if is_incremental() %}
    where order_id not in (select kept.order_id from {{ this }} as kept)
    {% endif %}

),

refunds as (

    select
        refund_id,
        {{ ledger_order_id() }} as order_id,
        source_system,
        currency_code,
        goods_amount,
        service_amount,
        freight_amount,
        is_counted,
        business_date,
        refunded_at,
        loaded_at
    from {{ ref('fct_refunds') }}
    {% if is_incremental() %}
    where {{ ledger_order_id() }} not in (select kept.order_id from {{ this }} as kept)
    {% endif %}

),

order_heads as (

    select * from {{ ref('int_order_heads_resolved') }}

),

-- Points either stand among the discounts that the lines explain, or pay for what the lines come to.
sold as (

    select
        *,
        case
            when
                abs(list_amount - gross_amount - brand_discount_amount - platform_discount_amount - points_discount_amount)
                < abs(list_amount - gross_amount - brand_discount_amount - platform_discount_amount)
                then points_discount_amount
            else 0
        end as points_as_discount_amount
    from orders
    where is_paid

),

returned_deposits as (

    select order_id, sum(goods_amount + service_amount + freight_amount) as returned_amount
    from refunds
    group by order_id

),

forfeited as (

    select
        order_heads.order_id,
        order_heads.source_system,
        order_heads.currency_code,
        order_heads.deposit_amount - coalesce(returned_deposits.returned_amount, 0) as forfeited_amount,
        order_heads.forfeited_at,
        order_heads.loaded_at
    from order_heads
    left join returned_deposits on order_heads.order_id = returned_deposits.order_id
    where
        order_heads.payment_status = 'deposit_forfeited'
        {% if is_incremental() %}
        and order_heads.order_id not in (select kept.order_id from {{ this }} as kept)
        {% endif %}

),

-- A debit is positive, a credit negative.
booked as (

    {% for ledger_account, amount in [
        ('receivable', 'payable_amount - deposit_amount'),
        ('deposits', 'deposit_amount'),
        ('brand_discounts', 'brand_discount_amount'),
        ('platform_discounts', 'platform_discount_amount'),
        ('points_discounts', 'points_as_discount_amount'),
        ('points_liability', 'points_discount_amount - points_as_discount_amount'),
        ('other_discounts',
            'list_amount - gross_amount - brand_discount_amount - platform_discount_amount - points_as_discount_amount'),
        ('payable_differences',
            'gross_amount + service_amount + freight_amount - points_discount_amount + points_as_discount_amount - payable_amount'),
        ('sales', '-list_amount'),
        ('services', '-service_amount'),
        ('freight', '-freight_amount')
    ] %}
    select
        'sale:' || order_id as transaction_id, order_id, cast(null as {{ dbt.type_string() }}) as payment_id,
        cast(null as {{ dbt.type_string() }}) as refund_id, source_system, 'sale' as transaction_kind,
        '{{ ledger_account }}' as ledger_account, currency_code, {{ money(amount) }} as amount, is_valid as is_counted,
        paid_date as business_date, paid_at as posted_at, loaded_at
    from sold
    union all
    {% endfor %}
    {% for side in ['debit', 'credit'] %}
    select
        'payment:' || payments.payment_id as transaction_id, payments.order_id, payments.payment_id,
        cast(null as {{ dbt.type_string() }}) as refund_id, payments.source_system, 'payment' as transaction_kind,
        {% if side == 'debit' -%}
        'cash' as ledger_account,
        {%- else -%}
        case
            when payments.payment_kind = 'platform' then 'platform_discounts'
            when orders.order_id is null and payments.payment_status = 'paid' then 'unallocated_receipts'
            when payments.payment_kind = 'deposit' then 'deposits'
            else 'receivable'
        end as ledger_account,
        {%- endif %}
        payments.currency_code, {{ '' if side == 'debit' else '-' }}payments.payment_amount as amount,
        coalesce(orders.is_valid, false) as is_counted, payments.business_date, payments.paid_at as posted_at, payments.loaded_at
    from payments
    left join orders on payments.order_id = orders.order_id
    union all
    {% endfor %}
    {% for ledger_account, sign in [('deposits', ''), ('forfeited_deposits', '-')] %}
    select
        'forfeiture:' || order_id as transaction_id, order_id, cast(null as {{ dbt.type_string() }}) as payment_id,
        cast(null as {{ dbt.type_string() }}) as refund_id, source_system, 'forfeiture' as transaction_kind,
        '{{ ledger_account }}' as ledger_account, currency_code, {{ money(sign ~ 'forfeited_amount') }} as amount, false as is_counted,
        {{ business_date('forfeited_at') }} as business_date, forfeited_at as posted_at, loaded_at
    from forfeited
    where forfeited_amount > 0
    union all
    {% endfor %}
    {% for part, amount in [
        ('refunds', 'refunds.goods_amount'), ('service_refunds', 'refunds.service_amount'), ('freight_refunds', 'refunds.freight_amount'),
        ('cash', '-(refunds.goods_amount + refunds.service_amount + refunds.freight_amount)')
    ] %}
    select
        'refund:' || refunds.refund_id as transaction_id, refunds.order_id, cast(null as {{ dbt.type_string() }}) as payment_id,
        refunds.refund_id, refunds.source_system, 'refund' as transaction_kind,
        {% if part == 'cash' -%}
        'cash' as ledger_account,
        {%- else -%}
        case
            when coalesce(order_heads.payment_status in ('deposit_paid', 'deposit_forfeited'), false) then 'deposits'
            else '{{ part }}'
        end as ledger_account,
        {%- endif %}
        refunds.currency_code, {{ money(amount) }} as amount,
        refunds.is_counted, refunds.business_date, refunds.refunded_at as posted_at, refunds.loaded_at
    from refunds
    {% if part != 'cash' %}left join order_heads on refunds.order_id = order_heads.order_id{% endif %}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- One entry per account and transaction: the parts of a refunded deposit go to one account.
summed as (

    select
        transaction_id,
        order_id,
        payment_id,
        refund_id,
        source_system,
        transaction_kind,
        ledger_account,
        currency_code,
        sum(amount) as amount,
        is_counted,
        business_date,
        posted_at,
        loaded_at
    from booked
    group by
        transaction_id, order_id, payment_id, refund_id, source_system, transaction_kind, ledger_account, currency_code, is_counted,
        business_date, posted_at, loaded_at

),

final as (

    select
        transaction_id || '/' || ledger_account as ledger_entry_id,
        transaction_id,
        order_id,
        payment_id,
        refund_id,
        source_system,
        transaction_kind,
        ledger_account,
        currency_code,
        {{ money('greatest(amount, 0)') }} as debit_amount,
        {{ money('greatest(-amount, 0)') }} as credit_amount,
        is_counted,
        business_date,
        posted_at,
        loaded_at
    from summed
    where amount <> 0

)

select * from final
