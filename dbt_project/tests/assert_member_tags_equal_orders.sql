-- Returns rows when the tags' totals differ from the valid orders of members before the cut, in number or in money.
{{ config(meta={'dagster': {'ref': {'name': 'member_tags'}}}) }}

with member_tags as (

    select * from {{ ref('member_tags') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

orders as (

    select fct_orders.*
    from {{ ref('fct_orders') }} as fct_orders
    inner join clocks on fct_orders.business_date < clocks.as_of_date
    where fct_orders.member_id is not null and fct_orders.is_valid

),

tagged as (

    select
        coalesce(sum(order_count_total), 0) as order_count,
        coalesce(sum(spend_amount_total), 0) as spend_amount
    from member_tags

),

ordered as (

    select
        count(*) as order_count,
        coalesce(sum(gross_amount), 0) as spend_amount
    from orders

),

final as (

    select
        tagged.order_count as tagged_order_count,
        ordered.order_count,
        tagged.spend_amount as tagged_spend_amount,
        ordered.spend_amount
    from tagged
    cross join ordered
    where tagged.order_count <> ordered.order_count or tagged.spend_amount <> ordered.spend_amount

)

select * from final
