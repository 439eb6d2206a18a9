{{ config(materialized='table') }}

{#- Contacts that a system has verified. -#}
{{ identity_tier(4, ref('int_identity_tier_3')) }}
