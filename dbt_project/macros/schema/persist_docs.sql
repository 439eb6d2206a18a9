{#
    Comments of a table and its columns in one statement. dbt asks the engine for the table's columns, twice, before it comments on
    them; under a contract the columns are those that the model declares. Models without one are commented on as dbt does it.
#}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- if not config.get('contract').enforced -%}
        {%- do default__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- else -%}
        {%- set comments -%}
            {%- if for_relation and config.persist_relation_docs() and model.description -%}
                comment on {{ relation.type }} {{ relation }} is {{ duckdb_escape_comment(model.description) }};
            {%- endif -%}
            {%- if for_columns and config.persist_column_docs() -%}
                {%- for column in model.columns.values() if column.description %}
                comment on column {{ relation }}.{{ adapter.quote(column.name) if column.quote else column.name }} is {{ duckdb_escape_comment(column.description) }};
                {%- endfor -%}
            {%- endif -%}
        {%- endset -%}
        {%- if comments | trim -%}
            {%- do run_query(comments) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
