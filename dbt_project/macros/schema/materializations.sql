{#
    Tables and views on DuckDB, made in place. dbt makes them beside the old ones, looks for indexes and foreign keys, renames twice
    and drops, in up to eleven statements a model; for one of moderate size that costs more than its data. DuckDB's transactions
    give what that is for: until the commit everybody reads the old relation, and a failure leaves it as it was.
    Neither grants nor indexes nor Python models: the project has none.
#}
{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {{ drop_existing_relation(load_cached_relation(this)) }}
        {{ create_table_as(False, target_relation, compiled_code, 'sql') }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') -%}
        {{ drop_existing_relation(load_cached_relation(this)) }}
        {{ get_create_view_as_sql(target_relation, compiled_code) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro drop_existing_relation(relation) -%}
    {%- if relation is not none -%}
        drop {{ relation.type }} if exists {{ relation }};
    {%- endif -%}
{%- endmacro %}
