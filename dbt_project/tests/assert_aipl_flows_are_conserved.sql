-- Returns rows when in + stay is not the stock of a stage now, or out + stay not its stock before, counted member by member.
{{ config(meta={'dagster': {'ref': {'name': 'agg_aipl_stages'}}}) }}

with stages as (

    select * from {{ ref('agg_aipl_stages') }}

),

aipl as (

    select * from {{ ref('seg_aipl') }}

),

stocks_now as (

    select
        aipl_stage as stage,
        count(*) as member_count
    from aipl
    group by aipl_stage

),

stocks_before as (

    select
        previous_aipl_stage as stage,
        count(*) as member_count
    from aipl
    group by previous_aipl_stage

),

final as (

    select
        stages.stage,
        stages.in_count,
        stages.out_count,
        stages.stay_count
    from stages
    left join stocks_now on stages.stage = stocks_now.stage
    left join stocks_before on stages.stage = stocks_before.stage
    where
        stages.in_count + stages.stay_count <> coalesce(stocks_now.member_count, 0)
        or stages.out_count + stages.stay_count <> coalesce(stocks_before.member_count, 0)
        or stages.stock_now_count <> stages.stock_before_count + stages.in_count - stages.out_count

)

select * from final
