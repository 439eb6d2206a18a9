with segment_cards as (

    select * from {{ source('ml', 'segment_cards') }}

),

final as (

    select
        scheme,
        model_version,
        cluster_code,
        label_zh,
        label_en,
        verdict,
        distinguished_by,
        member_count,
        cluster_count,
        member_rate,
        silhouette,
        stability,
        is_published,
        as_of_date
    from segment_cards

)

select * from final
