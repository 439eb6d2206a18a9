with campaigns as (

    {{ newest_versions('campaigns', ['campaign_code']) }}

),

final as (

    select
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        campaign_code,
        source_system,
        batch_id,
        campaign_name,
        campaign_type,
        channel,
        goal,
        currency_code,
        holdout_share,
        budget_amount,
        {{ is_deleted_flag() }},
        starts_on as start_date,
        ends_on as end_date,
        starts_at,
        ends_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from campaigns

)

select * from final
