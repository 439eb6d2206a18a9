-- Returns rows when a transaction's debits are not its credits, in any currency.
{{ config(meta={'dagster': {'ref': {'name': 'fct_ledger_entries'}}}) }}

with final as (

    select
        transaction_id,
        currency_code,
        sum(debit_amount) as debit_amount,
        sum(credit_amount) as credit_amount
    from {{ ref('fct_ledger_entries') }}
    group by transaction_id, currency_code
    having sum(debit_amount) <> sum(credit_amount)

)

select * from final
