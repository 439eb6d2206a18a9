{# A folder's schema is used as it is written, without the target's prefix: analysts see `marts`, not `scratch_marts`. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
