{% set family = tag_family_category() %}
{% set tags = compile_tags(family) %}

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

product_days as (

    select * from {{ ref('agg_member_product_days') }}

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
        order_lines.business_date,
        {{ days_between('order_lines.business_date', 'clocks.as_of_date') }} as age_days,
        sum(order_lines.line_amount) as spend_amount
    from order_lines
    inner join clocks
        on order_lines.business_date < clocks.as_of_date
        and order_lines.business_date >= {{ add_days('clocks.as_of_date', -365) }}
    left join products on order_lines.product_id = products.product_id
    group by order_lines.member_id, products.category_name, products.brand_name, order_lines.business_date, clocks.as_of_date

),

looked_at as (

    select
        product_days.member_id,
        products.category_name,
        product_days.business_date,
        {{ days_between('product_days.business_date', 'clocks.as_of_date') }} as age_days,
        sum(product_days.view_count) as view_count,
        sum(product_days.favourite_count) as favourite_count,
        sum(product_days.cart_count) as cart_count
    from product_days
    inner join clocks
        on product_days.business_date < clocks.as_of_date
        and product_days.business_date >= {{ add_days('clocks.as_of_date', -365) }}
    inner join products on product_days.product_id = products.product_id
    where products.category_name is not null
    group by product_days.member_id, products.category_name, product_days.business_date, clocks.as_of_date

),

-- Days in a row with a page of the category opened: within a run, the date moves on with its number.
numbered as (

    select
        member_id,
        category_name,
        age_days,
        age_days + row_number() over (partition by member_id, category_name order by age_days desc nulls last) as run_number
    from looked_at
    where view_count > 0 and age_days <= 30

),

runs as (

    select
        member_id,
        category_name,
        max(run_day_count) as longest_run_days
    from (
        select
            member_id,
            category_name,
            run_number,
            count(*) as run_day_count
        from numbered
        group by member_id, category_name, run_number
    ) as counted
    group by member_id, category_name

),

unioned as (

    select
        member_id,
        category_name,
        brand_name,
        business_date,
        age_days,
        spend_amount,
        0 as view_count,
        0 as favourite_count,
        0 as cart_count,
        true as is_purchase
    from bought
    union all
    select
        member_id,
        category_name,
        cast(null as {{ dbt.type_string() }}) as brand_name,
        business_date,
        age_days,
        cast(0 as decimal(18, 4)) as spend_amount,
        view_count,
        favourite_count,
        cart_count,
        false as is_purchase
    from looked_at

),

by_brand as (

    select
        member_id,
        brand_name,
        sum(spend_amount) as brand_spend_amount,
        sum(case when brand_name is not null then sum(spend_amount) end) over (partition by member_id) as branded_spend_amount,
        row_number() over (
            partition by member_id
            order by
                case when brand_name is null then 1 else 0 end asc nulls last,
                sum(spend_amount) desc nulls last, brand_name asc nulls last
        ) as brand_rank
    from unioned
    where is_purchase
    group by member_id, brand_name

),

-- Aggregate small first: one row per member and category, from which every tag of a category only has to be picked out.
summed as (

    select
        member_id,
        category_name,
        sum(spend_amount) as category_spend_amount,
        sum(case when age_days <= 90 then spend_amount else 0 end) as spend_amount_90d,
        count(distinct case when is_purchase then business_date end) as purchase_day_count,
        count(distinct case when is_purchase and age_days <= 90 then business_date end) as purchase_day_count_90d,
        max(case when is_purchase then business_date end) as last_purchase_date,
        min(case when is_purchase then age_days end) as purchase_age_days,
        max(case when is_purchase then age_days end) as first_purchase_age_days,
        cast(sum(case when age_days <= 30 then view_count else 0 end) as bigint) as view_count_30d,
        cast(sum(case when age_days <= 90 then view_count else 0 end) as bigint) as view_count_90d,
        cast(sum(case when age_days <= 90 then favourite_count else 0 end) as bigint) as favourite_count_90d,
        cast(sum(case when age_days <= 90 then cart_count else 0 end) as bigint) as cart_count_90d,
        max(case when view_count > 0 then business_date end) as last_view_date,
        -- A purchase weighs most, a view least; each weight halves in 30 days. docs/tags.md says why these weights.
        -- Summed as decimals: a sum of doubles would depend on the order of its rows.
        cast(sum(cast(
            (view_count + 3 * favourite_count + 4 * cart_count + case when is_purchase then 8 else 0 end)
            * power(cast(0.5 as double), (age_days - 1) / cast(30 as double))
            as decimal(18, 9)
        )) as double) as interest_score
    from unioned
    group by member_id, category_name

),

facts as (

    select
        summed.*,
        coalesce(runs.longest_run_days, 0) as longest_run_days,
        case
            when summed.purchase_day_count > 0 then row_number() over (
                partition by summed.member_id
                order by
                    case when summed.purchase_day_count > 0 then 0 else 1 end asc nulls last,
                    summed.category_spend_amount desc nulls last, summed.category_name asc nulls last
            )
        end as category_rank,
        row_number() over (
            partition by summed.member_id order by summed.interest_score desc nulls last, summed.category_name asc nulls last
        ) as interest_rank,
        by_brand.brand_name,
        by_brand.brand_spend_amount,
        by_brand.branded_spend_amount
    from summed
    left join runs on summed.member_id = runs.member_id and summed.category_name = runs.category_name
    left join by_brand on summed.member_id = by_brand.member_id and by_brand.brand_rank = 1

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
