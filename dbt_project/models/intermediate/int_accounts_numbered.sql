{{ config(materialized='table') }}

with accounts as (

    select * from {{ ref('int_accounts_sighted') }}

),

links as (

    select * from {{ ref('int_identifiers_linked') }}

),

numbers as (

    select
        account_id,
        min(node_id) as lowest_member_number,
        max(node_id) as highest_member_number
    from links
    where identifier_type = 'member_number'
    group by account_id

),

-- Every account with the member numbers that it was seen with: mostly none or one.
final as (

    select
        accounts.account_id,
        accounts.source_system,
        numbers.lowest_member_number,
        numbers.highest_member_number,
        accounts.loaded_at
    from accounts
    left join numbers on accounts.account_id = numbers.account_id

)

select * from final
