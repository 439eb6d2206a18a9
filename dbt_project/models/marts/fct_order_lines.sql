-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook="{{ delete_touched_purchases() }}") }}

with order_lines as (

    select * from {{ ref('int_order_lines_attributed') }}
    where
        line_kind <> 'refund'
        {% if is_incremental() %}
        and order_id in ({{ touched_purchases(this) }})
        {% endif %}

),

products as (

    select * from {{ ref('int_products_resolved') }}

),

resolved as (

    select
        order_lines.*,
        coalesce(order_lines.product_kind, products.product_kind, 'goods') as resolved_product_kind
    from order_lines
    left join products on order_lines.product_id = products.product_id

),

final as (

    select
        order_line_id,
        order_id,
        member_id,
        product_id,
        source_system,
        batch_id,
        store_code,
        currency_code,
        line_kind,
        resolved_product_kind as product_kind,
        order_line_number,
        cast(quantity as decimal(18, 4)) as quantity,
        -- Fuel is sold by volume: one line is one unit, whatever its quantity says. A service has no units, a gift is not bought.
        cast(
            case when resolved_product_kind = 'fuel' then 1 when resolved_product_kind in ('service', 'gift') then 0 else quantity end
            as decimal(18, 4)
        ) as unit_count,
        cast(unit_price as decimal(18, 4)) as unit_price,
        cast(coalesce(list_amount, line_amount) as decimal(18, 4)) as list_amount,
        cast(line_amount as decimal(18, 4)) as line_amount,
        cast(coalesce(store_discount_amount, 0) as decimal(18, 4)) as store_discount_amount,
        cast(coalesce(coupon_discount_amount, 0) as decimal(18, 4)) as coupon_discount_amount,
        member_id is null as is_anonymous,
        is_void,
        business_date,
        ordered_at,
        loaded_at
    from resolved

)

select * from final
