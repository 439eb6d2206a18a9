with reviews as (

    select * from {{ ref('stg_reviews') }}
    where not is_deleted

),

orders as (

    {{ matched_orders('reviews') }}

),

products as (

    {{ matched_products('reviews') }}

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

final as (

    select
        reviews.review_id,
        resolved_accounts.member_id,
        reviews.account_id,
        orders.matched_order_id as order_id,
        products.matched_product_id as product_id,
        reviews.source_system,
        reviews.batch_id,
        cast(reviews.rating as integer) as rating,
        cast(reviews.image_count as integer) as image_count,
        reviews.content is not null as has_content,
        reviews.is_append,
        reviews.order_id is not null as has_order,
        orders.matched_order_id is not null as is_order_matched,
        reviews.product_id is not null as has_product,
        products.matched_product_id is not null as is_product_matched,
        reviews.business_date,
        reviews.reviewed_at,
        reviews.loaded_at
    from reviews
    left join orders on reviews.order_id = orders.order_id
    left join products on reviews.product_id = products.product_id
    left join resolved_accounts on reviews.account_id = resolved_accounts.account_id

)

select * from final
