-- depends_on: {{ ref('int_accounts_resolved') }}
-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook=["{{ reassign_members() }}", "{{ delete_restated_orders() }}"]) }}

with order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where
        line_kind = 'sale'
        {% if is_incremental() %}
        and order_id not in (select kept.order_id from {{ this }} as kept)
        {% endif %}

),

order_heads as (

    select * from {{ ref('int_order_heads_resolved') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where is_original_matched

),

members as (

    select * from {{ ref('dim_members') }}
    where account_flag in ('test', 'internal')

),

-- An order is dated by its first line: a few invoices span two timestamps.
aggregated as (

    select
        order_id,
        min(member_id) as member_id,
        min(account_id) as account_id,
        min(source_system) as source_system,
        min(store_code) as store_code,
        min(currency_code) as currency_code,
        count(*) as line_count,
        count(distinct case when product_kind not in ('service', 'gift') then product_id end) as product_count,
        sum(case when product_kind = 'gift' then 1 else 0 end) as gift_line_count,
        sum(unit_count) as unit_count,
        sum(case when product_kind <> 'service' then list_amount else 0 end) as list_amount,
        sum(gross_amount) as gross_amount,
        sum(service_amount) as service_amount,
        sum(store_discount_amount) as store_discount_amount,
        sum(coupon_discount_amount) as coupon_discount_amount,
        sum(brand_discount_amount) as brand_discount_amount,
        sum(platform_discount_amount) as platform_discount_amount,
        sum(points_discount_amount) as points_discount_amount,
        sum(freight_amount) as freight_amount,
        sum(case when coupon_discount_amount > 0 then 1 else 0 end) as coupon_line_count,
        min(exchange_rate) as exchange_rate,
        sum(reporting_gross_amount) as reporting_gross_amount,
        bool_or(is_void) as is_void,
        bool_and(is_paid) as is_paid,
        min(business_date) as business_date,
        min(paid_date) as paid_date,
        min(ordered_at) as ordered_at,
        max(loaded_at) as loaded_at
    from order_lines
    group by order_id

),

refunded as (

    select
        original_order_id as order_id,
        count(*) as refund_count,
        sum(case when is_counted then goods_amount else 0 end) as refund_amount,
        sum(goods_amount + service_amount + freight_amount) as returned_amount,
        sum(case when is_counted then reporting_goods_amount else 0 end) as reporting_refund_amount,
        bool_or(is_over_refund) as is_over_refunded
    from refunds
    group by original_order_id

),

-- A purchase: somebody paid for goods. Free samples, vouchers worth 0 and postage alone are not; nor is what was never paid, nor
-- what testers and the brand's own people ordered.
judged as (

    select
        aggregated.*,
        members.member_id is not null as is_internal,
        aggregated.gross_amount > 0 and not aggregated.is_void and members.member_id is null as is_valid
    from aggregated
    left join members on aggregated.member_id = members.member_id

),

final as (

    select
        judged.order_id,
        judged.member_id,
        judged.account_id,
        judged.source_system,
        judged.store_code,
        order_heads.channel,
        order_heads.order_status,
        order_heads.order_kind,
        coalesce(order_heads.payment_status, 'paid') as payment_status,
        judged.currency_code,
        cast(judged.line_count as integer) as line_count,
        cast(judged.product_count as integer) as product_count,
        cast(judged.gift_line_count as integer) as gift_line_count,
        cast(coalesce(refunded.refund_count, 0) as integer) as refund_count,
        cast(judged.unit_count as decimal(18, 4)) as unit_count,
        {{ money('judged.list_amount') }} as list_amount,
        {{ money('judged.gross_amount') }} as gross_amount,
        {{ money('judged.service_amount') }} as service_amount,
        {{ money('judged.store_discount_amount') }} as store_discount_amount,
        {{ money('judged.coupon_discount_amount') }} as coupon_discount_amount,
        {{ money('judged.brand_discount_amount') }} as brand_discount_amount,
        {{ money('judged.platform_discount_amount') }} as platform_discount_amount,
        {{ money('judged.points_discount_amount') }} as points_discount_amount,
        {{ money('judged.freight_amount') }} as freight_amount,
        {{ money('coalesce(order_heads.payable_amount, judged.gross_amount + judged.service_amount + judged.freight_amount)') }}
            as payable_amount,
        {{ money('coalesce(order_heads.deposit_amount, 0)') }} as deposit_amount,
        {{ money("case
            when coalesce(order_heads.payment_count, 0) > 0 then order_heads.paid_amount
            when judged.is_paid
                then coalesce(order_heads.payable_amount, judged.gross_amount + judged.service_amount + judged.freight_amount)
            else 0
        end") }} as paid_amount,
        {{ money('coalesce(refunded.refund_amount, 0)') }} as refund_amount,
        {{ money('coalesce(refunded.returned_amount, 0)') }} as returned_amount,
        {{ money('case when judged.is_valid then judged.gross_amount else 0 end') }} as gmv_gross_amount,
        {{ money('case when judged.is_valid then judged.gross_amount else 0 end - coalesce(refunded.refund_amount, 0)') }} as gmv_net_amount,
        cast(judged.exchange_rate as decimal(18, 8)) as exchange_rate,
        case
            when judged.exchange_rate is not null
                then {{ money('case when judged.is_valid then judged.reporting_gross_amount else 0 end') }}
        end as reporting_gmv_gross_amount,
        case
            when judged.exchange_rate is not null then {{ money('coalesce(refunded.reporting_refund_amount, 0)') }}
        end as reporting_refund_amount,
        judged.member_id is null as is_anonymous,
        judged.is_internal,
        judged.is_paid,
        judged.is_void,
        judged.is_valid,
        coalesce(refunded.is_over_refunded, false) as is_over_refunded,
        judged.coupon_line_count > 0 as has_coupon,
        judged.store_discount_amount > 0 as has_store_discount,
        judged.exchange_rate is not null as has_exchange_rate,
        judged.business_date,
        judged.paid_date,
        judged.ordered_at,
        case when judged.is_paid then coalesce(order_heads.paid_at, judged.ordered_at) end as paid_at,
        judged.loaded_at
    from judged
    left join order_heads on judged.order_id = order_heads.order_id
    left join refunded on judged.order_id = refunded.order_id

)

select * from final
