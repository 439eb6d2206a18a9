with churn_scores as (

    select * from {{ source('ml', 'churn_scores') }}

),

final as (

    select
        member_id,
        model_version,
        tier,
        score,
        percentile,
        as_of_date
    from churn_scores

)

select * from final
