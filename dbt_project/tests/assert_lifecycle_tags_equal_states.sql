-- Returns rows when a member's tag lifecycle_state is not the state that the member is in at the cut.
{{ config(meta={'dagster': {'ref': {'name': 'member_tags'}}}) }}

with member_tags as (

    select * from {{ ref('member_tags') }}

),

lifecycle as (

    select * from {{ ref('seg_lifecycle') }}

),

final as (

    select
        member_tags.member_id,
        member_tags.lifecycle_state as tagged_state,
        lifecycle.lifecycle_state
    from member_tags
    full outer join lifecycle on member_tags.member_id = lifecycle.member_id
    where member_tags.lifecycle_state is distinct from lifecycle.lifecycle_state

)

select * from final
