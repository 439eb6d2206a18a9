with propensity_scores as (

    select * from {{ source('ml', 'propensity_scores') }}

),

final as (

    select
        member_id,
        model_version,
        tier,
        score,
        percentile,
        as_of_date
    from propensity_scores

)

select * from final
