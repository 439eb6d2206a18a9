with exchange_rates as (

    select * from {{ ref('ref_exchange_rates') }}
    where
        to_currency_code = '{{ brand_currency_code() }}'
        and from_currency_code <> '{{ brand_currency_code() }}'

),

-- A rate holds until the next one: the last one on or before a date is the rate of that date.
final as (

    select
        from_currency_code,
        exchange_rate,
        rate_date as valid_from,
        coalesce(
            lead(rate_date) over (partition by from_currency_code order by rate_date asc nulls last), cast('9999-12-31' as date)
        ) as valid_to
    from exchange_rates

)

select * from final
