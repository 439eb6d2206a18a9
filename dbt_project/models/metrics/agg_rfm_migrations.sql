{% set variants = {'quintile': 'rfm_tier', 'threshold': 'threshold_tier', 'mean': 'mean_tier'} %}

with members as (

    select member_id from {{ ref('dim_members') }}
    {% if not brand_has_orders() %}
    -- Without orders nobody is in any tier, then or now.
    where false
    {% endif %}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

rfm_history as (

    select * from {{ ref('seg_rfm_history') }}

),

periods as (

    {% for days in brand_rfm_migration_days() %}
    select cast({{ days }} as integer) as period_days
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- Every member meets every period once: those without an order in the window are in the tier `none`.
paired as (

    select
        members.member_id,
        {%- for column in variants.values() %}
        coalesce(earlier.{{ column }}, 'none') as {{ column }}_before,
        coalesce(latest.{{ column }}, 'none') as {{ column }}_now,
        {%- endfor %}
        periods.period_days
    from members
    cross join periods
    left join rfm_history as earlier
        on members.member_id = earlier.member_id and periods.period_days = earlier.days_before
    left join rfm_history as latest
        on members.member_id = latest.member_id and latest.days_before = 0

),

counted as (

    {% for variant, column in variants.items() %}
    select
        {{ text_literal(variant) }} as variant,
        {{ column }}_before as tier_before,
        {{ column }}_now as tier_now,
        period_days,
        count(*) as member_count
    from paired
    group by {{ column }}_before, {{ column }}_now, period_days
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

totals as (

    select
        *,
        sum(member_count) over (partition by variant, period_days, tier_before) as member_count_before
    from counted

),

final as (

    select
        totals.variant,
        totals.tier_before,
        {{ segment_label('rfm', 'totals.tier_before', 'zh') }} as label_before_zh,
        {{ segment_label('rfm', 'totals.tier_before', 'en') }} as label_before_en,
        totals.tier_now,
        {{ segment_label('rfm', 'totals.tier_now', 'zh') }} as label_now_zh,
        {{ segment_label('rfm', 'totals.tier_now', 'en') }} as label_now_en,
        totals.period_days,
        cast(totals.member_count as bigint) as member_count,
        {{ ratio('totals.member_count', 'totals.member_count_before') }} as migration_rate,
        {{ add_days('clocks.as_of_date', '-totals.period_days') }} as as_of_date_before,
        clocks.as_of_date
    from totals
    cross join clocks

)

select * from final
