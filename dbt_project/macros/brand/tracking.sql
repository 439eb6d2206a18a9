{#
    Properties of the brand's tracking plan, as (name, is_contract_field). Names are checked when the plan is read
    (orchestration.brands): they may stand in SQL. Unit tests override this macro.
#}
{% macro planned_property_names() %}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set rows = run_query('select distinct property_name, is_contract_field from config.planned_properties order by property_name nulls last').rows -%}
    {%- set found = [] -%}
    {%- for row in rows -%}{%- do found.append({'name': row[0], 'is_contract_field': row[1]}) -%}{%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{# A property of an event as text: a field of the contract, or a key of `properties`. #}
{% macro event_property(property) -%}
    {%- set staged = {'anonymous_key': 'anonymous_id', 'product_code': 'product_id', 'order_key': 'order_id',
        'campaign_code': 'campaign_id'} -%}
    {%- if property.is_contract_field -%}
    cast({{ staged.get(property.name, property.name) }} as {{ dbt.type_string() }})
    {%- else -%}
    {{ key_text('properties', property.name) }}
    {%- endif -%}
{%- endmacro %}
