{# Text of a top-level key of a JSON object; NULL when the object or the key is not there. `key` is a plain name. #}
{% macro key_text(object, key) %}{{ return(adapter.dispatch('key_text', 'tessera')(object, key)) }}{% endmacro %}

{% macro default__key_text(object, key) -%}
    json_extract_string({{ object }}, '$.{{ key }}')
{%- endmacro %}

{% macro spark__key_text(object, key) -%}
    get_json_object({{ object }}, '$.{{ key }}')
{%- endmacro %}
