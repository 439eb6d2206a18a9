-- Returns rows when an order line is dated after the instant at which it was landed: a wrong zone or a wrong date format.

with order_lines as (

    select * from {{ ref('stg_order_lines') }}

),

final as (

    select
        order_line_id,
        ordered_at,
        loaded_at
    from order_lines
    where ordered_at > loaded_at

)

select * from final
