{#
    Rates of the currencies and dates that a relation has, one row each: the last rate on or before the date. Only distinct dates of
    foreign currencies are looked up, whatever the number of rows; who joins the result on both columns finds NULL for the brand's
    own currency and for what has no rate: see `applied_rate`.
#}
{% macro rates_of(relation, date) -%}
    select
        dated.currency_code,
        dated.rated_date,
        rates.exchange_rate,
        rates.valid_from as rate_date
    from (
        select distinct currency_code, {{ date }} as rated_date
        from {{ relation }}
        where currency_code <> '{{ brand_currency_code() }}'
    ) as dated
    inner join {{ ref('int_exchange_rates_ranged') }} as rates
        on dated.currency_code = rates.from_currency_code
        and dated.rated_date >= rates.valid_from
        and dated.rated_date < rates.valid_to
{%- endmacro %}

{# The brand's own currency is worth 1. A currency without a rate has none: NULL, never 1. #}
{% macro applied_rate(currency_code, exchange_rate) -%}
    cast(case when {{ currency_code }} = '{{ brand_currency_code() }}' then 1 else {{ exchange_rate }} end as decimal(18, 8))
{%- endmacro %}
