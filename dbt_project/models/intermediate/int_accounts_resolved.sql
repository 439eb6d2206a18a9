{{ config(materialized='table') }}

{#- One-ID: which member every account belongs to. The account that came in first gives the member its id, so nothing new renames it. -#}
with clusters as (

    select * from {{ ref('int_accounts_tier_5_joined') }}

),

accounts as (

    select * from {{ ref('int_accounts_numbered') }}

),

landed as (

    select * from {{ ref('stg_accounts_landed') }}

),

ranked as (

    select
        clusters.account_id,
        clusters.cluster_id,
        accounts.source_system,
        landed.first_loaded_at,
        first_value(clusters.account_id) over (
            partition by clusters.cluster_id order by landed.first_loaded_at asc nulls last, clusters.account_id asc nulls last
        ) as member_id,
        count(*) over (partition by clusters.cluster_id) as account_count
    from clusters
    inner join accounts on clusters.account_id = accounts.account_id
    left join landed on clusters.account_id = landed.account_id

),

final as (

    select
        account_id,
        member_id,
        source_system,
        account_count > 1 as is_merged,
        cast(account_count as integer) as account_count,
        first_loaded_at
    from ranked

)

select * from final
