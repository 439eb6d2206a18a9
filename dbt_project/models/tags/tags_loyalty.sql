{% set family = tag_family_loyalty() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

points as (

    select * from {{ ref('fct_points') }}
    where member_id is not null

),

tier_changes as (

    select * from {{ ref('fct_tier_changes') }}
    where member_id is not null

),

unioned as (

    select
        member_id,
        point_kind,
        reason,
        points,
        cast(null as {{ dbt.type_string() }}) as to_tier_name,
        false as is_change,
        business_date
    from points
    union all
    select
        member_id,
        cast(null as {{ dbt.type_string() }}) as point_kind,
        cast(null as {{ dbt.type_string() }}) as reason,
        cast(0 as bigint) as points,
        to_tier_name,
        from_tier_name is not null as is_change,
        business_date
    from tier_changes

),

facts as (

    select
        unioned.*,
        {{ days_between('unioned.business_date', 'clocks.as_of_date') }} as age_days
    from unioned
    inner join clocks on unioned.business_date < clocks.as_of_date

),

aggregated as (

    select
        {{- tag_expressions(tags) }}
        member_id
    from facts
    group by member_id

),

final as (

    select
        members.member_id,
        {{- tag_columns(tags, 'aggregated') }}
        clocks.as_of_date
    from members
    cross join clocks
    left join aggregated on members.member_id = aggregated.member_id

)

select * from final
