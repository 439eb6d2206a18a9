{# UTC instant: TIMESTAMPTZ on DuckDB, TIMESTAMP on Spark (which stores instants). #}
{% macro type_instant() %}{{ return(adapter.dispatch('type_instant', 'tessera')()) }}{% endmacro %}
{% macro default__type_instant() %}{{ return('timestamptz') }}{% endmacro %}
{% macro spark__type_instant() %}{{ return('timestamp') }}{% endmacro %}

{# A date `days` later, still a DATE (DuckDB turns date + interval into a timestamp). #}
{% macro add_days(date_expression, days) %}{{ return(adapter.dispatch('add_days', 'tessera')(date_expression, days)) }}{% endmacro %}
{% macro default__add_days(date_expression, days) -%}
    cast({{ dbt.dateadd('day', days, date_expression) }} as date)
{%- endmacro %}
{% macro spark__add_days(date_expression, days) -%}
    date_add({{ date_expression }}, {{ days }})
{%- endmacro %}

{# Whole days from the first date to the second, negative when the second is earlier. #}
{% macro days_between(first_date, second_date) %}{{ return(adapter.dispatch('days_between', 'tessera')(first_date, second_date)) }}{% endmacro %}
{% macro default__days_between(first_date, second_date) -%}
    {{ dbt.datediff(first_date, second_date, 'day') }}
{%- endmacro %}
{# Both as dates first: Spark would count the midnights of instants, which are the session's and not the brand's. #}
{% macro spark__days_between(first_date, second_date) -%}
    datediff(cast({{ second_date }} as date), cast({{ first_date }} as date))
{%- endmacro %}

{# numerator / denominator as a DOUBLE, NULL when the denominator is 0. Decimal division differs between the engines. #}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro %}

{# One row per integer 0 .. n-1, column `n`. #}
{% macro integers(n) -%}
    ({% for i in range(n) %}select {{ i }} as n{% if not loop.last %} union all {% endif %}{% endfor %})
{%- endmacro %}

{# Typed money: two decimals, the precision that marts promise. #}
{% macro money(expression) -%}
    cast({{ expression }} as decimal(18, 2))
{%- endmacro %}

{#
    An amount of at most two decimals shared out over a count, to the cent and half a cent up, NULL over none. In whole numbers:
    DuckDB divides decimals as doubles, and then half a cent goes up or down with their last digit. Without its remainder the
    division is exact, up to 2^53 twohundredths of a cent.
#}
{% macro money_per(amount, count) -%}
    {%- set dividend = '(cast(abs(' ~ amount ~ ') * 200 as bigint) + ' ~ count ~ ')' -%}
    {%- set divisor = 'nullif(2 * ' ~ count ~ ', 0)' -%}
    cast(
        cast(
            case when {{ amount }} < 0 then -1 else 1 end
            * cast(round(cast({{ dividend }} - {{ dividend }} % {{ divisor }} as double) / cast({{ divisor }} as double)) as bigint)
            as decimal(18, 0)
        ) * cast(0.01 as decimal(3, 2)) as decimal(18, 2)
    )
{%- endmacro %}

{# Microseconds of an instant since 1970, a BIGINT: the same on both engines, where an instant as text is not. #}
{% macro instant_microseconds(instant) %}{{ return(adapter.dispatch('instant_microseconds', 'tessera')(instant)) }}{% endmacro %}
{% macro default__instant_microseconds(instant) %}{{ return('epoch_us(' ~ instant ~ ')') }}{% endmacro %}
{% macro spark__instant_microseconds(instant) %}{{ return('unix_micros(' ~ instant ~ ')') }}{% endmacro %}

{#
    Aggregate: the value at the greatest instant, of several at that instant the greatest; rows without either do not count. The
    engines' own max_by gives any of several, and one of them NULL where the newest row has none.
#}
{% macro newest_value(value, instant) -%}
    max_by({{ value }}, {{ _pair(instant, value) }}) filter (where {{ value }} is not null and {{ instant }} is not null)
{%- endmacro %}

{% macro _pair(first, second) %}{{ return(adapter.dispatch('_pair', 'tessera')(first, second)) }}{% endmacro %}
{% macro default___pair(first, second) %}{{ return('row(' ~ first ~ ', ' ~ second ~ ')') }}{% endmacro %}
{% macro spark___pair(first, second) %}{{ return('struct(' ~ first ~ ', ' ~ second ~ ')') }}{% endmacro %}
