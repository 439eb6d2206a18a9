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
    Whether rows have to be looked for in batches that are staged already: a batch was replaced, or a backfill reads its dates again.
    It is asked before the query is written, because most runs only add, and need not go through all that was ever landed.
#}
{% macro has_open_rows(relation, entity) -%}
    {%- if not execute -%}{{ return(true) }}{%- endif -%}
    {%- if window_start() and window_end() -%}{{ return(true) }}{%- endif -%}
    {%- set question -%}
    select count(*) > 0
    from (select distinct batch_id from {{ relation }}) as staged
    where staged.batch_id not in (
        select batches.batch_id from {{ ref('stg_load_batches') }} as batches
        where batches.is_current and batches.entity = '{{ entity }}'
    )
    {%- endset -%}
    {{ return(run_query(question).columns[0].values()[0] == true) }}
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
