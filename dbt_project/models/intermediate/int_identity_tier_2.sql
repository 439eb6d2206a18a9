{{ config(materialized='table') }}

{#- Ids that a platform gives to one person: UnionID, OpenID, Tmall OUID, JD pin. -#}
{{ identity_tier(2, ref('int_identity_tier_1')) }}
