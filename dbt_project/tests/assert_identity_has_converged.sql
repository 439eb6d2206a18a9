-- Returns rows when the smallest label has not reached every account of a group (identity_rounds() is too small for this brand), when
-- accounts with different member numbers are one member, or when an account joined a member without a time or a reason.
with resolved as (

    select * from {{ ref('int_accounts_resolved') }}

),

accounts as (

    select * from {{ ref('int_accounts_numbered') }}

),

changes as (

    select * from {{ ref('fct_identity_changes') }}

),

unsettled as (

    {% for tier in identity_tiers() %}
    select account_id as subject from {{ ref('int_accounts_tier_' ~ tier ~ '_joined') }}
    where not is_settled
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

two_numbers as (

    select resolved.member_id as subject
    from resolved
    inner join accounts on resolved.account_id = accounts.account_id
    group by resolved.member_id
    having min(accounts.lowest_member_number) <> max(accounts.highest_member_number)

),

unexplained as (

    select account_id as subject from changes
    where changed_at is null or reason is null

),

final as (

    select subject from unsettled
    union all
    select subject from two_numbers
    union all
    select subject from unexplained

)

select * from final
