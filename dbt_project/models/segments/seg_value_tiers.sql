with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

predictions as (

    select * from {{ ref('tags_prediction') }}

),

aged as (

    select
        orders.member_id,
        clocks.as_of_date,
        orders.gross_amount,
        {{ days_between('orders.business_date', 'clocks.as_of_date') }} <= 365 as is_recent
    from orders
    inner join members on orders.member_id = members.member_id
    inner join clocks on orders.business_date < clocks.as_of_date

),

measured as (

    select
        member_id,
        as_of_date,
        sum(gross_amount) as spend_amount_total,
        count(*) as order_count_total,
        sum(case when is_recent then gross_amount else 0 end) as spend_amount_365d,
        count(case when is_recent then 1 end) as order_count_365d
    from aged
    group by member_id, as_of_date

),

-- What the next order would bring is the mean of the last year's, or of all where there is none.
predicted as (

    select
        measured.*,
        {{ money_per(
            'case when measured.order_count_365d > 0 then measured.spend_amount_365d else measured.spend_amount_total end',
            'case when measured.order_count_365d > 0 then measured.order_count_365d else measured.order_count_total end'
        ) }} as average_order_amount,
        predictions.purchase_propensity_score
    from measured
    left join predictions on measured.member_id = predictions.member_id

),

valued as (

    select
        *,
        purchase_propensity_score * cast(average_order_amount as double) as predicted_value
    from predicted

),

-- rank() gives equals the same place: they are high together or not at all.
ranked as (

    select
        *,
        spend_amount_365d > 0
        and rank() over (order by spend_amount_365d desc nulls last) <= {{ brand_value_high_rate() }} * count(*) over () as is_high_now,
        predicted_value > 0
        and rank() over (order by predicted_value desc nulls last) <= {{ brand_value_high_rate() }} * count(*) over () as is_high_predicted,
        -- Place from below among those who spent anything in the year; the others stand apart.
        row_number() over (partition by spend_amount_365d > 0 order by spend_amount_365d asc nulls last, member_id asc nulls last) as place,
        count(*) over (partition by spend_amount_365d > 0) as spender_count
    from valued

),

-- The 90th percentile lies at place 1 + 0.9 * (n - 1). Whoever reaches it has at least the spend of the first whole place from
-- there on, which asks for no interpolated money.
thresholds as (

    select max(case when place = 1 + ceil(9 * (spender_count - 1) / cast(10 as double)) then spend_amount_365d end) as top_amount
    from ranked
    where spend_amount_365d > 0

),

tiered as (

    select
        ranked.*,
        case
            when ranked.purchase_propensity_score is null then null
            when ranked.is_high_now and ranked.is_high_predicted then 'gold'
            when ranked.is_high_predicted then 'potential'
            when ranked.is_high_now then 'needs_activation'
            else 'edge'
        end as value_tier,
        coalesce(ranked.spend_amount_365d > 0 and ranked.spend_amount_365d >= thresholds.top_amount, false) as is_top_10pct_spend_365d
    from ranked
    cross join thresholds

),

final as (

    select
        member_id,
        value_tier,
        {{ segment_label('value', 'value_tier', 'zh') }} as label_zh,
        {{ segment_label('value', 'value_tier', 'en') }} as label_en,
        cast(order_count_365d as integer) as order_count_365d,
        {{ money('spend_amount_365d') }} as spend_amount_365d,
        average_order_amount,
        purchase_propensity_score,
        predicted_value,
        is_high_now,
        coalesce(is_high_predicted, false) as is_high_predicted,
        is_top_10pct_spend_365d,
        as_of_date
    from tiered

)

select * from final
