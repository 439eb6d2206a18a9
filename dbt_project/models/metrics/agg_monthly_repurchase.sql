with orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

purchase_days as (

    select distinct
        orders.member_id,
        orders.business_date,
        cast({{ dbt.date_trunc('month', 'orders.business_date') }} as date) as month_start_date
    from orders
    inner join clocks on orders.business_date < clocks.as_of_date

),

buyers as (

    select
        member_id,
        month_start_date,
        count(*) as purchase_day_count
    from purchase_days
    group by member_id, month_start_date

),

-- A buyer returns when the next month has a purchase of theirs too.
followed as (

    select
        buyers.*,
        lead(month_start_date) over (partition by member_id order by month_start_date nulls last) as next_month_start_date
    from buyers

),

aggregated as (

    select
        month_start_date,
        count(*) as buyer_count,
        count(case when purchase_day_count >= 2 then 1 end) as repeat_buyer_count,
        count(case when next_month_start_date = {{ dbt.dateadd('month', 1, 'month_start_date') }} then 1 end) as returning_buyer_count
    from followed
    group by month_start_date

),

final as (

    select
        cast(aggregated.buyer_count as bigint) as buyer_count,
        cast(aggregated.repeat_buyer_count as bigint) as repeat_buyer_count,
        cast(aggregated.returning_buyer_count as bigint) as returning_buyer_count,
        {{ ratio('aggregated.repeat_buyer_count', 'aggregated.buyer_count') }} as repurchase_rate,
        {{ ratio('aggregated.returning_buyer_count', 'aggregated.buyer_count') }} as returning_buyer_rate,
        {{ dbt.dateadd('month', 1, 'aggregated.month_start_date') }} <= clocks.as_of_date as is_mature,
        {{ dbt.dateadd('month', 2, 'aggregated.month_start_date') }} <= clocks.as_of_date as is_returning_mature,
        aggregated.month_start_date
    from aggregated
    cross join clocks

)

select * from final
