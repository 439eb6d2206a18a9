{# Opaque and stable: the same account always gets the same id, and the id reveals nothing by itself. #}
{% macro account_id(source_system, member_key) -%}
    case when {{ member_key }} is not null then 'm_' || substr(md5({{ source_system }} || '|' || {{ member_key }}), 1, 20) end
{%- endmacro %}

{# Keys of things that are not people stay readable: source and key. #}
{% macro entity_id(source_system, key) -%}
    case when {{ key }} is not null then {{ source_system }} || ':' || {{ key }} end
{%- endmacro %}

{# The source's own key in such an id. #}
{% macro key_of_id(id, source_system) -%}
    substr({{ id }}, length({{ source_system }}) + 2)
{%- endmacro %}

{# The same for somebody of whom only a device, a cookie or an OpenID is known. #}
{% macro anonymous_id(source_system, anonymous_key) -%}
    case when {{ anonymous_key }} is not null then 'a_' || substr(md5({{ source_system }} || '|' || {{ anonymous_key }}), 1, 20) end
{%- endmacro %}

{# A visit is named after its first event. #}
{% macro visit_id(first_event_id) -%}
    's_' || substr(md5({{ first_event_id }}), 1, 20)
{%- endmacro %}

{# One id for a key of several parts, none of them NULL. #}
{% macro composite_id(parts) -%}
    md5({% for part in parts %}cast({{ part }} as {{ dbt.type_string() }}){{ " || '|' || " if not loop.last }}{% endfor %})
{%- endmacro %}
