-- Returns rows when a date's sales differ from its orders and refunds: the daily table is incremental and must not drift.
{{ config(meta={'dagster': {'ref': {'name': 'agg_daily_sales'}}}) }}

with daily_sales as (

    select * from {{ ref('agg_daily_sales') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where is_valid

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where is_counted

),

facts as (

    select
        paid_date as business_date, currency_code, 1 as order_count, gmv_gross_amount, {{ money('0') }} as refund_amount,
        gmv_gross_amount as gmv_net_amount
    from orders
    union all
    select business_date, currency_code, 0 as order_count, {{ money('0') }}, goods_amount, {{ money('0') }}
    from refunds
    union all
    select paid_date, currency_code, 0 as order_count, {{ money('0') }}, {{ money('0') }}, -goods_amount
    from refunds

),

recounted as (

    select
        business_date,
        currency_code,
        sum(order_count) as order_count,
        sum(gmv_gross_amount) as gmv_gross_amount,
        sum(refund_amount) as refund_amount,
        sum(gmv_net_amount) as gmv_net_amount
    from facts
    group by business_date, currency_code

),

final as (

    select
        coalesce(daily_sales.business_date, recounted.business_date) as business_date,
        coalesce(daily_sales.currency_code, recounted.currency_code) as currency_code,
        daily_sales.order_count as daily_order_count,
        recounted.order_count,
        daily_sales.gmv_gross_amount as daily_gross_amount,
        recounted.gmv_gross_amount,
        daily_sales.refund_amount as daily_refund_amount,
        recounted.refund_amount,
        daily_sales.gmv_net_amount as daily_net_amount,
        recounted.gmv_net_amount
    from daily_sales
    full outer join recounted
        on daily_sales.business_date = recounted.business_date
        and daily_sales.currency_code = recounted.currency_code
    where
        daily_sales.business_date is null
        or recounted.business_date is null
        or daily_sales.order_count <> recounted.order_count
        or daily_sales.gmv_gross_amount <> recounted.gmv_gross_amount
        or daily_sales.refund_amount <> recounted.refund_amount
        or daily_sales.gmv_net_amount <> recounted.gmv_net_amount

)

select * from final
