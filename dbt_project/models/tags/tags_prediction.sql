{% set family = tag_family_prediction() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

churn_scores as (

    select * from {{ ref('stg_churn_scores') }}

),

propensity_scores as (

    select * from {{ ref('stg_propensity_scores') }}

),

unioned as (

    select
        member_id,
        as_of_date,
        score as churn_score,
        tier as churn_tier,
        percentile as churn_percentile,
        cast(null as double) as propensity_score,
        cast(null as {{ dbt.type_string() }}) as propensity_tier,
        cast(null as double) as propensity_percentile
    from churn_scores
    union all
    select
        member_id,
        as_of_date,
        cast(null as double) as churn_score,
        cast(null as {{ dbt.type_string() }}) as churn_tier,
        cast(null as double) as churn_percentile,
        score as propensity_score,
        tier as propensity_tier,
        percentile as propensity_percentile
    from propensity_scores

),

facts as (

    select unioned.*
    from unioned
    inner join clocks on unioned.as_of_date = clocks.as_of_date

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
