{% set family = tag_family_rhythm() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

calendar_days as (

    select * from {{ ref('ref_calendar_days') }}

),

facts as (

    select
        orders.member_id,
        orders.order_id,
        orders.gross_amount,
        {{ daypart('orders.ordered_at') }} as daypart,
        {{ local_hour('orders.ordered_at') }} as order_hour,
        {{ weekday_number('orders.business_date') }} as weekday_number,
        calendar_days.festival_code,
        coalesce(calendar_days.is_holiday, false) as is_holiday,
        extract(day from orders.business_date) as day_of_month,
        orders.business_date,
        {{ days_between('orders.business_date', 'clocks.as_of_date') }} as age_days
    from orders
    inner join clocks on orders.business_date < clocks.as_of_date
    left join calendar_days on orders.business_date = calendar_days.calendar_date

),

aggregated as (

    select
        {{- tag_expressions(tags) }}
        member_id
    from facts
    group by member_id

),

final as (

    select
        members.member_id,
        {{- tag_columns(tags, 'aggregated') }}
        clocks.as_of_date
    from members
    cross join clocks
    left join aggregated on members.member_id = aggregated.member_id

)

select * from final
