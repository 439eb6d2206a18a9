with touches as (

    {{ newest_versions('touches', ['member_key', 'campaign_code', 'channel', 'message_key', 'touch_type'], is_large=true) }}

),

final as (

    select
        {{ composite_id(['source_system', 'member_key', 'campaign_code', 'channel', 'message_key', 'touch_type']) }} as touch_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        member_key,
        source_system,
        batch_id,
        channel,
        message_key,
        touch_type,
        failure_reason,
        coalesce(is_holdout, false) as is_holdout,
        {{ is_deleted_flag() }},
        {{ business_date('touched_at') }} as business_date,
        touched_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from touches

)

select * from final
