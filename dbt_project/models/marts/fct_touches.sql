with touches as (

    select * from {{ ref('int_touches_dated') }}

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

final as (

    select
        touches.touch_id,
        resolved_accounts.member_id,
        touches.account_id,
        touches.campaign_id,
        touches.source_system,
        touches.channel,
        touches.touch_type,
        touches.is_date_assumed,
        touches.is_holdout,
        touches.business_date,
        touches.touched_at,
        touches.loaded_at
    from touches
    left join resolved_accounts on touches.account_id = resolved_accounts.account_id

)

select * from final
