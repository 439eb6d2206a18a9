{{ config(materialized='table') }}

{#-
    Whose an anonymous visit was: for every device or cookie that somebody logged in with, from when to when (half-open, without
    overlaps). Between two members of a shared device the visits belong to the one who logs in next: the login is what the visit led to.
-#}
with identifiers as (

    select * from {{ ref('stg_identifiers') }}
    where not is_deleted and anonymous_id is not null

),

resolved as (

    select * from {{ ref('int_accounts_resolved') }}

),

logins as (

    select
        identifiers.anonymous_id,
        identifiers.source_system,
        resolved.member_id,
        identifiers.observed_at,
        max(identifiers.loaded_at) as loaded_at
    from identifiers
    inner join resolved on identifiers.account_id = resolved.account_id
    group by identifiers.anonymous_id, identifiers.source_system, resolved.member_id, identifiers.observed_at

),

-- Two members at one instant say nothing; the first by name stands for it, so that the result does not depend on order.
compared as (

    select
        *,
        lag(member_id) over (
            partition by source_system, anonymous_id order by observed_at asc nulls last, member_id asc nulls last
        ) as previous_member_id
    from logins

),

numbered as (

    select
        *,
        sum(case when previous_member_id = member_id then 0 else 1 end) over (
            partition by source_system, anonymous_id order by observed_at asc nulls last, member_id asc nulls last
            rows between unbounded preceding and current row
        ) as turn
    from compared

),

turns as (

    select
        source_system,
        anonymous_id,
        turn,
        min(member_id) as member_id,
        min(observed_at) as first_at,
        max(observed_at) as last_at,
        max(loaded_at) as loaded_at
    from numbered
    group by source_system, anonymous_id, turn

),

neighboured as (

    select
        *,
        lag(last_at) over (partition by source_system, anonymous_id order by turn asc nulls last) as previous_last_at,
        lead(turn) over (partition by source_system, anonymous_id order by turn asc nulls last) as next_turn
    from turns

),

bounded as (

    select
        source_system,
        anonymous_id,
        member_id,
        coalesce(
            previous_last_at,
            {{ dbt.dateadd('day', -brand_identity_lookback_days(), 'first_at') }}
        ) as valid_from,
        case
            when next_turn is null then cast('9999-12-31 00:00:00+00' as {{ type_instant() }})
            else last_at
        end as valid_to,
        loaded_at
    from neighboured

),

final as (

    select * from bounded
    where valid_from < valid_to

)

select * from final
