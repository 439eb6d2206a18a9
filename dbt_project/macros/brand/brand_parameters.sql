{#
    Parameters of the brand whose build file is open. `tessera run` writes them to config.brand_parameters from
    brands/<brand>/brand.yml, so a build file describes itself and plain dbt needs no further set-up.
    One macro per parameter: unit tests override the macro they need.
#}
{% macro brand_parameter(name, default) -%}
    {%- if not execute -%}{{ return(default) }}{%- endif -%}
    {%- set rows = run_query("select parameter_value from config.brand_parameters where parameter_name = '" ~ name ~ "'") -%}
    {%- if rows | length == 0 -%}
        {{ exceptions.raise_compiler_error("config.brand_parameters has no '" ~ name ~ "'; run `tessera run` for this brand once to write its parameters") }}
    {%- endif -%}
    {{ return(rows.columns[0].values()[0]) }}
{%- endmacro %}

{% macro brand_zone() %}{{ return(brand_parameter('zone', 'Asia/Shanghai')) }}{% endmacro %}
{% macro brand_day_start_minutes() %}{{ return(brand_parameter('day_start_minutes', '0') | int) }}{% endmacro %}
{% macro brand_currency_code() %}{{ return(brand_parameter('currency_code', 'CNY')) }}{% endmacro %}
{% macro brand_as_of_clock() %}{{ return(brand_parameter('as_of_clock', 'today')) }}{% endmacro %}
{% macro brand_calendar_start() %}{{ return(brand_parameter('calendar_start', '1970-01-01')) }}{% endmacro %}
{# Last business date of a closed history as ISO text, or none: a living brand has no end. #}
{% macro brand_calendar_end() %}{{ return(brand_parameter('calendar_end', '') or none) }}{% endmacro %}
{% macro brand_churn_horizon_days() %}{{ return(brand_parameter('churn_horizon_days', '90') | int) }}{% endmacro %}
{% macro brand_purchase_horizon_days() %}{{ return(brand_parameter('purchase_horizon_days', '30') | int) }}{% endmacro %}
{% macro brand_training_cut_count() %}{{ return(brand_parameter('training_cut_count', '6') | int) }}{% endmacro %}
{% macro brand_training_cut_step_days() %}{{ return(brand_parameter('training_cut_step_days', '30') | int) }}{% endmacro %}
{% macro brand_lifecycle_new_days() %}{{ return(brand_parameter('lifecycle_new_days', '30') | int) }}{% endmacro %}
{% macro brand_lifecycle_active_days() %}{{ return(brand_parameter('lifecycle_active_days', '90') | int) }}{% endmacro %}
{% macro brand_lifecycle_dormant_days() %}{{ return(brand_parameter('lifecycle_dormant_days', '180') | int) }}{% endmacro %}
{% macro brand_lifecycle_returned_days() %}{{ return(brand_parameter('lifecycle_returned_days', '30') | int) }}{% endmacro %}
{% macro brand_lifecycle_loyal_purchase_days() %}{{ return(brand_parameter('lifecycle_loyal_purchase_days', '5') | int) }}{% endmacro %}
{% macro brand_lifecycle_loyal_window_days() %}{{ return(brand_parameter('lifecycle_loyal_window_days', '365') | int) }}{% endmacro %}
{% macro brand_lifecycle_category_min_gaps() %}{{ return(brand_parameter('lifecycle_category_min_gaps', '100') | int) }}{% endmacro %}
{% macro brand_rfm_window_days() %}{{ return(brand_parameter('rfm_window_days', '365') | int) }}{% endmacro %}
{% macro brand_rfm_recency_limits() %}{{ return(fromjson(brand_parameter('rfm_recency_limits', '[30, 90, 180, 270]'))) }}{% endmacro %}
{% macro brand_rfm_frequency_limits() %}{{ return(fromjson(brand_parameter('rfm_frequency_limits', '[2, 3, 5, 10]'))) }}{% endmacro %}
{% macro brand_rfm_monetary_limits() %}{{ return(fromjson(brand_parameter('rfm_monetary_limits', '[200, 500, 1000, 3000]'))) }}{% endmacro %}
{% macro brand_rfm_high_score() %}{{ return(brand_parameter('rfm_high_score', '4') | int) }}{% endmacro %}
{% macro brand_rfm_migration_days() %}{{ return(fromjson(brand_parameter('rfm_migration_days', '[30, 90]'))) }}{% endmacro %}
{% macro brand_value_high_rate() %}{{ return(brand_parameter('value_high_rate', '0.3') | float) }}{% endmacro %}
{% macro brand_aipl_aware_days() %}{{ return(brand_parameter('aipl_aware_days', '15') | int) }}{% endmacro %}
{% macro brand_aipl_interest_days() %}{{ return(brand_parameter('aipl_interest_days', '15') | int) }}{% endmacro %}
{% macro brand_aipl_purchase_days() %}{{ return(brand_parameter('aipl_purchase_days', '912') | int) }}{% endmacro %}
{% macro brand_aipl_loyal_window_days() %}{{ return(brand_parameter('aipl_loyal_window_days', '365') | int) }}{% endmacro %}
{% macro brand_aipl_loyal_purchase_days() %}{{ return(brand_parameter('aipl_loyal_purchase_days', '2') | int) }}{% endmacro %}
{% macro brand_aipl_positive_rating() %}{{ return(brand_parameter('aipl_positive_rating', '4') | int) }}{% endmacro %}
{% macro brand_aipl_flow_days() %}{{ return(brand_parameter('aipl_flow_days', '30') | int) }}{% endmacro %}
{% macro brand_fast_active_days() %}{{ return(brand_parameter('fast_active_days', '180') | int) }}{% endmacro %}
{% macro brand_journey_window_days() %}{{ return(brand_parameter('journey_window_days', '90') | int) }}{% endmacro %}
{% macro brand_tracking_window_days() %}{{ return(brand_parameter('tracking_window_days', '90') | int) }}{% endmacro %}
{% macro brand_bot_events_per_minute() %}{{ return(brand_parameter('bot_events_per_minute', '120') | int) }}{% endmacro %}
{% macro brand_session_gap_minutes() %}{{ return(brand_parameter('session_gap_minutes', '30') | int) }}{% endmacro %}
{% macro brand_identity_max_accounts() %}{{ return(brand_parameter('identity_max_accounts', '40') | int) }}{% endmacro %}
{% macro brand_identity_lookback_days() %}{{ return(brand_parameter('identity_lookback_days', '365') | int) }}{% endmacro %}
{% macro brand_bot_events_per_day() %}{{ return(brand_parameter('bot_events_per_day', '2000') | int) }}{% endmacro %}

{# Contract entities of which the brand has a source. #}
{% macro brand_entities() -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {{ return(run_query('select entity from config.contract_entities where is_mapped order by entity nulls last').columns[0].values() | list) }}
{%- endmacro %}

{# Whether the brand has a source of order lines: where it has, orders are its purchases, and not what a client reports. #}
{% macro brand_has_orders() %}{{ return('order_lines' in brand_entities()) }}{% endmacro %}

{# What the brand gives tags to be declared for each of (brand.yml: tag_dimensions): code, label_zh, label_en, value. #}
{% macro brand_tag_items(dimension) %}{{ return(fromjson(brand_parameter('tag_dimensions', '{}')).get(dimension, [])) }}{% endmacro %}
