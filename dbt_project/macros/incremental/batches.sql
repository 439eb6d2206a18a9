{#
    For models that keep each row's `batch_id` and add the rows of batches they have not seen (stg_events).
#}

{# Whether a date lies in the window that a backfill rebuilds; false for all when this is no backfill. #}
{% macro is_in_window(business_date) -%}
    {%- if window_start() and window_end() -%}
    {{ business_date }} between cast('{{ window_start() }}' as date) and cast('{{ window_end() }}' as date)
    {%- else -%}
    false
    {%- endif -%}
{%- endmacro %}

{#
    Post-hook that forgets the rows whose batch a newer one of its file has replaced. It runs after the model's body, which must
    still see them to know which keys they leave open.
#}
{% macro forget_superseded_batches(entity) -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where batch_id not in (
        select batches.batch_id from {{ ref('stg_load_batches') }} as batches
        where batches.is_current and batches.entity = '{{ entity }}'
    )
    {%- else -%}
    select 1 as nothing_to_forget
    {%- endif -%}
{%- endmacro %}
