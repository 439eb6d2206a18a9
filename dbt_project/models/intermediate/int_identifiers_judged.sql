{{ config(materialized='table') }}

{#- What became of every identifier that more than one account has: whether it joined them, or why it was left out. -#}
with links as (

    select * from {{ ref('int_identifiers_linked') }}

),

resolved as (

    select * from {{ ref('int_accounts_resolved') }}

),

accounts as (

    select * from {{ ref('int_accounts_numbered') }}

),

decisions as (

    select * from {{ ref('int_accounts_decided') }}
    where decision = 'keep_apart'

),

counted as (

    select
        links.node_id,
        min(links.identifier_type) as identifier_type,
        min(links.tier) as tier,
        max(case when links.is_hub then 1 else 0 end) = 1 as is_hub,
        count(distinct links.account_id) as account_count,
        count(distinct resolved.member_id) as member_count,
        count(distinct accounts.lowest_member_number) as member_number_count
    from links
    inner join resolved on links.account_id = resolved.account_id
    inner join accounts on links.account_id = accounts.account_id
    group by links.node_id

),

-- Clusters that somebody has decided to keep apart, by the members that they are now.
parted as (

    select distinct links.node_id
    from links
    inner join decisions on links.account_id = decisions.account_id
    union
    select distinct links.node_id
    from links
    inner join decisions on links.account_id = decisions.other_account_id

),

final as (

    select
        counted.node_id,
        counted.identifier_type,
        cast(counted.tier as integer) as tier,
        cast(counted.account_count as integer) as account_count,
        cast(counted.member_count as integer) as member_count,
        counted.member_count > 1 as is_left_out,
        case
            when counted.member_count = 1 then null
            when counted.is_hub then 'hub'
            when counted.member_number_count > 1 then 'two_member_numbers'
            when parted.node_id is not null then 'kept_apart'
            else 'conflicting_group'
        end as reason
    from counted
    left join parted on counted.node_id = parted.node_id
    where counted.account_count > 1

)

select * from final
