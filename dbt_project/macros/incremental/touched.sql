{#
    What a run must rebuild. New batches name the files they bring; a file's rows, of its superseded batches too, name
    the orders; every line of a touched order is rebuilt, wherever it came from. So late rows, corrected files and rows
    that vanished from a file all reach exactly the orders and business dates they concern.

    A model that uses these keeps `loaded_at`, deletes its touched orders in a pre-hook and appends their new state.
    Spark's Parquet tables cannot delete: there these models are rebuilt as tables.
#}

{% macro order_keyed_materialization() %}{{ return('incremental' if target.type == 'duckdb' else 'table') }}{% endmacro %}

{# The newest `loaded_at` a model has seen, as a literal, so that it is fixed before the pre-hook deletes rows. #}
{% macro loaded_watermark(relation) -%}
    {%- set never = '1970-01-01 00:00:00+00' -%}
    {%- if not execute -%}{{ return(never) }}{%- endif -%}
    {%- set value = run_query('select cast(max(loaded_at) as ' ~ dbt.type_string() ~ ') from ' ~ relation).columns[0].values()[0] -%}
    {{ return(value or never) }}
{%- endmacro %}

{# `order_id` of every order that a batch newer than the watermark touches. #}
{% macro touched_orders_since(watermark) -%}
    select distinct landed.order_id
    from {{ ref('stg_order_lines_landed') }} as landed
    where landed.touched_at > cast('{{ watermark }}' as {{ type_instant() }})
{%- endmacro %}

{#
    The same for a model's own watermark, and whatever orders a backfill's window covers. The landed lines are asked for
    those, never the model itself: its pre-hook has deleted them by the time its body runs.
#}
{% macro touched_orders(relation) -%}
    {{ touched_orders_since(loaded_watermark(relation)) }}
    {%- if window_start() and window_end() %}
    union
    select distinct landed.order_id
    from {{ ref('stg_order_lines_landed') }} as landed
    where landed.business_date between cast('{{ window_start() }}' as date) and cast('{{ window_end() }}' as date)
    {%- endif %}
{%- endmacro %}

{# Pre-hook: forget the touched orders; the model then appends what they are now. #}
{% macro delete_touched_orders() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} where order_id in ({{ touched_orders(this) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{#
    Pre-hook of fct_events: touched orders and their refunds are forgotten, and so is what comes from small tables that
    are read whole each time (touches, redemptions).
#}
{% macro delete_touched_events() -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where order_id in ({{ touched_orders(this) }})
        or event_name not in ('purchase', 'refund')
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{#
    Business dates a run must aggregate again: every date on which a touched order has, or had, a line. The raw rows
    are asked, superseded batches included, so that a date that lost its last order is found too.
#}
{% macro touched_business_dates(relation) -%}
    {%- if window_start() and window_end() %}
    select distinct landed.business_date
    from {{ ref('stg_order_lines_landed') }} as landed
    where landed.business_date between cast('{{ window_start() }}' as date) and cast('{{ window_end() }}' as date)
    union
    {%- endif %}
    select distinct landed.business_date
    from {{ ref('stg_order_lines_landed') }} as landed
    where landed.order_id in ({{ touched_orders_since(loaded_watermark(relation)) }})
{%- endmacro %}

{% macro delete_touched_dates() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} where business_date in ({{ touched_business_dates(this) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}
