-- Returns rows when the points of a system and kind are not those that were staged: nothing moves them.
{{ config(meta={'dagster': {'ref': {'name': 'fct_points'}}}) }}

with staged as (

    select source_system, point_kind, count(*) as movement_count, sum(points) as points
    from {{ ref('stg_points') }}
    where not is_deleted
    group by source_system, point_kind

),

landed as (

    select source_system, point_kind, count(*) as movement_count, sum(points) as points
    from {{ ref('fct_points') }}
    group by source_system, point_kind

),

final as (

    select
        coalesce(staged.source_system, landed.source_system) as source_system,
        coalesce(staged.point_kind, landed.point_kind) as point_kind,
        staged.points as staged_points,
        landed.points
    from staged
    full outer join landed on staged.source_system = landed.source_system and staged.point_kind = landed.point_kind
    where
        staged.movement_count is null
        or landed.movement_count is null
        or staged.movement_count <> landed.movement_count
        or staged.points <> landed.points

)

select * from final
