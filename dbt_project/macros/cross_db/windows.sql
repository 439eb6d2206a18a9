{#
    The newest value of a key that is not NULL, up to and with the current row, by `instant` and, of one instant, by `tie`: together
    they must tell every two rows of a key apart.
#}
{% macro last_known(value, key, instant, tie) %}{{ return(adapter.dispatch('last_known', 'tessera')(value, key, instant, tie)) }}{% endmacro %}
{% macro default__last_known(value, key, instant, tie) -%}
    last_value({{ value }} ignore nulls) over ({{ _until_now(key, instant, tie) }})
{%- endmacro %}
{% macro spark__last_known(value, key, instant, tie) -%}
    last_value({{ value }}, true) over ({{ _until_now(key, instant, tie) }})
{%- endmacro %}
{% macro _until_now(key, instant, tie) -%}
    partition by {{ key }}
    order by {{ instant }} asc nulls last, {{ tie }} asc nulls last
    rows between unbounded preceding and current row
{%- endmacro %}
