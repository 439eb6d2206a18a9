with segment_members as (

    select * from {{ source('ml', 'segment_members') }}

),

final as (

    select
        scheme,
        member_id,
        model_version,
        cluster_code,
        distance,
        as_of_date
    from segment_members

)

select * from final
