-- Returns rows when a member has a day in no lifecycle state or in two, or has no current one, from the first day on to the cut.
{{ config(meta={'dagster': {'ref': {'name': 'fct_lifecycle_states'}}}) }}

with lifecycle_states as (

    select * from {{ ref('fct_lifecycle_states') }}

),

members as (

    select member_id from {{ ref('dim_members') }}
    {% if not brand_has_orders() %}
    where false
    {% endif %}

),

followed as (

    select
        *,
        lead(valid_from) over (partition by member_id order by valid_from nulls last) as next_from,
        lead(state_number) over (partition by member_id order by valid_from nulls last) as next_number
    from lifecycle_states

),

gaps as (

    select
        member_id,
        'gap or overlap' as problem
    from followed
    where
        valid_to is distinct from next_from
        or coalesce(next_number, state_number + 1) <> state_number + 1

),

currents as (

    select
        members.member_id,
        'not one current state' as problem
    from members
    left join lifecycle_states on members.member_id = lifecycle_states.member_id and lifecycle_states.is_current
    group by members.member_id
    having count(lifecycle_states.member_id) <> 1

),

final as (

    select * from gaps
    union all
    select * from currents

)

select * from final
