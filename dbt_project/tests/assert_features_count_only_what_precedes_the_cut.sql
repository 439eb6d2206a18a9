-- Returns rows when, at any cut, members or 180-day orders in the features differ from a recount of the facts before it.
{{ config(meta={'dagster': {'ref': {'name': 'feat_members_purchases'}}}) }}

with as_of_dates as (

    select * from {{ ref('int_as_of_dates_spined') }}

),

features as (

    select * from {{ ref('feat_members_purchases') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

in_features as (

    select
        as_of_date,
        count(*) as member_count,
        sum(order_count_180d) as order_count
    from features
    group by as_of_date

),

in_facts as (

    select
        as_of_dates.as_of_date,
        count(distinct orders.member_id) as member_count,
        count(case when orders.business_date >= {{ add_days('as_of_dates.as_of_date', -180) }} then 1 end) as order_count
    from as_of_dates
    inner join orders on as_of_dates.as_of_date > orders.business_date
    group by as_of_dates.as_of_date

),

final as (

    select
        coalesce(in_features.as_of_date, in_facts.as_of_date) as as_of_date,
        in_features.member_count as feature_member_count,
        in_facts.member_count as fact_member_count,
        in_features.order_count as feature_order_count,
        in_facts.order_count as fact_order_count
    from in_features
    full outer join in_facts on in_features.as_of_date = in_facts.as_of_date
    where
        coalesce(in_features.member_count, 0) <> coalesce(in_facts.member_count, 0)
        or coalesce(in_features.order_count, 0) <> coalesce(in_facts.order_count, 0)

)

select * from final
