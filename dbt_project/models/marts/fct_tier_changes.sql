with tiers as (

    select * from {{ ref('stg_member_tiers_landed') }}

),

-- A tier that is said again changes nothing.
ordered as (

    select
        *,
        lag(tier_name) over (
            partition by account_id
            order by
                observed_at asc nulls last, change_sequence asc nulls last, loaded_at asc nulls last, batch_id asc nulls last,
                source_row_number asc nulls last
        ) as previous_tier_name
    from tiers

),

numbered as (

    select
        *,
        row_number() over (
            partition by account_id
            order by
                observed_at asc nulls last, change_sequence asc nulls last, loaded_at asc nulls last, batch_id asc nulls last,
                source_row_number asc nulls last
        ) as change_number
    from ordered
    where previous_tier_name is null or previous_tier_name <> tier_name

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

final as (

    select
        numbered.account_id || '-' || cast(numbered.change_number as {{ dbt.type_string() }}) as tier_change_id,
        resolved_accounts.member_id,
        numbered.account_id,
        numbered.source_system,
        numbered.batch_id,
        numbered.previous_tier_name as from_tier_name,
        numbered.tier_name as to_tier_name,
        cast(numbered.change_number as integer) as change_number,
        numbered.previous_tier_name is null as is_first_known,
        {{ business_date('numbered.observed_at') }} as business_date,
        numbered.observed_at as changed_at,
        numbered.loaded_at
    from numbered
    left join resolved_accounts on numbered.account_id = resolved_accounts.account_id

)

select * from final
