with identifiers as (

    {{ newest_versions('identifiers', ['member_key', 'identifier_type', 'identifier_value', 'observed_at'], is_large=true) }}

),

typed as (

    select
        *,
        {{ standard_identifier_type('identifier_type') }} as standard_type
    from identifiers

),

prepared as (

    select
        *,
        {{ identifier_text('standard_type', 'identifier_value') }} as identifier_text
    from typed

),

standardised as (

    select
        *,
        {{ standard_identifier('standard_type', 'identifier_text') }} as standard_value
    from prepared

),

final as (

    select
        {{ composite_id([
            'source_system', 'member_key', 'identifier_type', 'identifier_value', instant_microseconds('observed_at')
        ]) }} as identifier_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        case when standard_type in ('device_id', 'cookie_id', 'openid') then {{ anonymous_id('source_system', 'identifier_value') }} end as anonymous_id,
        member_key,
        source_system,
        batch_id,
        standard_type as identifier_type,
        {{ identifier_hash('standard_type', 'standard_value') }} as identifier_hash,
        {{ identifier_rule('standard_type', 'identifier_value', 'identifier_text', 'standard_value') }} as identifier_rule,
        coalesce(is_verified, false) as is_verified,
        {{ is_deleted_flag() }},
        observed_at,
        valid_to,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from standardised

)

select * from final
