with identity_decisions as (

    select * from {{ source('config', 'identity_decisions') }}

),

final as (

    select
        decision_code,
        decision,
        source_system,
        member_key,
        other_source_system,
        other_member_key,
        reason,
        decided_at
    from identity_decisions

)

select * from final
