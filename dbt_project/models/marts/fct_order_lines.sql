-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook=["{{ reassign_members() }}", "{{ delete_touched_purchases() }}"]
) }}

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

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

order_heads as (

    select * from {{ ref('int_order_heads_resolved') }}

),

-- Of an order without a head and without payments its line is all that is known: it was paid when it was ordered.
resolved as (

    select
        order_lines.*,
        coalesce(order_lines.product_kind, products.product_kind, 'goods') as resolved_product_kind,
        coalesce(order_lines.product_kind, products.product_kind, 'goods') = 'service' as is_service,
        order_heads.brand_discount_amount as head_brand_discount_amount,
        order_heads.platform_discount_amount as head_platform_discount_amount,
        coalesce(order_heads.points_discount_amount, 0) as head_points_amount,
        coalesce(order_heads.freight_amount, 0) as head_freight_amount,
        order_heads.payable_amount as head_payable_amount,
        case when order_heads.order_id is null then true else order_heads.is_paid end as is_paid,
        case when order_heads.order_id is null then order_lines.business_date else order_heads.paid_date end as paid_date
    from order_lines
    left join products on order_lines.product_id = products.product_id
    left join order_heads on order_lines.order_id = order_heads.order_id

),

-- A price may have three decimals, an order has two. The cents of an order's goods, and of its services, are those of their sum.
summed as (

    select
        *,
        cast(floor(line_amount * 100) as bigint) as floor_cents,
        line_amount * 100 - floor(line_amount * 100) as remaining_cents,
        {{ cents(money('sum(line_amount) over (partition by order_id, line_kind, is_service)')) }} as kind_cents,
        sum(line_amount) over (partition by order_id, line_kind) as order_line_amount,
        max(case when store_discount_amount is not null then 1 else 0 end) over (partition by order_id, line_kind) as has_store_discounts,
        max(case when coupon_discount_amount is not null then 1 else 0 end) over (partition by order_id, line_kind) as has_coupon_discounts
    from resolved

),

ranked as (

    select
        *,
        kind_cents - sum(floor_cents) over (partition by order_id, line_kind, is_service) as cents_left,
        row_number() over (
            partition by order_id, line_kind, is_service
            order by remaining_cents desc nulls last, order_line_number asc nulls last
        ) as remainder_rank
    from summed

),

-- What points paid for may be among the discounts of the lines already: then the lines add up to what the buyer paid.
cented as (

    select
        *,
        floor_cents + case when remainder_rank <= cents_left then 1 else 0 end as line_cents,
        head_points_amount > 0
        and has_store_discounts = 1
        and coalesce(order_line_amount = head_payable_amount - head_freight_amount, false) as has_points_in_discounts
    from ranked

),

-- What an order's head says of all its lines together, one row per line and amount: discounts by list price, points by the
-- discount that they are part of, postage by what is paid.
apportioned as (

    select
        order_line_id, order_id, order_line_number, 'brand' as part,
        {{ cents('head_brand_discount_amount') }} as total_cents, {{ cents('coalesce(list_amount, line_amount)') }} as weight
    from cented
    where line_kind = 'sale' and has_store_discounts = 0 and head_brand_discount_amount <> 0
    union all
    select
        order_line_id, order_id, order_line_number, 'platform' as part,
        {{ cents('head_platform_discount_amount') }} as total_cents, {{ cents('coalesce(list_amount, line_amount)') }} as weight
    from cented
    where line_kind = 'sale' and has_coupon_discounts = 0 and head_platform_discount_amount <> 0
    union all
    select
        order_line_id, order_id, order_line_number, 'points' as part,
        {{ cents('head_points_amount') }} as total_cents,
        case
            when has_points_in_discounts then {{ cents('coalesce(store_discount_amount, 0)') }}
            else {{ cents('coalesce(list_amount, line_amount)') }}
        end as weight
    from cented
    where line_kind = 'sale' and head_points_amount <> 0
    union all
    select
        order_line_id, order_id, order_line_number, 'freight' as part,
        {{ cents('head_freight_amount') }} as total_cents, line_cents as weight
    from cented
    where line_kind = 'sale' and head_freight_amount <> 0

),

