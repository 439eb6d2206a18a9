with orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

measured as (

    select
        orders.member_id,
        clocks.as_of_date,
        min({{ days_between('orders.business_date', 'clocks.as_of_date') }}) as recency_days,
        count(distinct orders.business_date) as purchase_day_count,
        sum(orders.gross_amount) as spend_amount
    from orders
    inner join clocks
        on orders.business_date < clocks.as_of_date
        and orders.business_date >= {{ add_days('clocks.as_of_date', '-' ~ brand_rfm_window_days()) }}
    group by orders.member_id, clocks.as_of_date

),

-- Quintiles with 5 the best. Equal values are split by member_id, so the same members give the same scores every time.
scored as (

    select
        *,
        ntile(5) over (order by recency_days desc nulls last, member_id asc nulls last) as recency_score,
        ntile(5) over (order by purchase_day_count asc nulls last, member_id asc nulls last) as frequency_score,
        ntile(5) over (order by spend_amount asc nulls last, member_id asc nulls last) as monetary_score
    from measured

),

-- A dimension is high above the population's mean score, which is how the eight classic tiers are drawn.
tiered as (

    select
        *,
        recency_score > avg(cast(recency_score as double)) over () as is_recent,
        frequency_score > avg(cast(frequency_score as double)) over () as is_frequent,
        monetary_score > avg(cast(monetary_score as double)) over () as is_high_spend
    from scored

),

coded as (

    select
        *,
        case
            when is_recent and is_frequent and is_high_spend then 'champion'
            when not is_recent and is_frequent and is_high_spend then 'keep'
            when is_recent and not is_frequent and is_high_spend then 'develop'
            when not is_recent and not is_frequent and is_high_spend then 'win_back'
            when is_recent and is_frequent and not is_high_spend then 'general_value'
            when not is_recent and is_frequent and not is_high_spend then 'general_keep'
            when is_recent and not is_frequent and not is_high_spend then 'general_develop'
            else 'potential'
        end as rfm_tier
    from tiered

),

final as (

    select
        member_id,
        rfm_tier,
        case rfm_tier
            when 'champion' then '高价值' when 'keep' then '重点保持' when 'develop' then '重点发展'
            when 'win_back' then '重点挽留' when 'general_value' then '一般价值' when 'general_keep' then '一般保持'
            when 'general_develop' then '一般发展' else '潜在'
        end as label_zh,
        case rfm_tier
            when 'champion' then 'High value' when 'keep' then 'Key to keep' when 'develop' then 'Key to develop'
            when 'win_back' then 'Key to win back' when 'general_value' then 'General value' when 'general_keep' then 'General, keep'
            when 'general_develop' then 'General, develop' else 'Potential'
        end as label_en,
        cast(recency_days as integer) as recency_days,
        cast(purchase_day_count as integer) as purchase_day_count,
        cast(recency_score as integer) as recency_score,
        cast(frequency_score as integer) as frequency_score,
        cast(monetary_score as integer) as monetary_score,
        {{ money('spend_amount') }} as spend_amount,
        as_of_date
    from coded

)

select * from final
