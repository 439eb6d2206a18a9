{% set family = tag_family_category() %}
{{ config(post_hook="{{ document_tags([tag_family_category()]) }}") }}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where member_id is not null and line_kind = 'sale' and product_kind not in ('service', 'gift') and not is_void

),

products as (

    select
        product_id,
        brand_name,
        -- A brand without a category tree still has its product numbers: their first two characters group like with like.
        coalesce(category_l2_name, category_l1_name, category_l2_code, category_l1_code, substr(product_code, 1, 2)) as category_name
    from {{ ref('dim_products') }}

),

bought as (

    select
        order_lines.member_id,
        products.category_name,
        products.brand_name,
        sum(order_lines.line_amount) as spend_amount,
        min({{ days_between('order_lines.business_date', 'clocks.as_of_date') }}) as age_days,
        max({{ days_between('order_lines.business_date', 'clocks.as_of_date') }}) as first_age_days
    from order_lines
    inner join clocks
        on order_lines.business_date < clocks.as_of_date
        and order_lines.business_date >= {{ add_days('clocks.as_of_date', -365) }}
    left join products on order_lines.product_id = products.product_id
    group by order_lines.member_id, products.category_name, products.brand_name

),

totals as (

    select
        *,
        sum(spend_amount) over (partition by member_id, category_name) as category_spend_amount,
        max(first_age_days) over (partition by member_id, category_name) as category_first_age_days,
        sum(spend_amount) over (partition by member_id, brand_name) as brand_spend_amount
    from bought

),

facts as (

    select
        *,
        dense_rank() over (
            partition by member_id order by category_spend_amount desc nulls last, category_name asc nulls last
        ) as category_rank,
        dense_rank() over (
            partition by member_id
            order by
                case when brand_name is null then 1 else 0 end asc nulls last,
                brand_spend_amount desc nulls last, brand_name asc nulls last
        ) as brand_rank
    from totals

),


aggregated as (

    select
        member_id,
        {{- tag_expressions(family) }}
    from facts
    group by member_id

),

final as (

    select
        members.member_id,
        {{- tag_columns(family, 'aggregated') }}
        clocks.as_of_date
    from members
    cross join clocks
    left join aggregated on members.member_id = aggregated.member_id

)

select * from final
