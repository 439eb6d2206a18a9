-- Returns rows when the migrations into or out of a tier are not as many as the members who are, or were, in it.
{{ config(meta={'dagster': {'ref': {'name': 'agg_rfm_migrations'}}}) }}

with migrations as (

    select * from {{ ref('agg_rfm_migrations') }}

),

rfm_history as (

    select * from {{ ref('seg_rfm_history') }}

),

members as (

    select count(*) as member_count from {{ ref('dim_members') }}

),

in_tiers as (

    select
        'quintile' as variant,
        days_before,
        rfm_tier as tier,
        count(*) as member_count
    from rfm_history
    group by days_before, rfm_tier
    union all
    select
        'threshold' as variant,
        days_before,
        threshold_tier as tier,
        count(*) as member_count
    from rfm_history
    group by days_before, threshold_tier
    union all
    select
        'mean' as variant,
        days_before,
        mean_tier as tier,
        count(*) as member_count
    from rfm_history
    group by days_before, mean_tier

),

periods as (

    select distinct variant, period_days from migrations

),

expected as (

    select periods.variant, periods.period_days, 'before' as side, in_tiers.tier, in_tiers.member_count
    from periods
    inner join in_tiers on periods.variant = in_tiers.variant and periods.period_days = in_tiers.days_before
    union all
    select periods.variant, periods.period_days, 'now' as side, in_tiers.tier, in_tiers.member_count
    from periods
    inner join in_tiers on periods.variant = in_tiers.variant and in_tiers.days_before = 0
    union all
    select periods.variant, periods.period_days, 'all' as side, 'all' as tier, members.member_count
    from periods
    cross join members

),

found as (

    select variant, period_days, 'before' as side, tier_before as tier, sum(member_count) as member_count
    from migrations
    where tier_before <> 'none'
    group by variant, period_days, tier_before
    union all
    select variant, period_days, 'now' as side, tier_now as tier, sum(member_count) as member_count
    from migrations
    where tier_now <> 'none'
    group by variant, period_days, tier_now
    union all
    select variant, period_days, 'all' as side, 'all' as tier, sum(member_count) as member_count
    from migrations
    group by variant, period_days

),

final as (

    select
        coalesce(expected.tier, found.tier) as tier,
        expected.member_count as expected_count,
        found.member_count as found_count
    from expected
    full outer join found
        on expected.variant = found.variant
        and expected.period_days = found.period_days
        and expected.side = found.side
        and expected.tier = found.tier
    where expected.member_count is distinct from found.member_count

)

select * from final
