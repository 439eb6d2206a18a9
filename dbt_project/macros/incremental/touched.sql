{#
    What a run must rebuild. New batches name the files they bring; a file's rows, of its superseded batches too, name
    the orders; every line of a touched order is rebuilt, wherever it came from. So late rows, corrected files and rows
    that vanished from a file all reach exactly the orders and business dates they concern.

    A model that uses these keeps `loaded_at`, deletes what is touched in a pre-hook and appends its new state.
    Spark's Parquet tables cannot delete: there these models are rebuilt as tables.

    Staged lines are touched by files of lines alone. What is computed from them is touched by order heads, refunds and the
    kinds of products as well: `touched_purchases`. Products are met by their code: a file may describe what another system sells.
#}

{% macro order_keyed_materialization() %}{{ return('incremental' if target.type == 'duckdb' else 'table') }}{% endmacro %}

{# The newest `loaded_at` a model has seen, as a literal, so that it is fixed before the pre-hook deletes rows. #}
{% macro loaded_watermark(relation) %}{{ return(column_watermark(relation, 'loaded_at')) }}{% endmacro %}

{# The same of another column. #}
{% macro column_watermark(relation, column) -%}
    {%- set never = '1970-01-01 00:00:00+00' -%}
    {%- if not execute -%}{{ return(never) }}{%- endif -%}
    {%- set value = run_query('select cast(max(' ~ column ~ ') as ' ~ dbt.type_string() ~ ') from ' ~ relation).columns[0].values()[0] -%}
    {{ return(value or never) }}
{%- endmacro %}

{# Orders that a backfill's window covers. The landed rows are asked, never the model itself: its pre-hook has deleted them. #}
{% macro _windowed_orders() -%}
    {%- if window_start() and window_end() %}
    union
    select distinct landed.order_id
    from {{ ref('stg_order_lines_landed') }} as landed
    where landed.business_date between cast('{{ window_start() }}' as date) and cast('{{ window_end() }}' as date)
    {%- endif %}
{%- endmacro %}

{# `order_id` of every order of which a batch newer than the watermark touches a line. #}
{% macro touched_orders_since(watermark) -%}
    select distinct landed.order_id
    from {{ ref('stg_order_lines_landed') }} as landed
    where landed.touched_at > cast('{{ watermark }}' as {{ type_instant() }})
{%- endmacro %}

{# The same for a model's own watermark, and whatever orders a backfill's window covers. #}
{% macro touched_orders(relation) -%}
    {{ touched_orders_since(loaded_watermark(relation)) }}
    {{- _windowed_orders() }}
{%- endmacro %}

{# Pre-hook: forget the touched orders; the model then appends what they are now. #}
{% macro delete_touched_orders() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} where order_id in ({{ touched_orders(this) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{# `order_id` of every order of which a line, the head, a refund or the kind of a product changed after the watermark. #}
{% macro touched_purchases_since(watermark) -%}
    {{ touched_orders_since(watermark) }}
    union
    select heads.order_id
    from {{ ref('stg_orders_landed') }} as heads
    where heads.touched_at > cast('{{ watermark }}' as {{ type_instant() }})
    union
    select sold.order_id
    from {{ ref('stg_order_lines_landed') }} as sold
    inner join {{ ref('stg_products_landed') }} as kinds on sold.product_code = kinds.product_code
    where kinds.kind_changed_at > cast('{{ watermark }}' as {{ type_instant() }})
{%- endmacro %}

{% macro touched_purchases(relation) -%}
    {{ touched_purchases_since(loaded_watermark(relation)) }}
    {{- _windowed_orders() }}
{%- endmacro %}

{% macro delete_touched_purchases() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} where order_id in ({{ touched_purchases(this) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{#
    Business dates a run must aggregate again: every date on which a touched order has, or had, a line, a head or a refund. The
    raw rows are asked, superseded batches included, so that a date that lost its last order is found too; the refunds of the
    marts are asked for those that a cancellation under a number of its own takes off a touched order.
#}
{% macro touched_business_dates(relation) -%}
    {%- if window_start() and window_end() %}
    select distinct landed.business_date
    from {{ ref('stg_order_lines_landed') }} as landed
    where landed.business_date between cast('{{ window_start() }}' as date) and cast('{{ window_end() }}' as date)
    union
    {%- endif %}
    {%- set touched = touched_purchases_since(loaded_watermark(relation)) %}
    select landed.business_date
    from {{ ref('stg_order_lines_landed') }} as landed
    where landed.order_id in ({{ touched }})
    union
    select heads.business_date
    from {{ ref('stg_orders_landed') }} as heads
    where heads.order_id in ({{ touched }})
    union
    select refunds.business_date
    from {{ ref('fct_refunds') }} as refunds
    where refunds.original_order_id in ({{ touched }})
{%- endmacro %}

{% macro delete_touched_dates() -%}
    {%- if is_incremental() -%}
    delete from {{ this }} where business_date in ({{ touched_business_dates(this) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}
