with external_profiles as (

    {{ newest_versions('external_profiles', ['member_key', 'provider', 'attribute_code']) }}

),

final as (

    select
        {{ composite_id(['source_system', 'member_key', 'provider', 'attribute_code']) }} as external_profile_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        member_key,
        source_system,
        batch_id,
        provider,
        attribute_code,
        attribute_value,
        confidence,
        tgi,
        {{ is_deleted_flag() }},
        valid_from,
        valid_to,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from external_profiles

)

select * from final
