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

lifecycle_states as (

    select * from {{ ref('fct_lifecycle_states') }}
    where is_current

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
        purchase_days.*,
        lifecycle_states.lifecycle_state,
        lag(purchase_days.age_days) over (
            partition by purchase_days.member_id order by purchase_days.age_days desc nulls last
        ) - purchase_days.age_days as gap_days
    from purchase_days
    left join lifecycle_states on purchase_days.member_id = lifecycle_states.member_id

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
