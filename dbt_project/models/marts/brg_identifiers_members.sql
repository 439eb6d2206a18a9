{{ config(schema='restricted') }}

with identifiers as (

    select * from {{ ref('stg_identifiers') }}
    where not is_deleted and identifier_hash is not null

),

resolved as (

    select * from {{ ref('int_accounts_resolved') }}

),

rules as (

    select * from {{ ref('stg_identity_rules') }}

),

-- A system sees an identifier with an account again and again: one row says from when to when.
grouped as (

    select
        account_id,
        source_system,
        identifier_type,
        identifier_hash,
        max(case when is_verified then 1 else 0 end) = 1 as is_verified,
        min(observed_at) as valid_from,
        max(observed_at) as last_observed_at,
        case when count(*) = count(valid_to) then max(valid_to) end as valid_to,
        max(loaded_at) as loaded_at
    from (
        select * from identifiers
    ) as named
    group by account_id, source_system, identifier_type, identifier_hash

),

final as (

    select
        {{ composite_id(['grouped.account_id', 'grouped.identifier_type', 'grouped.identifier_hash']) }} as identifier_member_id,
        resolved.member_id,
        grouped.account_id,
        grouped.source_system,
        grouped.identifier_type,
        grouped.identifier_hash,
        case when rules.tier is null then 'weak' when rules.is_recycled then 'contact' else 'strong' end as strength,
        grouped.is_verified,
        grouped.valid_from,
        grouped.valid_to,
        grouped.last_observed_at,
        grouped.loaded_at
    from grouped
    inner join resolved on grouped.account_id = resolved.account_id
    left join rules on grouped.identifier_type = rules.identifier_type

)

select * from final
