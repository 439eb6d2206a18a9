with exchange_rates as (

    select * from {{ source('reference_data', 'exchange_rates') }}

),

final as (

    select
        from_currency_code,
        to_currency_code,
        exchange_rate,
        is_carried,
        rate_date,
        published_date
    from exchange_rates

)

select * from final
