with aipl_flows as (

    select * from {{ ref('agg_aipl_flows') }}

),

-- A stage gains what flows to it from elsewhere, and loses what flows from it.
unioned as (

    select
        stage_now as stage,
        case when stage_before <> stage_now then member_count else 0 end as in_count,
        0 as out_count,
        case when stage_before = stage_now then member_count else 0 end as stay_count,
        as_of_date_before,
        as_of_date
    from aipl_flows
    union all
    select
        stage_before as stage,
        0 as in_count,
        case when stage_before <> stage_now then member_count else 0 end as out_count,
        0 as stay_count,
        as_of_date_before,
        as_of_date
    from aipl_flows

),

final as (

    select
        stage,
        {{ segment_label('aipl', 'stage', 'zh') }} as label_zh,
        {{ segment_label('aipl', 'stage', 'en') }} as label_en,
        cast(sum(stay_count + out_count) as bigint) as stock_before_count,
        cast(sum(in_count) as bigint) as in_count,
        cast(sum(out_count) as bigint) as out_count,
        cast(sum(stay_count) as bigint) as stay_count,
        cast(sum(stay_count + in_count) as bigint) as stock_now_count,
        as_of_date_before,
        as_of_date
    from unioned
    group by stage, as_of_date_before, as_of_date

)

select * from final
