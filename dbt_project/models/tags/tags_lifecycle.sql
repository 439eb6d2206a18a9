{% set family = tag_family_lifecycle() %}
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

purchase_days as (

    select distinct
        orders.member_id,
        orders.business_date,
        {{ days_between('orders.business_date', 'clocks.as_of_date') }} as age_days
    from orders
    inner join clocks on orders.business_date < clocks.as_of_date

),

facts as (

    select
        *,
        lag(age_days) over (partition by member_id order by age_days desc nulls last) - age_days as gap_days
    from purchase_days

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
