-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook="{{ delete_touched_purchases() }}") }}

with order_lines as (

    select * from {{ ref('fct_order_lines') }}
    {% if is_incremental() %}
    where order_id in ({{ touched_purchases(this) }})
    {% endif %}

),

order_heads as (

    select * from {{ ref('int_order_heads_resolved') }}

),

-- An order is dated by its first line: a few invoices span two timestamps.
aggregated as (

    select
        order_id,
        min(member_id) as member_id,
        min(source_system) as source_system,
        min(store_code) as store_code,
        min(currency_code) as currency_code,
        count(*) as line_count,
        count(distinct case when product_kind not in ('service', 'gift') then product_id end) as product_count,
        sum(case when product_kind = 'gift' then 1 else 0 end) as gift_line_count,
        sum(unit_count) as unit_count,
        sum(case when product_kind <> 'service' then list_amount else 0 end) as list_amount,
        sum(case when product_kind <> 'service' then line_amount else 0 end) as gross_amount,
        sum(case when product_kind = 'service' then line_amount else 0 end) as service_amount,
        sum(store_discount_amount) as store_discount_amount,
        sum(coupon_discount_amount) as coupon_discount_amount,
        sum(case when coupon_discount_amount > 0 then 1 else 0 end) as coupon_line_count,
        bool_or(is_void) as is_void,
        min(business_date) as business_date,
        min(ordered_at) as ordered_at,
        max(loaded_at) as loaded_at
    from order_lines
    where line_kind = 'sale'
    group by order_id

),

final as (

    select
        aggregated.order_id,
        aggregated.member_id,
        aggregated.source_system,
        aggregated.store_code,
        order_heads.channel,
        order_heads.order_status,
        order_heads.order_kind,
        aggregated.currency_code,
        cast(aggregated.line_count as integer) as line_count,
        cast(aggregated.product_count as integer) as product_count,
        cast(aggregated.gift_line_count as integer) as gift_line_count,
        cast(aggregated.unit_count as decimal(18, 4)) as unit_count,
        {{ money('aggregated.list_amount') }} as list_amount,
        {{ money('aggregated.gross_amount') }} as gross_amount,
        {{ money('aggregated.service_amount') }} as service_amount,
        {{ money('aggregated.store_discount_amount') }} as store_discount_amount,
        {{ money('aggregated.coupon_discount_amount') }} as coupon_discount_amount,
        aggregated.member_id is null as is_anonymous,
        aggregated.is_void,
        -- A purchase: somebody paid for goods. Free samples, vouchers worth 0 and postage alone are not; nor is what was cancelled
        -- or never paid.
        aggregated.gross_amount > 0 and not aggregated.is_void as is_valid,
        aggregated.coupon_line_count > 0 as has_coupon,
        aggregated.store_discount_amount > 0 as has_store_discount,
        aggregated.business_date,
        aggregated.ordered_at,
        order_heads.paid_at,
        aggregated.loaded_at
    from aggregated
    left join order_heads on aggregated.order_id = order_heads.order_id

)

select * from final
