{{ config(materialized='table') }}

{#- Contacts as written on a form, a parcel or a receipt. -#}
{{ identity_tier(5, ref('int_identity_tier_4')) }}
