{{ config(materialized='table') }}

{#- Contacts that a system has verified. -#}
with final as (

    {{ identity_tier(4, ref('int_accounts_tier_3_joined')) }}

)

select * from final
