{#-
    What a member has agreed to, by channel and purpose, from when to when. The newest decision of any of the member's accounts counts; of two
    of one instant the refusal.
-#}
with consents as (

    select * from {{ ref('stg_consents') }}
    where not is_deleted

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

decided as (

    select
        resolved_accounts.member_id,
        consents.channel,
        consents.purpose,
        consents.decided_at,
        min(case when consents.is_granted then 1 else 0 end) = 1 as is_granted,
        max(consents.loaded_at) as loaded_at
    from consents
    inner join resolved_accounts on consents.account_id = resolved_accounts.account_id
    group by resolved_accounts.member_id, consents.channel, consents.purpose, consents.decided_at

),

compared as (

    select
        *,
        lag(is_granted) over (
            partition by member_id, channel, purpose order by decided_at asc nulls last
        ) as was_granted
    from decided

),

final as (

    select
        {{ composite_id(['member_id', "coalesce(channel, '')", "coalesce(purpose, '')", instant_microseconds('decided_at')]) }}
            as consent_version_id,
        member_id,
        channel,
        purpose,
        is_granted,
        lead(decided_at) over (partition by member_id, channel, purpose order by decided_at asc nulls last) is null as is_current,
        decided_at as valid_from,
        lead(decided_at) over (partition by member_id, channel, purpose order by decided_at asc nulls last) as valid_to,
        loaded_at
    from compared
    where was_granted is null or was_granted <> is_granted

)

select * from final
