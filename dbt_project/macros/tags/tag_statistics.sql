{#
    Figures of every tag's values: how often each is there (tag_distributions) and what they are like (tag_statistics). One pass over one
    column a tag; nothing is made long first.
#}

{#
    The bin of a value as text. Numbers fall into bins of a fixed 1-2-5 scale, rates up to 1 into tenths, days since a date like numbers:
    the bins depend on no data, so the distributions of any two days can be compared. NULL is a bin of its own.
#}
{% macro tag_bin(tag) -%}
    {%- if tag.type in ('text', 'boolean') -%}
    coalesce(cast({{ tag.code }} as {{ dbt.type_string() }}), '(null)')
    {%- elif tag.type == 'list' -%}
    {{ _number_bin(list_size(tag.code)) }}
    {%- elif tag.type == 'date' -%}
    {{ _number_bin(days_between(tag.code, 'as_of_date')) }}
    {%- elif tag.type == 'rate' and tag.unit in ('share', 'probability') -%}
    case when {{ tag.code }} is null then '(null)' else {{ _share_bin(tag.code) }} end
    {%- else -%}
    {{ _number_bin(tag.code) }}
    {%- endif -%}
{%- endmacro %}

{% macro _number_bin(number) -%}
    case
        when {{ number }} is null then '(null)'
        when {{ number }} < 0 then 'below 0'
        when {{ number }} = 0 then '0'
        {%- for edge in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000] %}
        when {{ number }} <= {{ edge }} then 'to {{ edge }}'
        {%- endfor %}
        else 'above 100000'
    end
{%- endmacro %}

{% macro _share_bin(share) -%}
    case
        when {{ share }} <= 0 then '0'
        {%- for tenth in range(1, 11) %}
        when {{ share }} <= {{ tenth / 10 }} then 'to {{ tenth / 10 }}'
        {%- endfor %}
        else 'above 1'
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
