{% set flow_days = brand_aipl_flow_days() %}
{% set stages = ['loyal', 'purchase', 'interest', 'aware'] %}

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

-- age_days is 1 for the day before the cut, then and now; days at or after a cut have no age at it.
aged as (

    select
        unioned.member_id,
        unioned.kind,
        {{ days_between('unioned.business_date', 'clocks.as_of_date') }} as age_days
    from unioned
    inner join clocks on unioned.business_date < clocks.as_of_date

),

measured as (

    select
        member_id,
        {% for suffix, shift in [('now', 0), ('before', flow_days)] -%}
        max(case when kind in ('aware', 'interest') and age_days - {{ shift }} between 1 and {{ brand_aipl_aware_days() }} then 1 else 0 end) as is_aware_{{ suffix }},
        max(case when kind = 'interest' and age_days - {{ shift }} between 1 and {{ brand_aipl_interest_days() }} then 1 else 0 end) as is_interest_{{ suffix }},
        max(case when kind = 'purchase' and age_days - {{ shift }} between 1 and {{ brand_aipl_purchase_days() }} then 1 else 0 end) as is_purchase_{{ suffix }},
        case
            when sum(case when kind = 'purchase' and age_days - {{ shift }} between 1 and {{ brand_aipl_loyal_window_days() }} then 1 else 0 end)
                >= {{ brand_aipl_loyal_purchase_days() }} then 1
            else max(case when kind = 'praise' and age_days - {{ shift }} between 1 and {{ brand_aipl_loyal_window_days() }} then 1 else 0 end)
        end as is_loyal_{{ suffix }},
        {% endfor -%}
        max(case when kind in ('interest', 'purchase') and age_days <= {{ brand_fast_active_days() }} then 1 else 0 end) as is_active
    from aged
    group by member_id

),

-- The highest stage wins. Aware is whoever was shown anything; interest needs a page opened or something done.
staged as (

    select
        members.member_id,
        {% for suffix in ['now', 'before'] -%}
        case
            {% for stage in stages -%}
            when measured.is_{{ stage }}_{{ suffix }} = 1 then '{{ stage }}'
            {% endfor -%}
            else 'none'
        end as stage_{{ suffix }},
        {% endfor -%}
        members.has_profile,
        coalesce(measured.is_active, 0) = 1 as is_active
    from members
    left join measured on members.member_id = measured.member_id

),

final as (

    select
        staged.member_id,
        staged.stage_now as aipl_stage,
        {{ segment_label('aipl', 'staged.stage_now', 'zh') }} as label_zh,
        {{ segment_label('aipl', 'staged.stage_now', 'en') }} as label_en,
        staged.stage_before as previous_aipl_stage,
        {% for suffix in ['now', 'before'] -%}
        {{ segment_position('aipl', 'staged.stage_' ~ suffix) }} as {{ 'aipl_level' if suffix == 'now' else 'previous_aipl_level' }},
        {% endfor -%}
        staged.has_profile as is_registered,
        staged.is_active,
        {{ add_days('clocks.as_of_date', '-' ~ flow_days) }} as previous_as_of_date,
        clocks.as_of_date
    from staged
    cross join clocks

)

select * from final
