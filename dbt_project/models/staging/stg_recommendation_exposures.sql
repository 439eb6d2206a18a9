with recommendation_exposures as (

    {{ newest_versions('recommendation_exposures', ['exposure_key'], is_large=true) }}

),

final as (

    select
        {{ entity_id('source_system', 'exposure_key') }} as recommendation_exposure_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ anonymous_id('source_system', 'anonymous_key') }} as anonymous_id,
        {{ entity_id('source_system', 'product_code') }} as product_id,
        member_key,
        source_system,
        batch_id,
        scene,
        algorithm,
        position,
        propensity,
        coalesce(is_clicked, false) as is_clicked,
        {{ is_deleted_flag() }},
        {{ business_date('shown_at') }} as business_date,
        shown_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from recommendation_exposures

)

select * from final
