-- Returns rows when a member changed from one lifecycle state to another in a way that docs/segments.md does not allow.
{{ config(meta={'dagster': {'ref': {'name': 'fct_lifecycle_transitions'}}}) }}

with transitions as (

    select * from {{ ref('fct_lifecycle_transitions') }}

),

final as (

    select
        member_id,
        from_state,
        to_state,
        cause
    from transitions
    where not coalesce(
        (from_state = 'prospect' and to_state = 'new' and cause = 'purchase')
        or (from_state = 'new' and to_state in ('active', 'loyal', 'dormant') and cause = 'time')
        or (from_state = 'returned' and to_state in ('active', 'loyal', 'dormant') and cause = 'time')
        or (from_state = 'active' and to_state = 'loyal' and cause = 'purchase')
        or (from_state = 'active' and to_state = 'dormant' and cause = 'time')
        or (from_state = 'loyal' and to_state in ('active', 'dormant') and cause = 'time')
        or (from_state = 'dormant' and to_state = 'lost' and cause = 'time')
        or (from_state in ('dormant', 'lost') and to_state = 'returned' and cause = 'purchase'), false
    )

)

select * from final
