{#- Everything here is a sum over the days before the cut: removing every fact at or after as_of_date changes nothing. -#}
{% set windows = [7, 14, 30, 60, 90, 180] %}

with as_of_dates as (

    select as_of_date from {{ ref('int_as_of_dates_spined') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where member_id is not null and line_kind = 'sale' and product_kind not in ('service', 'gift') and not is_void

),

products as (

    select product_id, coalesce(category_l2_name, category_l1_name, category_l2_code, category_l1_code, substr(product_code, 1, 2)) as category_name
    from {{ ref('dim_products') }}

),

refunds as (

    -- Orders leave services out of what is spent, so their refunds stay out of what is given back.
    select * from {{ ref('fct_refunds') }}
    where member_id is not null and product_kind <> 'service' and is_counted

),

-- One row per member and day is small enough to be met with every cut.
member_days as (

    select
        member_id,
        business_date,
        count(*) as order_count,
        sum(gross_amount) as gross_amount,
        max(gross_amount) as max_order_amount,
        sum(line_count) as line_count,
        sum(list_amount) as list_amount,
        sum(store_discount_amount) as discount_amount,
        {{ days_between(
            'lag(business_date) over (partition by member_id order by business_date nulls last)', 'business_date'
        ) }} as gap_days
    from orders
    group by member_id, business_date

),

-- Sums stay decimal and integer: doubles added up by several threads differ in their last digits from run to run,
-- and a model trained on them is another model.
purchase_windows as (

    select
        member_days.member_id,
        as_of_dates.as_of_date,
        {{ days_between('member_days.business_date', 'as_of_dates.as_of_date') }} as age_days,
        member_days.order_count,
        member_days.gross_amount,
        member_days.max_order_amount,
        member_days.line_count,
        member_days.list_amount,
        member_days.discount_amount,
        member_days.gap_days
    from member_days
    inner join as_of_dates on member_days.business_date < as_of_dates.as_of_date

),

-- age_days is 1 for the day before the cut, so "the last N days" is age_days <= N.
purchases as (

    select
        member_id,
        as_of_date,
        min(age_days) as recency_days,
        max(age_days) as tenure_days,
        {% for window in windows -%}
        sum(case when age_days <= {{ window }} then order_count else 0 end) as order_count_{{ window }}d,
        sum(case when age_days <= {{ window }} then gross_amount else 0 end) as spend_amount_{{ window }}d,
        {% endfor -%}
        sum(case when age_days <= 90 then 1 else 0 end) as purchase_day_count_90d,
        sum(case when age_days <= 180 then 1 else 0 end) as purchase_day_count_180d,
        max(case when age_days <= 180 then max_order_amount else 0 end) as max_order_amount_180d,
        sum(case when age_days <= 180 then line_count else 0 end) as line_count_180d,
        sum(case when age_days <= 90 then list_amount else 0 end) as list_amount_90d,
        sum(case when age_days <= 90 then discount_amount else 0 end) as discount_amount_90d,
        count(case when age_days <= 180 then gap_days end) as gap_count_180d,
        sum(case when age_days <= 180 then gap_days end) as gap_days_sum_180d,
        sum(case when age_days <= 180 then gap_days * gap_days end) as gap_days_square_sum_180d,
        max(case when age_days <= 180 then gap_days end) as gap_days_max_180d,
        min_by(case when age_days <= 180 then gap_days end, age_days) as gap_days_last
    from purchase_windows
    group by member_id, as_of_date

),

product_days as (

    select distinct
        order_lines.member_id,
        order_lines.business_date,
        products.category_name
    from order_lines
    left join products on order_lines.product_id = products.product_id

),

categories as (

    select
        product_days.member_id,
        as_of_dates.as_of_date,
        count(distinct product_days.category_name) as category_count_90d
    from product_days
    inner join as_of_dates
        on product_days.business_date < as_of_dates.as_of_date
        and product_days.business_date >= {{ add_days('as_of_dates.as_of_date', -90) }}
    group by product_days.member_id, as_of_dates.as_of_date

),

refund_windows as (

    select
        refunds.member_id,
        as_of_dates.as_of_date,
        sum(refunds.refund_amount) as refund_amount_180d
    from refunds
    inner join as_of_dates
        on refunds.business_date < as_of_dates.as_of_date
        and refunds.business_date >= {{ add_days('as_of_dates.as_of_date', -180) }}
    group by refunds.member_id, as_of_dates.as_of_date

),

final as (

    select
        purchases.member_id,
        cast(purchases.recency_days as double) as recency_days,
        cast(purchases.tenure_days as double) as tenure_days,
        {% for window in windows -%}
        cast(purchases.order_count_{{ window }}d as double) as order_count_{{ window }}d,
        cast(purchases.spend_amount_{{ window }}d as double) as spend_amount_{{ window }}d,
        {% endfor -%}
        cast(purchases.purchase_day_count_90d as double) as purchase_day_count_90d,
        cast(purchases.purchase_day_count_180d as double) as purchase_day_count_180d,
        {{ ratio('purchases.spend_amount_180d', 'purchases.order_count_180d') }} as mean_order_amount_180d,
        cast(purchases.max_order_amount_180d as double) as max_order_amount_180d,
        {{ ratio('purchases.line_count_180d', 'purchases.order_count_180d') }} as lines_per_order_180d,
        cast(coalesce(categories.category_count_90d, 0) as double) as category_count_90d,
        {{ ratio('purchases.gap_days_sum_180d', 'purchases.gap_count_180d') }} as gap_days_mean_180d,
        -- The sample variance from exact sums: (sum of squares - square of the sum / n) / (n - 1).
        sqrt({{ ratio(
            'purchases.gap_count_180d * purchases.gap_days_square_sum_180d - purchases.gap_days_sum_180d * purchases.gap_days_sum_180d',
            'purchases.gap_count_180d * (purchases.gap_count_180d - 1)'
        ) }}) as gap_days_stddev_180d,
        cast(purchases.gap_days_max_180d as double) as gap_days_max_180d,
        cast(purchases.gap_days_last as double) as gap_days_last,
        {{ ratio('purchases.recency_days * purchases.gap_count_180d', 'purchases.gap_days_sum_180d') }} as recency_over_gap,
        {{ ratio('3 * purchases.order_count_30d', 'purchases.order_count_90d') }} as order_trend_30v90,
        {{ ratio('3 * purchases.spend_amount_30d', 'purchases.spend_amount_90d') }} as spend_trend_30v90,
        {{ ratio('purchases.discount_amount_90d', 'purchases.list_amount_90d') }} as discount_rate_90d,
        {{ ratio('coalesce(refund_windows.refund_amount_180d, 0)', 'purchases.spend_amount_180d') }} as refund_rate_180d,
        purchases.as_of_date
    from purchases
    left join categories
        on purchases.member_id = categories.member_id and purchases.as_of_date = categories.as_of_date
    left join refund_windows
        on purchases.member_id = refund_windows.member_id and purchases.as_of_date = refund_windows.as_of_date

)

select * from final
