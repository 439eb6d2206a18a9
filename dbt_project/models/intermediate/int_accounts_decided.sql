{{ config(materialized='table') }}

with decisions as (

    select * from {{ ref('stg_identity_decisions') }}

),

-- What somebody has decided, by account: pairs to keep apart, and members of groups to keep together.
final as (

    select
        decision_code,
        decision,
        {{ account_id('source_system', 'member_key') }} as account_id,
        source_system,
        {{ account_id('other_source_system', 'other_member_key') }} as other_account_id,
        reason,
        decided_at
    from decisions

)

select * from final
