{#
    The business date of a UTC instant: the calendar day in the brand's zone, after moving the day's start.
    The only place where an instant becomes a date. Same result on both engines: a DATE.
#}
{% macro business_date(instant) %}{{ return(adapter.dispatch('business_date', 'tessera')(instant)) }}{% endmacro %}

{% macro default__business_date(instant) -%}
    cast(timezone('{{ brand_zone() }}', {{ instant }}) - interval '{{ brand_day_start_minutes() }}' minute as date)
{%- endmacro %}

{% macro spark__business_date(instant) -%}
    cast(from_utc_timestamp({{ instant }}, '{{ brand_zone() }}') - interval '{{ brand_day_start_minutes() }}' minute as date)
{%- endmacro %}

{# The UTC instant at which a business date begins. #}
{% macro business_day_start(business_date) %}{{ return(adapter.dispatch('business_day_start', 'tessera')(business_date)) }}{% endmacro %}

{% macro default__business_day_start(business_date) -%}
    timezone('{{ brand_zone() }}', cast({{ business_date }} as timestamp) + interval '{{ brand_day_start_minutes() }}' minute)
{%- endmacro %}

{% macro spark__business_day_start(business_date) -%}
    to_utc_timestamp(cast({{ business_date }} as timestamp) + interval '{{ brand_day_start_minutes() }}' minute, '{{ brand_zone() }}')
{%- endmacro %}

{# Hour of an instant on the brand's clocks, 0 to 23: the wall clock, whatever the business day begins with. #}
{% macro local_hour(instant) %}{{ return(adapter.dispatch('local_hour', 'tessera')(instant)) }}{% endmacro %}

{% macro default__local_hour(instant) -%}
    cast(extract(hour from timezone('{{ brand_zone() }}', {{ instant }})) as integer)
{%- endmacro %}

{% macro spark__local_hour(instant) -%}
    hour(from_utc_timestamp({{ instant }}, '{{ brand_zone() }}'))
{%- endmacro %}

{# Part of the day on the brand's clocks: night 0-5, morning 6-11, afternoon 12-17, evening 18-23. #}
{% macro daypart(instant) -%}
    case
        when {{ local_hour(instant) }} < 6 then 'night'
        when {{ local_hour(instant) }} < 12 then 'morning'
        when {{ local_hour(instant) }} < 18 then 'afternoon'
        else 'evening'
    end
{%- endmacro %}

{# 1 = Monday to 7 = Sunday. #}
{% macro weekday_number(business_date) %}{{ return(adapter.dispatch('weekday_number', 'tessera')(business_date)) }}{% endmacro %}
{% macro default__weekday_number(business_date) %}{{ return('cast(isodow(' ~ business_date ~ ') as integer)') }}{% endmacro %}
{% macro spark__weekday_number(business_date) %}{{ return('weekday(' ~ business_date ~ ') + 1') }}{% endmacro %}
