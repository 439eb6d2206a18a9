{# Opaque and stable: the same source member always gets the same id, and the id reveals nothing by itself. #}
{% macro member_id(source_system, member_key) -%}
    case when {{ member_key }} is not null then 'm_' || substr(md5({{ source_system }} || '|' || {{ member_key }}), 1, 20) end
{%- endmacro %}

{# Keys of things that are not people stay readable: source and key. #}
{% macro entity_id(source_system, key) -%}
    case when {{ key }} is not null then {{ source_system }} || ':' || {{ key }} end
{%- endmacro %}
