{#- Every tier that a member's profile ever had, by version: older snapshots count, batches that a corrected file replaced do not. -#}
with members as (

    select * from {{ source('raw', 'members') }}
    where tier_name is not null and not coalesce(is_deleted, false)

),

batches as (

    select * from {{ ref('stg_load_batches') }}
    where entity = 'members' and (is_current or mode = 'full')

),

final as (

    select
        {{ account_id('members.source_system', 'members.member_key') }} as account_id,
        members.source_system,
        members.batch_id,
        members.tier_name,
        members.source_row_number,
        members.change_sequence,
        coalesce(members.changed_at, members.loaded_at) as observed_at,
        members.loaded_at
    from members
    inner join batches on members.batch_id = batches.batch_id

)

select * from final
