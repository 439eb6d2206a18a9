-- Returns rows when fewer than 95 % of the redemptions find an order of the same member on the same business date.
-- A wrong brand zone shows here first: it moves evening shopping to another date. A handful of redemptions proves nothing.
{{ config(meta={'dagster': {'ref': {'name': 'fct_coupon_redemptions'}}}) }}

with redemptions as (

    select * from {{ ref('fct_coupon_redemptions') }}

),

orders as (

    select distinct member_id, business_date from {{ ref('fct_orders') }}
    where member_id is not null

),

counted as (

    select
        count(*) as redemption_count,
        count(orders.member_id) as matched_count
    from redemptions
    left join orders
        on redemptions.member_id = orders.member_id
        and redemptions.business_date = orders.business_date

),

final as (

    select
        redemption_count,
        matched_count
    from counted
    where redemption_count >= 20 and matched_count < 0.95 * redemption_count

)

select * from final
