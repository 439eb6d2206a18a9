{{ config(materialized='table') }}

{#- Member numbers, and what somebody has decided. -#}
with final as (

    {{ identity_tier(1, '(select account_id, account_id as cluster_id from ' ~ ref('int_accounts_numbered') ~ ')') }}

)

select * from final
