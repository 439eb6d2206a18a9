{{ config(materialized='table') }}

{#- Ids that a platform gives to one person: UnionID, OpenID, Tmall OUID, JD pin. -#}
with final as (

    {{ identity_tier(2, ref('int_accounts_tier_1_joined')) }}

)

select * from final
