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
