with offers as (

    {{ newest_versions('offers', ['offer_code']) }}

),

final as (

    select
        {{ entity_id('source_system', 'offer_code') }} as offer_id,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        offer_code,
        source_system,
        batch_id,
        offer_name,
        offer_kind,
        payer,
        threshold_amount,
        discount_amount,
        discount_rate,
        coalesce(is_stackable, false) as is_stackable,
        {{ is_deleted_flag() }},
        valid_from,
        valid_to,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from offers

)

select * from final
