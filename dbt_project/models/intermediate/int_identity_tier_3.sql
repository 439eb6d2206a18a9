{{ config(materialized='table') }}

{#- Order numbers that customer service and reviews cite. -#}
{{ identity_tier(3, ref('int_identity_tier_2')) }}
