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

member_days as (

    select * from {{ ref('agg_member_days') }}

),

touches as (

    -- Planned, sent and failed messages reached nobody; who was held out was left alone.
    select * from {{ ref('fct_touches') }}
    where member_id is not null and not is_holdout and touch_type in ('delivered', 'opened', 'clicked')

),

reviews as (

    select * from {{ ref('fct_reviews') }}
    where member_id is not null and rating >= {{ brand_aipl_positive_rating() }}

),

-- One row per member, kind and day: what was seen, what was done, what was bought, what was praised.
unioned as (

    select
        member_id,
        business_date,
        'aware' as kind
    from touches
    union
    select
        member_id,
        business_date,
        case when page_view_count + interaction_count > 0 then 'interest' else 'aware' end as kind
    from member_days
    union
    select
        member_id,
        business_date,
        'purchase' as kind
    from orders
    union
    select
        member_id,
        business_date,
        'praise' as kind
    from reviews

),

-- The stage is asked for at the cut, and at the one before.
cuts as (

    select
        'now' as moment,
        as_of_date
    from clocks
    union all
    select
        'before' as moment,
        {{ add_days('as_of_date', '-' ~ brand_aipl_flow_days()) }} as as_of_date
    from clocks

),

-- age_days is 1 for the day before the cut; what comes at it or later is not known at it.
aged as (

    select
        unioned.member_id,
        unioned.kind,
        cuts.moment,
        {{ days_between('unioned.business_date', 'cuts.as_of_date') }} as age_days
    from unioned
    inner join cuts on unioned.business_date < cuts.as_of_date

),

-- Interest is awareness too, where the window of awareness is the longer one.
measured as (

    select
        member_id,
        moment,
        count(case when kind in ('aware', 'interest') and age_days <= {{ brand_aipl_aware_days() }} then 1 end) as aware_day_count,
        count(case when kind = 'interest' and age_days <= {{ brand_aipl_interest_days() }} then 1 end) as interest_day_count,
        count(case when kind = 'purchase' and age_days <= {{ brand_aipl_purchase_days() }} then 1 end) as purchase_day_count,
        count(case when kind = 'purchase' and age_days <= {{ brand_aipl_loyal_window_days() }} then 1 end) as recent_purchase_day_count,
        count(case when kind = 'praise' and age_days <= {{ brand_aipl_loyal_window_days() }} then 1 end) as praise_day_count,
        count(case when kind in ('interest', 'purchase') and age_days <= {{ brand_fast_active_days() }} then 1 end) as active_day_count
    from aged
    group by member_id, moment

),

-- The highest stage wins.
staged as (

    select
        member_id,
        moment,
        case
            when recent_purchase_day_count >= {{ brand_aipl_loyal_purchase_days() }} or praise_day_count > 0 then 'loyal'
            when purchase_day_count > 0 then 'purchase'
            when interest_day_count > 0 then 'interest'
            when aware_day_count > 0 then 'aware'
            else 'none'
        end as stage,
        active_day_count > 0 as is_active
    from measured

),

compared as (

    select
        members.member_id,
        coalesce(latest.stage, 'none') as stage_now,
        coalesce(earlier.stage, 'none') as stage_before,
        members.has_profile as is_registered,
        coalesce(latest.is_active, false) as is_active
    from members
    left join staged as latest on members.member_id = latest.member_id and latest.moment = 'now'
    left join staged as earlier on members.member_id = earlier.member_id and earlier.moment = 'before'

),

final as (

    select
        compared.member_id,
        compared.stage_now as aipl_stage,
        {{ segment_label('aipl', 'compared.stage_now', 'zh') }} as label_zh,
        {{ segment_label('aipl', 'compared.stage_now', 'en') }} as label_en,
        compared.stage_before as previous_aipl_stage,
        {{ segment_position('aipl', 'compared.stage_now') }} as aipl_level,
        {{ segment_position('aipl', 'compared.stage_before') }} as previous_aipl_level,
        compared.is_registered,
        compared.is_active,
        {{ add_days('clocks.as_of_date', '-' ~ brand_aipl_flow_days()) }} as previous_as_of_date,
        clocks.as_of_date
    from compared
    cross join clocks

)

select * from final
