{#
    A contract's column types are written in DuckDB's words. Spark reads most of them; these are its words for the others. The
    contract is then checked by either engine, before a table is written.
#}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set words = {'timestamptz': 'timestamp', 'varchar': 'string'} -%}
    {%- set typed = {} -%}
    {%- for name, column in columns.items() -%}
        {%- if not column['data_type'] -%}
            {{ exceptions.raise_compiler_error(model.name ~ "." ~ name ~ " has a contract and no data_type; give it one in its YAML") }}
        {%- endif -%}
        {%- set element = column['data_type'].removesuffix('[]') -%}
        {%- set word = words.get(element, element) -%}
        {%- do typed.update({name: 'array<' ~ word ~ '>' if column['data_type'].endswith('[]') else word}) -%}
    {%- endfor -%}
    select
    {%- for name, type in typed.items() %}
        cast(null as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
