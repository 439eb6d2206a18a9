-- depends_on: {{ ref('stg_order_lines_landed') }}
{{ config(materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook="{{ delete_touched_orders() }}") }}

with order_lines as (

    select * from {{ ref('fct_order_lines') }}
    {% if is_incremental() %}
    where order_id in ({{ touched_orders(this) }})
    {% endif %}

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
        count(distinct case when product_kind <> 'service' then product_id end) as product_count,
        sum(unit_count) as unit_count,
        sum(case when product_kind <> 'service' then list_amount else 0 end) as list_amount,
        sum(case when product_kind <> 'service' then line_amount else 0 end) as gross_amount,
        sum(case when product_kind = 'service' then line_amount else 0 end) as service_amount,
        sum(store_discount_amount) as store_discount_amount,
        sum(coupon_discount_amount) as coupon_discount_amount,
        sum(case when coupon_discount_amount > 0 then 1 else 0 end) as coupon_line_count,
        min(business_date) as business_date,
        min(ordered_at) as ordered_at,
        max(loaded_at) as loaded_at
    from order_lines
    where line_kind = 'sale'
    group by order_id

),

final as (

    select
        order_id,
        member_id,
        source_system,
        store_code,
        currency_code,
        cast(line_count as integer) as line_count,
        cast(product_count as integer) as product_count,
        cast(unit_count as decimal(18, 4)) as unit_count,
        {{ money('list_amount') }} as list_amount,
        {{ money('gross_amount') }} as gross_amount,
        {{ money('service_amount') }} as service_amount,
        {{ money('store_discount_amount') }} as store_discount_amount,
        {{ money('coupon_discount_amount') }} as coupon_discount_amount,
        member_id is null as is_anonymous,
        -- A purchase: somebody paid for goods. Free samples, vouchers worth 0 and postage alone are not.
        gross_amount > 0 as is_valid,
        coupon_line_count > 0 as has_coupon,
        store_discount_amount > 0 as has_store_discount,
        business_date,
        ordered_at,
        loaded_at
    from aggregated

)

select * from final
