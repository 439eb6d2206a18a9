-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook="{{ delete_touched_dates() }}",
    meta={'dagster': {'partitioned_by': 'business_date'}}
) }}

with orders as (

    select * from {{ ref('fct_orders') }}
    where
        is_valid
        {% if is_incremental() %}
        and business_date in ({{ touched_business_dates(this) }})
        {% endif %}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where
        product_kind <> 'service'
        and is_counted
        {% if is_incremental() %}
        and business_date in ({{ touched_business_dates(this) }})
        {% endif %}

),

unioned as (

    select
        order_id, member_id, currency_code, gross_amount, unit_count,
        cast(0 as decimal(18, 4)) as refund_amount, business_date, loaded_at
    from orders
    union all
    select
        cast(null as {{ dbt.type_string() }}) as order_id, cast(null as {{ dbt.type_string() }}) as member_id, currency_code,
        cast(0 as decimal(18, 2)) as gross_amount, cast(0 as decimal(18, 4)) as unit_count, refund_amount, business_date, loaded_at
    from refunds

),

aggregated as (

    select
        business_date,
        currency_code,
        count(order_id) as order_count,
        count(case when order_id is not null and member_id is null then 1 end) as anonymous_order_count,
        count(distinct member_id) as buyer_count,
        sum(unit_count) as unit_count,
        sum(gross_amount) as gross_amount,
        sum(refund_amount) as refund_amount,
        max(loaded_at) as loaded_at
    from unioned
    group by business_date, currency_code

),

final as (

    select
        currency_code,
        cast(order_count as bigint) as order_count,
        cast(anonymous_order_count as bigint) as anonymous_order_count,
        cast(buyer_count as bigint) as buyer_count,
        cast(unit_count as decimal(18, 4)) as unit_count,
        {{ money('gross_amount') }} as gross_amount,
        {{ money('refund_amount') }} as refund_amount,
        {{ money('gross_amount') }} - {{ money('refund_amount') }} as cash_net_amount,
        cast({{ ratio('gross_amount', 'order_count') }} as decimal(18, 2)) as average_order_amount,
        business_date,
        loaded_at
    from aggregated

)

select * from final
