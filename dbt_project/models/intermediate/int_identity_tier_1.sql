{{ config(materialized='table') }}

{#- Member numbers, and what somebody has decided. -#}
-- depends_on: {{ ref('int_identity_accounts') }}
{{ identity_tier(1, '(select account_id, account_id as cluster_id from ' ~ ref('int_identity_accounts') ~ ')') }}
