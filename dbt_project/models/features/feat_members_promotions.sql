with as_of_dates as (

    select as_of_date from {{ ref('int_as_of_dates_spined') }}

),

members as (

    select member_id, first_seen_date from {{ ref('dim_members') }}

),

touches as (

    -- One message is one contact, however many receipts and clicks come back of it.
    select * from {{ ref('fct_touches') }}
    where touch_type = 'sent'

),

coupon_redemptions as (

    select * from {{ ref('fct_coupon_redemptions') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

promotion_facts as (

    select member_id, business_date, 'touch' as fact_kind from touches
    union all
    select member_id, business_date, 'redemption' as fact_kind from coupon_redemptions
    union all
    select member_id, business_date, case when has_coupon then 'coupon_order' else 'plain_order' end as fact_kind from orders

),

promotion_windows as (

    select
        promotion_facts.member_id,
        as_of_dates.as_of_date,
        promotion_facts.fact_kind,
        {{ days_between('promotion_facts.business_date', 'as_of_dates.as_of_date') }} as age_days
    from promotion_facts
    inner join as_of_dates on promotion_facts.business_date < as_of_dates.as_of_date

),

promotions as (

    select
        member_id,
        as_of_date,
        sum(case when fact_kind = 'touch' and age_days <= 30 then 1 else 0 end) as touch_count_30d,
        sum(case when fact_kind = 'touch' and age_days <= 90 then 1 else 0 end) as touch_count_90d,
        sum(case when fact_kind = 'redemption' and age_days <= 90 then 1 else 0 end) as coupon_redemption_count_90d,
        sum(case when fact_kind = 'redemption' and age_days <= 180 then 1 else 0 end) as coupon_redemption_count_180d,
        sum(case when fact_kind = 'coupon_order' and age_days <= 90 then 1 else 0 end) as coupon_order_count_90d,
        sum(case when fact_kind in ('coupon_order', 'plain_order') and age_days <= 90 then 1 else 0 end) as order_count_90d
    from promotion_windows
    group by member_id, as_of_date

),

-- Every member already seen before the cut has a row, with or without a promotion.
seen as (

    select
        members.member_id,
        as_of_dates.as_of_date
    from members
    inner join as_of_dates on members.first_seen_date < as_of_dates.as_of_date

),

final as (

    select
        seen.member_id,
        cast(coalesce(promotions.touch_count_30d, 0) as double) as touch_count_30d,
        cast(coalesce(promotions.touch_count_90d, 0) as double) as touch_count_90d,
        cast(coalesce(promotions.coupon_redemption_count_90d, 0) as double) as coupon_redemption_count_90d,
        cast(coalesce(promotions.coupon_redemption_count_180d, 0) as double) as coupon_redemption_count_180d,
        cast(coalesce(promotions.coupon_order_count_90d, 0) as double) as coupon_order_count_90d,
        {{ ratio('promotions.coupon_order_count_90d', 'promotions.order_count_90d') }} as coupon_order_rate_90d,
        seen.as_of_date
    from seen
    left join promotions on seen.member_id = promotions.member_id and seen.as_of_date = promotions.as_of_date

)

select * from final
