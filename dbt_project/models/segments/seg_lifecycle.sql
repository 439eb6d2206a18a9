with lifecycle_states as (

    select * from {{ ref('fct_lifecycle_states') }}
    where is_current

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

last_orders as (

    select
        orders.member_id,
        max(orders.business_date) as business_date
    from orders
    inner join clocks on orders.business_date < clocks.as_of_date
    group by orders.member_id

),

final as (

    select
        lifecycle_states.member_id,
        lifecycle_states.lifecycle_state,
        {{ segment_label('lifecycle', 'lifecycle_states.lifecycle_state', 'zh') }} as label_zh,
        {{ segment_label('lifecycle', 'lifecycle_states.lifecycle_state', 'en') }} as label_en,
        cast({{ days_between('last_orders.business_date', 'clocks.as_of_date') }} as integer) as days_since_last_order,
        cast({{ days_between('lifecycle_states.valid_from', 'clocks.as_of_date') }} as integer) as days_in_state,
        lifecycle_states.valid_from as in_state_since_date,
        clocks.as_of_date
    from lifecycle_states
    cross join clocks
    left join last_orders on lifecycle_states.member_id = last_orders.member_id

)

select * from final
