with order_lines as (

    select * from {{ ref('stg_order_lines') }}
    where not is_deleted

),

order_heads as (

    select * from {{ ref('int_order_heads_resolved') }}

),

-- Who bought, where and whether it counts is said by the order's head where there is one and the line does not say it.
final as (

    select
        order_lines.order_line_id,
        order_lines.order_id,
        coalesce(order_lines.account_id, order_heads.account_id) as account_id,
        order_lines.product_id,
        case when order_lines.account_id is not null then order_lines.member_key else order_heads.member_key end as member_key,
        order_lines.product_code,
        order_lines.source_system,
        order_lines.batch_id,
        order_lines.product_name,
        order_lines.product_kind,
        order_lines.line_kind,
        coalesce(order_lines.store_code, order_heads.store_code) as store_code,
        order_lines.country_name,
        order_lines.currency_code,
        order_lines.order_line_number,
        order_lines.quantity,
        order_lines.unit_price,
        order_lines.list_amount,
        order_lines.line_amount,
        order_lines.store_discount_amount,
        order_lines.coupon_discount_amount,
        coalesce(order_heads.is_void, false) as is_void,
        order_lines.business_date,
        order_lines.ordered_at,
        greatest(order_lines.loaded_at, coalesce(order_heads.loaded_at, order_lines.loaded_at)) as loaded_at
    from order_lines
    left join order_heads on order_lines.order_id = order_heads.order_id

)

select * from final
