with orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

-- The cut, and the cuts of the brand's periods before it.
cuts as (

    select
        0 as days_before,
        as_of_date
    from clocks
    {% for days in brand_rfm_migration_days() %}
    union all
    select
        {{ days }} as days_before,
        {{ add_days('as_of_date', '-' ~ days) }} as as_of_date
    from clocks
    {% endfor %}

),

measured as (

    select
        orders.member_id,
        cuts.days_before,
        cuts.as_of_date,
        min({{ days_between('orders.business_date', 'cuts.as_of_date') }}) as recency_days,
        count(distinct orders.business_date) as purchase_day_count,
        sum(orders.gross_amount) as spend_amount
    from orders
    inner join cuts
        on orders.business_date < cuts.as_of_date
        and orders.business_date >= {{ add_days('cuts.as_of_date', '-' ~ brand_rfm_window_days()) }}
    group by orders.member_id, cuts.days_before, cuts.as_of_date

),

-- Quintiles with 5 the best. Equal values are split by member_id, so the same members give the same scores every time.
-- Means are asked for without dividing: value * count against sum is exact for whole numbers and decimals.
scored as (

    select
        *,
        ntile(5) over (partition by as_of_date order by recency_days desc nulls last, member_id asc nulls last) as recency_score,
        ntile(5) over (partition by as_of_date order by purchase_day_count asc nulls last, member_id asc nulls last) as frequency_score,
        ntile(5) over (partition by as_of_date order by spend_amount asc nulls last, member_id asc nulls last) as monetary_score,
        {{ score_up_to('recency_days', brand_rfm_recency_limits()) }} as recency_threshold_score,
        {{ score_from('purchase_day_count', brand_rfm_frequency_limits()) }} as frequency_threshold_score,
        {{ score_from('spend_amount', brand_rfm_monetary_limits()) }} as monetary_threshold_score,
        recency_days * count(*) over (partition by as_of_date) < sum(recency_days) over (partition by as_of_date) as is_recent_by_mean,
        purchase_day_count * count(*) over (partition by as_of_date)
        > sum(purchase_day_count) over (partition by as_of_date) as is_frequent_by_mean,
        spend_amount * count(*) over (partition by as_of_date) > sum(spend_amount) over (partition by as_of_date) as is_high_spend_by_mean
    from measured

),

-- By quintile, a dimension is high above the population's mean score, which is how the eight classic tiers are drawn.
compared as (

    select
        *,
        recency_score > avg(cast(recency_score as double)) over (partition by as_of_date) as is_recent,
        frequency_score > avg(cast(frequency_score as double)) over (partition by as_of_date) as is_frequent,
        monetary_score > avg(cast(monetary_score as double)) over (partition by as_of_date) as is_high_spend
    from scored

),

tiered as (

    select
        *,
        {{ rfm_tier_of('is_recent', 'is_frequent', 'is_high_spend') }} as rfm_tier,
        {{ rfm_tier_of(
            'recency_threshold_score >= ' ~ brand_rfm_high_score(),
            'frequency_threshold_score >= ' ~ brand_rfm_high_score(),
            'monetary_threshold_score >= ' ~ brand_rfm_high_score()
        ) }} as threshold_tier,
        {{ rfm_tier_of('is_recent_by_mean', 'is_frequent_by_mean', 'is_high_spend_by_mean') }} as mean_tier
    from compared

),

final as (

    select
        member_id,
        rfm_tier,
        threshold_tier,
        mean_tier,
        cast(days_before as integer) as days_before,
        cast(recency_days as integer) as recency_days,
        cast(purchase_day_count as integer) as purchase_day_count,
        cast(recency_score as integer) as recency_score,
        cast(frequency_score as integer) as frequency_score,
        cast(monetary_score as integer) as monetary_score,
        cast(recency_threshold_score as integer) as recency_threshold_score,
        cast(frequency_threshold_score as integer) as frequency_threshold_score,
        cast(monetary_threshold_score as integer) as monetary_threshold_score,
        {{ money('spend_amount') }} as spend_amount,
        as_of_date
    from tiered

)

select * from final
