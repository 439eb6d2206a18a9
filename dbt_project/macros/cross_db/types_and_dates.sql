{# UTC instant: TIMESTAMPTZ on DuckDB, TIMESTAMP on Spark (which stores instants). #}
{% macro type_instant() %}{{ return(adapter.dispatch('type_instant', 'tessera')()) }}{% endmacro %}
{% macro default__type_instant() %}{{ return('timestamptz') }}{% endmacro %}
{% macro spark__type_instant() %}{{ return('timestamp') }}{% endmacro %}

{# A date `days` later, still a DATE (DuckDB turns date + interval into a timestamp). #}
{% macro add_days(date_expression, days) -%}
    cast({{ dbt.dateadd('day', days, date_expression) }} as date)
{%- endmacro %}

{# Whole days from the first date to the second, negative when the second is earlier. #}
{% macro days_between(first_date, second_date) -%}
    {{ dbt.datediff(first_date, second_date, 'day') }}
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

{# Microseconds of an instant since 1970, a BIGINT: the same on both engines, where an instant as text is not. #}
{% macro instant_microseconds(instant) %}{{ return(adapter.dispatch('instant_microseconds', 'tessera')(instant)) }}{% endmacro %}
{% macro default__instant_microseconds(instant) %}{{ return('epoch_us(' ~ instant ~ ')') }}{% endmacro %}
{% macro spark__instant_microseconds(instant) %}{{ return('unix_micros(' ~ instant ~ ')') }}{% endmacro %}