-- Where nothing has a weight, all have the same.
weighed as (

    select
        order_line_id,
        order_id,
        order_line_number,
        part,
        total_cents,
        case when sum(greatest(weight, 0)) over (partition by order_id, part) > 0 then greatest(weight, 0) else 1 end as weight,
        case
            when sum(greatest(weight, 0)) over (partition by order_id, part) > 0 then sum(greatest(weight, 0)) over (partition by order_id, part)
            else count(*) over (partition by order_id, part)
        end as weight_total
    from apportioned

),

floored as (

    select
        *,
        {{ share_floor('abs(total_cents)', 'weight', 'weight_total') }} as floor_cents,
        {{ share_remainder('abs(total_cents)', 'weight', 'weight_total') }} as remainder_units
    from weighed

),

shared as (

    select
        *,
        abs(total_cents) - sum(floor_cents) over (partition by order_id, part) as cents_left,
        row_number() over (
            partition by order_id, part
            order by remainder_units desc nulls last, order_line_number asc nulls last
        ) as remainder_rank
    from floored

),

shares as (

    select
        order_line_id,
        sum(case when part = 'brand' then {{ signed_share() }} else 0 end) as brand_cents,
        sum(case when part = 'platform' then {{ signed_share() }} else 0 end) as platform_cents,
        sum(case when part = 'points' then {{ signed_share() }} else 0 end) as points_cents,
        sum(case when part = 'freight' then {{ signed_share() }} else 0 end) as freight_cents
    from shared
    group by order_line_id

),

exchange_rates as (

    {{ rates_of('resolved', 'coalesce(paid_date, business_date)') }}

),

rated as (

    select
        cented.*,
        coalesce(shares.brand_cents, 0) as head_brand_cents,
        coalesce(shares.platform_cents, 0) as head_platform_cents,
        coalesce(shares.points_cents, 0) as points_cents,
        coalesce(shares.freight_cents, 0) as freight_cents,
        {{ applied_rate('cented.currency_code', 'exchange_rates.exchange_rate') }} as applied_rate,
        exchange_rates.rate_date,
        resolved_accounts.member_id
    from cented
    left join resolved_accounts on cented.account_id = resolved_accounts.account_id
    left join shares on cented.order_line_id = shares.order_line_id
    left join exchange_rates
        on cented.currency_code = exchange_rates.currency_code
        and coalesce(cented.paid_date, cented.business_date) = exchange_rates.rated_date

),

final as (

    select
        order_line_id,
        order_id,
        member_id,
        account_id,
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
        case when line_kind = 'sale' and not is_service then {{ money_of_cents('line_cents') }} else {{ money('0') }} end as gross_amount,
        case when line_kind = 'sale' and is_service then {{ money_of_cents('line_cents') }} else {{ money('0') }} end as service_amount,
        {{ money('case when has_store_discounts = 1 then coalesce(store_discount_amount, 0) else 0 end') }}
        + {{ money_of_cents('head_brand_cents') }}
        - case when has_points_in_discounts then {{ money_of_cents('points_cents') }} else {{ money('0') }} end as brand_discount_amount,
        {{ money('coalesce(coupon_discount_amount, 0)') }} + {{ money_of_cents('head_platform_cents') }} as platform_discount_amount,
        {{ money_of_cents('points_cents') }} as points_discount_amount,
        {{ money_of_cents('freight_cents') }} as freight_amount,
        applied_rate as exchange_rate,
        case
            when line_kind = 'sale' and not is_service then {{ money(money_of_cents('line_cents') ~ ' * applied_rate') }}
            when applied_rate is not null then {{ money('0') }}
        end as reporting_gross_amount,
        member_id is null as is_anonymous,
        is_paid,
        is_void,
        applied_rate is not null as has_exchange_rate,
        business_date,
        paid_date,
        rate_date as exchange_rate_date,
        ordered_at,
        loaded_at
    from rated

)

select * from final
