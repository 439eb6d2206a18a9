{#
    A table that has no row is built as if it were not there. Then the first files that a brand delivers take the way of a full
    build, which reads each row once and writes it once; the way of a day compares with what is there, and there is nothing.

    dbt asks this macro, under this name, for `is_incremental()` and when it decides between a new table and an addition to the one
    that is there: both have the same answer, because nothing is deleted between the two questions.
#}
{% macro should_full_refresh() -%}
    {%- set configured = config.get('full_refresh') -%}
    {%- set asked = flags.FULL_REFRESH if configured is none else configured -%}
    {{ return(asked or (config.get('materialized') == 'incremental' and target.type == 'duckdb' and _is_empty_table(this))) }}
{%- endmacro %}

{% macro _is_empty_table(relation) -%}
    {%- set found = load_relation(relation) if execute else none -%}
    {%- if found is none or found.type != 'table' -%}{{ return(false) }}{%- endif -%}
    {{ return(run_query('select 1 from ' ~ relation ~ ' limit 1') | length == 0) }}
{%- endmacro %}
