{#
    Which landed row is the truth. Among the rows of current batches (stg_load_batches) the newest version of a key counts:
    the greatest changed_at, then the greatest change_sequence, and where the source gives neither, the row seen first.
    The winner may be a tombstone: then the key is deleted, and what was last known of it stands in the row.
    Written once, here; what a source's columns become belongs in its stg_ model.
#}

{# All rows of an entity's current batches, repeated keys included. #}
{% macro current_rows(entity) -%}
    select landed.*
    from {{ source('raw', entity) }} as landed
    inner join {{ ref('stg_load_batches') }} as batches on landed.batch_id = batches.batch_id
    where batches.is_current and batches.entity = '{{ entity }}'
{%- endmacro %}

{#
    The row that counts of every key; `key` lists the contract's key without source_system, which every key begins with.

    Of a large fact few keys come twice. `is_large` finds those by their keys alone, ranks their rows by keys and versions alone, and
    leaves out the rows that are outdone: the wide rows are read once and held nowhere.
    The current rows are spelled out each time, with the columns that are needed: DuckDB writes a common table out whole, and two
    equal subqueries as well.
#}
{% macro newest_versions(entity, key, is_large=false) -%}
    {%- set columns = ['source_system'] + key -%}
    {%- if not is_large -%}
    {{ _newest_of('(' ~ current_rows(entity) ~ ')', columns) }}
    {%- else -%}
    with repeated as (
        select {{ columns | join(', ') }}
        from ({{ current_rows(entity) }}) as current_rows
        group by {{ columns | join(', ') }}
        having count(*) > 1
    ),

    -- Rows of those keys.
    contested as (
        select
            {% for column in columns %}current_rows.{{ column }}, {% endfor %}
            current_rows.batch_id, current_rows.change_sequence, current_rows.source_row_number,
            current_rows.changed_at, current_rows.loaded_at
        from ({{ current_rows(entity) }}) as current_rows
        inner join repeated on {% for column in columns %}current_rows.{{ column }} = repeated.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    ),

    outdone as (
        select ranked.batch_id, ranked.source_row_number, {{ tombstone_key('ranked', composite_id(_of('ranked', columns))) }} as tombstone_key
        from contested as ranked
        qualify row_number() over (
            partition by {% for column in columns %}ranked.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
            {{ newest_first('ranked') }}
        ) > 1
    )

    select current_rows.*
    from ({{ current_rows(entity) }}) as current_rows
    left join outdone
        on current_rows.batch_id = outdone.batch_id
        and coalesce(current_rows.source_row_number, -1) = coalesce(outdone.source_row_number, -1)
        and {{ tombstone_key('current_rows', composite_id(_of('current_rows', columns))) }} = outdone.tombstone_key
    where outdone.batch_id is null
    {%- endif -%}
{%- endmacro %}

{#
    A row is told by its batch and its number in the file. Of what a snapshot no longer had, landing writes a tombstone of its own: such
    rows have no number, and are told by their key. Text for all rows, so that three equalities join them.
#}
{% macro tombstone_key(row, key) -%}
    case when {{ row }}.source_row_number is null then {{ key }} else '' end
{%- endmacro %}

{% macro _of(row, columns) -%}
    {%- set named = [] -%}
    {%- for column in columns %}{% do named.append(row ~ '.' ~ column) %}{% endfor -%}
    {{ return(named) }}
{%- endmacro %}

{% macro _newest_of(relation, columns) -%}
    select ranked.*
    from {{ relation }} as ranked
    qualify row_number() over (
        partition by {% for column in columns %}ranked.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
        {{ newest_first('ranked') }}
    ) = 1
{%- endmacro %}

{# Columns by which a model tells its readers which version a row is; they filter `not is_deleted`. #}
{% macro is_deleted_flag() -%}
    coalesce(is_deleted, false) as is_deleted
{%- endmacro %}

{# Instant at which the key went, NULL while it is there: the tombstone's version, or when it was landed if it has none. #}
{% macro deleted_at() -%}
    case when is_deleted then coalesce(changed_at, loaded_at) end as deleted_at
{%- endmacro %}

{# The order that puts the row that counts first. #}
{% macro newest_first(rows) -%}
    order by
    {{ rows }}.changed_at desc nulls last, {{ rows }}.change_sequence desc nulls last,
    {{ rows }}.loaded_at asc nulls last, {{ rows }}.batch_id asc nulls last, {{ rows }}.source_row_number asc nulls last
{%- endmacro %}
