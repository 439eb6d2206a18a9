{# Where a member's value comes from: what the member or a clerk declared counts before what a provider of profiles thinks. #}
{% macro origin_of(declared, external) -%}
    case when {{ declared }} is not null then 'declared' when {{ external }} is not null then 'external' end
{%- endmacro %}
