{{ config(materialized='table') }}

{#- Contacts as written on a form, a parcel or a receipt. -#}
with final as (

    {{ identity_tier(5, ref('int_accounts_tier_4_joined')) }}

)

select * from final
