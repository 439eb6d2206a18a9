-- Returns rows when the slices of a date do not add up to its daily sales, in any figure.
{{ config(meta={'dagster': {'ref': {'name': 'agg_daily_sales_slices'}}}) }}

with daily_sales as (

    select * from {{ ref('agg_daily_sales') }}

),

slices as (

    select
        business_date,
        currency_code,
        sum(gmv_gross_amount) as gmv_gross_amount,
        sum(refund_amount) as refund_amount,
        sum(gmv_net_amount) as gmv_net_amount,
        sum(cash_net_amount) as cash_net_amount,
        sum(reporting_gmv_net_amount) as reporting_gmv_net_amount
    from {{ ref('agg_daily_sales_slices') }}
    group by business_date, currency_code

),

final as (

    select
        coalesce(daily_sales.business_date, slices.business_date) as business_date,
        coalesce(daily_sales.currency_code, slices.currency_code) as currency_code,
        daily_sales.gmv_net_amount,
        slices.gmv_net_amount as slices_gmv_net_amount,
        daily_sales.cash_net_amount,
        slices.cash_net_amount as slices_cash_net_amount
    from daily_sales
    full outer join slices
        on daily_sales.business_date = slices.business_date and daily_sales.currency_code = slices.currency_code
    where
        daily_sales.business_date is null
        or slices.business_date is null
        or daily_sales.gmv_gross_amount <> slices.gmv_gross_amount
        or daily_sales.refund_amount <> slices.refund_amount
        or daily_sales.gmv_net_amount <> slices.gmv_net_amount
        or daily_sales.cash_net_amount <> slices.cash_net_amount
        or daily_sales.reporting_gmv_net_amount <> slices.reporting_gmv_net_amount

)

select * from final
