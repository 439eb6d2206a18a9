{#- A table: a slice is named after what its products are today, so a new product file may rename slices of any day. -#}
with orders as (

    select * from {{ ref('fct_orders') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where
        line_kind = 'sale'
        and product_kind <> 'service'

),

refund_lines as (

    select * from {{ ref('fct_refund_lines') }}
    where
        is_counted
        and part = 'goods'

),

products as (

    select * from {{ ref('dim_products') }}

),

unioned as (

    select
        orders.paid_date as business_date, orders.source_system, orders.channel, orders.store_code, order_lines.product_id,
        order_lines.currency_code, order_lines.unit_count, order_lines.gross_amount as gmv_gross_amount,
        {{ money('0') }} as refund_amount, {{ money('0') }} as restated_refund_amount,
        order_lines.reporting_gross_amount, {{ money('0') }} as reporting_refund_amount, {{ money('0') }} as reporting_restated_amount,
        order_lines.has_exchange_rate, order_lines.loaded_at
    from order_lines
    inner join orders on order_lines.order_id = orders.order_id
    where orders.is_valid
    union all
    {% for is_restated in [false, true] %}
    select
        {% if is_restated %}refund_lines.paid_date as business_date,{% else %}refund_lines.business_date,{% endif %}
        coalesce(orders.source_system, refund_lines.source_system) as source_system, orders.channel,
        coalesce(orders.store_code, refund_lines.store_code) as store_code, refund_lines.product_id, refund_lines.currency_code,
        0 as unit_count, {{ money('0') }} as gmv_gross_amount,
        {{ money('0') if is_restated else 'refund_lines.refund_amount' }} as refund_amount,
        {{ 'refund_lines.refund_amount' if is_restated else money('0') }} as restated_refund_amount,
        {{ money('0') }} as reporting_gross_amount,
        {{ money('0') if is_restated else 'refund_lines.reporting_refund_amount' }} as reporting_refund_amount,
        {{ 'refund_lines.reporting_refund_amount' if is_restated else money('0') }} as reporting_restated_amount,
        refund_lines.has_exchange_rate, refund_lines.loaded_at
    from refund_lines
    left join orders on refund_lines.order_id = orders.order_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

aggregated as (

    select
        unioned.business_date,
        unioned.source_system,
        unioned.channel,
        unioned.store_code,
        products.category_l1_code,
        products.category_l1_name,
        unioned.currency_code,
        sum(unioned.unit_count) as unit_count,
        sum(unioned.gmv_gross_amount) as gmv_gross_amount,
        sum(unioned.refund_amount) as refund_amount,
        sum(unioned.restated_refund_amount) as restated_refund_amount,
        bool_and(unioned.has_exchange_rate) as has_exchange_rates,
        sum(unioned.reporting_gross_amount) as reporting_gmv_gross_amount,
        sum(unioned.reporting_refund_amount) as reporting_refund_amount,
        sum(unioned.reporting_restated_amount) as reporting_restated_amount,
        max(unioned.loaded_at) as loaded_at
    from unioned
    left join products on unioned.product_id = products.product_id
    group by
        unioned.business_date, unioned.source_system, unioned.channel, unioned.store_code, products.category_l1_code,
        products.category_l1_name, unioned.currency_code

),

final as (

    select
        source_system,
        channel,
        store_code,
        category_l1_code,
        category_l1_name,
        currency_code,
        cast(unit_count as decimal(18, 4)) as unit_count,
        {{ money('gmv_gross_amount') }} as gmv_gross_amount,
        {{ money('refund_amount') }} as refund_amount,
        {{ money('restated_refund_amount') }} as restated_refund_amount,
        {{ money('gmv_gross_amount') }} - {{ money('restated_refund_amount') }} as gmv_net_amount,
        {{ money('gmv_gross_amount') }} - {{ money('refund_amount') }} as cash_net_amount,
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
