{{ config(materialized='table') }}

{#- Order numbers that customer service and reviews cite. -#}
with final as (

    {{ identity_tier(3, ref('int_accounts_tier_2_joined')) }}

)

select * from final
