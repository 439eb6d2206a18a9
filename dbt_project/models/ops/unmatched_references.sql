{#- What other systems say of orders and products, and how much of it leads to one that the brand knows. -#}
with points as (

    select * from {{ ref('fct_points') }}

),

tickets as (

    select * from {{ ref('fct_service_tickets') }}

),

reviews as (

    select * from {{ ref('fct_reviews') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}

),

unioned as (

    select 'points' as entity, 'order' as referenced_entity, source_system, is_order_matched as is_matched from points
    where has_order
    union all
    select 'service_tickets' as entity, 'order' as referenced_entity, source_system, is_order_matched as is_matched from tickets
    where has_order
    union all
    select 'reviews' as entity, 'order' as referenced_entity, source_system, is_order_matched as is_matched from reviews
    where has_order
    union all
    select 'reviews' as entity, 'product' as referenced_entity, source_system, is_product_matched as is_matched from reviews
    where has_product
    union all
    select 'payments' as entity, 'order' as referenced_entity, source_system, is_order_known as is_matched from payments
    where not is_implied
    union all
    select 'refunds' as entity, 'order' as referenced_entity, source_system, is_original_matched as is_matched from refunds

),

final as (

    select
        entity,
        referenced_entity,
        source_system,
        cast(count(*) as bigint) as row_count,
        cast(sum(case when is_matched then 0 else 1 end) as bigint) as unmatched_row_count
    from unioned
    group by entity, referenced_entity, source_system

)

select * from final
