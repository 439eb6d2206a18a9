with aipl as (

    select * from {{ ref('seg_aipl') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

counted as (

    select
        previous_aipl_stage,
        aipl_stage,
        count(*) as member_count
    from aipl
    group by previous_aipl_stage, aipl_stage

),

-- Every pair of stages has a row, so a flow that nobody took is a zero and not a gap.
paired as (

    select
        stages_before.code as stage_before,
        stages_now.code as stage_now,
        coalesce(counted.member_count, 0) as member_count
    from {{ segment_codes('aipl') }} as stages_before
    cross join {{ segment_codes('aipl') }} as stages_now
    left join counted
        on stages_before.code = counted.previous_aipl_stage and stages_now.code = counted.aipl_stage

),

levelled as (

    select
        *,
        {{ segment_position('aipl', 'stage_before') }} as level_before,
        {{ segment_position('aipl', 'stage_now') }} as level_now,
        sum(member_count) over (partition by stage_before) as stock_before_count
    from paired

),

final as (

    select
        levelled.stage_before,
        {{ segment_label('aipl', 'levelled.stage_before', 'zh') }} as label_before_zh,
        {{ segment_label('aipl', 'levelled.stage_before', 'en') }} as label_before_en,
        levelled.stage_now,
        {{ segment_label('aipl', 'levelled.stage_now', 'zh') }} as label_now_zh,
        {{ segment_label('aipl', 'levelled.stage_now', 'en') }} as label_now_en,
        case
            when levelled.level_now = levelled.level_before then 'stay'
            when levelled.level_before = 0 then 'enter'
            when levelled.level_now = 0 then 'leave'
            when levelled.level_now > levelled.level_before then 'deepen'
            else 'fall_back'
        end as flow_kind,
        cast(levelled.member_count as bigint) as member_count,
        {{ ratio('levelled.member_count', 'levelled.stock_before_count') }} as flow_rate,
        {{ add_days('clocks.as_of_date', '-' ~ brand_aipl_flow_days()) }} as as_of_date_before,
        clocks.as_of_date
    from levelled
    cross join clocks

)

select * from final
