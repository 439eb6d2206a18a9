{#
    Figures of every tag's values: how often each is there (tag_distributions) and what they are like (tag_statistics). One pass over one
    column a tag; nothing is made long but the different values and how often they come.
#}

{# How a tag's values are binned: word (each its own bin), share (tenths of 1) or number (a 1-2-5 scale; dates as days since, lists as sizes). #}
{% macro tag_bin_kind(tag) -%}
    {%- if tag.type in ('text', 'boolean') -%}word
    {%- elif tag.type == 'rate' and tag.unit in ('share', 'probability') -%}share
    {%- else -%}number
    {%- endif -%}
{%- endmacro %}

{# What is binned, as a number; NULL for words. #}
{% macro tag_binned_number(tag) -%}
    {%- if tag.type in ('text', 'boolean') -%}cast(null as double)
    {%- elif tag.type == 'list' -%}cast({{ list_size(tag.code) }} as double)
    {%- elif tag.type == 'date' -%}cast({{ days_between(tag.code, 'as_of_date') | trim }} as double)
    {%- else -%}cast({{ tag.code }} as double)
    {%- endif -%}
{%- endmacro %}

{# What is binned, as a word; NULL for numbers. #}
{% macro tag_binned_word(tag) -%}
    {%- if tag.type in ('text', 'boolean') -%}cast({{ tag.code }} as {{ dbt.type_string() }})
    {%- else -%}cast(null as {{ dbt.type_string() }})
    {%- endif -%}
{%- endmacro %}

{#
    The bin of a value as text. The edges are fixed and depend on no data, so the distributions of any two days can be compared; an upper
    edge belongs to its bin. NULL is a bin of its own.
#}
{% macro value_bin(bin_kind, number, word) -%}
    case
        when {{ number }} is null and {{ word }} is null then '(null)'
        when {{ bin_kind }} = 'word' then {{ word }}
        when {{ number }} < 0 then 'below 0'
        when {{ number }} = 0 then '0'
        {%- for tenth in range(1, 11) %}
        when {{ bin_kind }} = 'share' and {{ number }} <= {{ tenth / 10 }} then 'to {{ tenth / 10 }}'
        {%- endfor %}
        {%- for edge in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000] %}
        when {{ number }} <= {{ edge }} then 'to {{ edge }}'
        {%- endfor %}
        else 'above 100000'
    end
{%- endmacro %}

{# A tag's value as a number for its mean; NULL for texts, lists and dates. #}
{% macro tag_number(tag) -%}
    {%- if tag.type == 'boolean' -%}
    case when {{ tag.code }} then cast(1 as double) when not {{ tag.code }} then cast(0 as double) end
    {%- elif tag.type in ('integer', 'decimal', 'rate') -%}
    cast({{ tag.code }} as double)
    {%- else -%}
    cast(null as double)
    {%- endif -%}
{%- endmacro %}
