with consents as (

    {{ newest_versions('consents', ['member_key', 'channel', 'purpose', 'decided_at']) }}

),

final as (

    select
        {{ composite_id(['source_system', 'member_key', 'channel', 'purpose', instant_microseconds('decided_at')]) }} as consent_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        member_key,
        source_system,
        batch_id,
        channel,
        purpose,
        evidence,
        is_granted,
        {{ is_deleted_flag() }},
        {{ business_date('decided_at') }} as business_date,
        decided_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from consents

)

select * from final
