with redemptions as (

    select * from {{ ref('stg_coupon_redemptions') }}
    where not is_deleted

),

coupon_products as (

    select * from {{ ref('stg_coupon_products') }}
    where not is_deleted

),

order_lines as (

    select * from {{ ref('int_order_lines_attributed') }}

),

-- Only the redeemers' shopping on the redemption day matters; everything else is left out before the joins.
same_day_lines as (

    select
        redemptions.redemption_id,
        order_lines.order_id,
        order_lines.product_id,
        order_lines.coupon_discount_amount,
        order_lines.ordered_at,
        redemptions.coupon_code,
        redemptions.campaign_id
    from redemptions
    inner join order_lines
        on redemptions.account_id = order_lines.account_id
        and redemptions.business_date = order_lines.business_date
    where order_lines.line_kind = 'sale'

),

valid_products as (

    select distinct coupon_code, campaign_id, product_id from coupon_products

),

baskets as (

    select
        same_day_lines.redemption_id,
        same_day_lines.order_id,
        max(case when valid_products.product_id is not null then 1 else 0 end) as has_valid_product,
        sum(coalesce(same_day_lines.coupon_discount_amount, 0)) as coupon_discount_amount,
        min(same_day_lines.ordered_at) as ordered_at
    from same_day_lines
    left join valid_products
        on same_day_lines.coupon_code = valid_products.coupon_code
        and same_day_lines.campaign_id = valid_products.campaign_id
        and same_day_lines.product_id = valid_products.product_id
    group by same_day_lines.redemption_id, same_day_lines.order_id

),

named as (

    select
        *,
        -- An id is `<source_system>:<order_key>`.
        substr(order_id, length(source_system) + 2) as order_key
    from redemptions
    where order_id is not null

),

sold as (

    select
        *,
        substr(order_id, length(source_system) + 2) as order_key
    from order_lines
    where line_kind = 'sale'

),

-- A redemption that names its order needs no search for it. A coupon system without orders of its own names those of another one,
-- unless two systems know the number.
named_orders as (

    select
        named.redemption_id,
        min(sold.order_id) as order_id,
        max(case when valid_products.product_id is not null then 1 else 0 end) as has_valid_product,
        min(sold.ordered_at) as ordered_at
    from named
    inner join sold
        on named.order_key = sold.order_key
        and (
            named.source_system = sold.source_system
            or named.source_system not in (select order_lines.source_system from order_lines)
        )
    left join valid_products
        on named.coupon_code = valid_products.coupon_code
        and named.campaign_id = valid_products.campaign_id
        and sold.product_id = valid_products.product_id
    group by named.redemption_id
    having count(distinct sold.order_id) = 1

),

-- Several baskets on one day: the one with a product the coupon is valid for, then the largest coupon discount, then
-- the earliest.
ranked as (

    select
        *,
        count(*) over (partition by redemption_id) as same_day_order_count,
        row_number() over (
            partition by redemption_id
            order by
                has_valid_product desc nulls last, coupon_discount_amount desc nulls last,
                ordered_at asc nulls last, order_id asc nulls last
        ) as best_first
    from baskets

),

final as (

    select
        redemptions.redemption_id,
        redemptions.account_id,
        redemptions.campaign_id,
        coalesce(named_orders.order_id, ranked.order_id) as order_id,
        redemptions.coupon_code,
        redemptions.source_system,
        redemptions.batch_id,
        coalesce(ranked.same_day_order_count, 0) as same_day_order_count,
        coalesce(named_orders.order_id, ranked.order_id) is not null as is_order_matched,
        coalesce(named_orders.has_valid_product, ranked.has_valid_product, 0) = 1 as is_product_matched,
        -- The source writes a day; the order knows the hour, and with it the business date where that does not begin at midnight.
        coalesce({{ business_date('named_orders.ordered_at') }}, redemptions.business_date) as business_date,
        coalesce(named_orders.ordered_at, ranked.ordered_at, {{ business_day_start('redemptions.business_date') }}) as redeemed_at,
        redemptions.loaded_at
    from redemptions
    left join ranked on redemptions.redemption_id = ranked.redemption_id and ranked.best_first = 1
    left join named_orders on redemptions.redemption_id = named_orders.redemption_id

)

select * from final
