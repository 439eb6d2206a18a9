-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook="{{ delete_touched_and_restated_dates() }}",
    meta={'dagster': {'partitioned_by': 'business_date'}}
) }}

with orders as (

    select * from {{ ref('fct_orders') }}
    where
        is_valid
        {% if is_incremental() %}
        and paid_date not in (select kept.business_date from {{ this }} as kept)
        {% endif %}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where
        is_counted
        {% if is_incremental() %}
        and business_date not in (select kept.business_date from {{ this }} as kept)
        {% endif %}

),

restated_refunds as (

    select * from {{ ref('fct_refunds') }}
    where
        is_counted
        {% if is_incremental() %}
        and paid_date not in (select kept.business_date from {{ this }} as kept)
        {% endif %}

),

unioned as (

    select
        paid_date as business_date, currency_code, order_id, member_id, unit_count, gmv_gross_amount,
        {{ money('0') }} as refund_amount, {{ money('0') }} as restated_refund_amount,
        reporting_gmv_gross_amount, {{ money('0') }} as reporting_refund_amount, {{ money('0') }} as reporting_restated_amount,
        has_exchange_rate, loaded_at
    from orders
    union all
    select
        business_date, currency_code, cast(null as {{ dbt.type_string() }}) as order_id,
        cast(null as {{ dbt.type_string() }}) as member_id, 0 as unit_count, {{ money('0') }} as gmv_gross_amount,
        goods_amount as refund_amount, {{ money('0') }} as restated_refund_amount,
        {{ money('0') }} as reporting_gmv_gross_amount, reporting_goods_amount as reporting_refund_amount,
        {{ money('0') }} as reporting_restated_amount, has_exchange_rate, loaded_at
    from refunds
    union all
    select
        paid_date as business_date, currency_code, cast(null as {{ dbt.type_string() }}) as order_id,
        cast(null as {{ dbt.type_string() }}) as member_id, 0 as unit_count, {{ money('0') }} as gmv_gross_amount,
        {{ money('0') }} as refund_amount, goods_amount as restated_refund_amount,
        {{ money('0') }} as reporting_gmv_gross_amount, {{ money('0') }} as reporting_refund_amount,
        reporting_goods_amount as reporting_restated_amount, has_exchange_rate, loaded_at
    from restated_refunds

),

aggregated as (

    select
        business_date,
        currency_code,
        count(order_id) as order_count,
        count(case when order_id is not null and member_id is null then 1 end) as anonymous_order_count,
        count(distinct member_id) as buyer_count,
        count(case when order_id is not null and not has_exchange_rate then 1 end) as unrated_order_count,
        sum(unit_count) as unit_count,
        sum(gmv_gross_amount) as gmv_gross_amount,
        sum(refund_amount) as refund_amount,
        sum(restated_refund_amount) as restated_refund_amount,
        bool_and(has_exchange_rate) as has_exchange_rates,
        sum(reporting_gmv_gross_amount) as reporting_gmv_gross_amount,
        sum(reporting_refund_amount) as reporting_refund_amount,
        sum(reporting_restated_amount) as reporting_restated_amount,
        max(loaded_at) as loaded_at
    from unioned
    group by business_date, currency_code

),

-- A sum in the brand's currency without what has no rate would be too low: there is none then.
final as (

    select
        currency_code,
        cast(order_count as bigint) as order_count,
        cast(anonymous_order_count as bigint) as anonymous_order_count,
        cast(buyer_count as bigint) as buyer_count,
        cast(unrated_order_count as bigint) as unrated_order_count,
        cast(unit_count as decimal(18, 4)) as unit_count,
        {{ money('gmv_gross_amount') }} as gmv_gross_amount,
        {{ money('refund_amount') }} as refund_amount,
        {{ money('restated_refund_amount') }} as restated_refund_amount,
        {{ money('gmv_gross_amount') }} - {{ money('restated_refund_amount') }} as gmv_net_amount,
        {{ money('gmv_gross_amount') }} - {{ money('refund_amount') }} as cash_net_amount,
        {{ money_per('gmv_gross_amount', 'order_count') }} as average_order_amount,
        case when has_exchange_rates then {{ money('reporting_gmv_gross_amount') }} end as reporting_gmv_gross_amount,
        case
            when has_exchange_rates then {{ money('reporting_gmv_gross_amount') }} - {{ money('reporting_restated_amount') }}
        end as reporting_gmv_net_amount,
        case
            when has_exchange_rates then {{ money('reporting_gmv_gross_amount') }} - {{ money('reporting_refund_amount') }}
        end as reporting_cash_net_amount,
        business_date,
        loaded_at
    from aggregated

)

select * from final
