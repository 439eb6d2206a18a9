with touches as (

    select * from {{ ref('int_touches_dated') }}

),

final as (

    select
        touch_id,
        member_id,
        campaign_id,
        source_system,
        channel,
        touch_type,
        is_date_assumed,
        is_holdout,
        business_date,
        touched_at,
        loaded_at
    from touches

)

select * from final
