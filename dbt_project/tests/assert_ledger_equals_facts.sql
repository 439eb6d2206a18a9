-- Returns rows when the ledger does not book what orders, payments and refunds say, order by order: sales less discounts is the gross,
-- refunds are refunds, cash is payments less refunds.
{{ config(meta={'dagster': {'ref': {'name': 'fct_ledger_entries'}}}) }}

with entries as (

    select
        order_id,
        currency_code,
        transaction_kind,
        ledger_account,
        debit_amount - credit_amount as amount,
        is_counted
    from {{ ref('fct_ledger_entries') }}

),

booked as (

    select
        order_id,
        currency_code,
        -sum(
            case
                when
                    transaction_kind = 'sale' and is_counted
                    and ledger_account in ('sales', 'brand_discounts', 'platform_discounts', 'points_discounts', 'other_discounts')
                    then amount
                else 0
            end
        ) as gmv_gross_amount,
        sum(case when ledger_account = 'refunds' and is_counted then amount else 0 end) as refund_amount,
        sum(case when ledger_account = 'cash' then amount else 0 end) as cash_amount
    from entries
    group by order_id, currency_code

),

-- One row per figure; an order that has it on one side only shows as well.
stated as (

    select
        order_id, currency_code, gmv_gross_amount, {{ money('0') }} as refund_amount, {{ money('0') }} as cash_amount
    from {{ ref('fct_orders') }}
    union all
    select order_id, currency_code, {{ money('0') }}, {{ money('0') }}, payment_amount
    from {{ ref('fct_payments') }}
    union all
    select
        {{ ledger_order_id() }}, currency_code, {{ money('0') }}, case when is_counted then goods_amount else 0 end,
        -(goods_amount + service_amount + freight_amount)
    from {{ ref('fct_refunds') }}

),

summed as (

    select
        order_id,
        currency_code,
        sum(gmv_gross_amount) as gmv_gross_amount,
        sum(refund_amount) as refund_amount,
        sum(cash_amount) as cash_amount
    from stated
    group by order_id, currency_code

),

final as (

    select
        coalesce(booked.order_id, summed.order_id) as order_id,
        booked.gmv_gross_amount as booked_gross_amount,
        summed.gmv_gross_amount,
        booked.refund_amount as booked_refund_amount,
        summed.refund_amount,
        booked.cash_amount as booked_cash_amount,
        summed.cash_amount
    from booked
    full outer join summed on booked.order_id = summed.order_id and booked.currency_code = summed.currency_code
    where
        coalesce(booked.gmv_gross_amount, 0) <> coalesce(summed.gmv_gross_amount, 0)
        or coalesce(booked.refund_amount, 0) <> coalesce(summed.refund_amount, 0)
        or coalesce(booked.cash_amount, 0) <> coalesce(summed.cash_amount, 0)

)

select * from final
