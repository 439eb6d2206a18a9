{#- A table: every staging view asks it which batches count, and reading the manifests anew for each costs more than all the rest. -#}
{{ config(materialized='table') }}

with batches as (

    select
        *,
        -- Rows that were quarantined and landed later are a file of their own, named after the one they came from.
        split_part(source_file, '#replay-', 1) as origin_file
    from {{ source('raw', 'load_batches') }}
    {% if known_at() %}
    where loaded_at <= cast('{{ known_at() }}' as {{ type_instant() }})
    {% endif %}

),

-- A file's newest batch is its truth: an older batch of the same file stays in the lake and is no longer read. A file that
-- is overwritten with each snapshot is another delivery each time (snapshot_at), unless its source has ceased to be one.
ranked as (

    select
        *,
        row_number() over (
            partition by entity, source_system, source_file, snapshot_at
            order by loaded_at desc nulls last, batch_id desc nulls last
        ) as newest_first,
        first_value(case when snapshot_at is null then 0 else 1 end) over (
            partition by entity, source_system, source_file
            order by loaded_at desc nulls last, batch_id desc nulls last
        ) as is_newest_a_snapshot,
        max(case when source_file = origin_file then loaded_at end) over (
            partition by entity, source_system, origin_file
        ) as origin_loaded_at,
        max(case when mode = 'full' then coalesce(snapshot_at, loaded_at) end) over (
            partition by entity, source_system, source_name
        ) as newest_snapshot_at
    from batches

),

final as (

    select
        batch_id,
        entity,
        source_system,
        source_name,
        source_file,
        origin_file,
        coalesce(mode, 'incremental') as mode,
        based_on,
        content_hash,
        cast(columns as {{ dbt.type_string() }}) as column_types,
        cast(extra_columns as {{ dbt.type_string() }}) as extra_columns,
        cast(drift as {{ dbt.type_string() }}) as column_drift,
        cast(rows_in as bigint) as rows_in,
        cast(rows_landed as bigint) as rows_landed,
        cast(rows_quarantined as bigint) as rows_quarantined,
        cast(coalesce(rows_tombstoned, 0) as bigint) as rows_tombstoned,
        cast(coalesce(rows_carried, 0) as bigint) as rows_carried,
        cast(coalesce(rows_unchanged, 0) as bigint) as rows_unchanged,
        cast(coalesce(rows_not_of_entity, 0) as bigint) as rows_not_of_entity,
        -- A newer batch of a file also replaces what had been set aside of the older one. Of whole snapshots the newest counts.
        newest_first = 1
        and is_newest_a_snapshot = case when snapshot_at is null then 0 else 1 end
        and coalesce(loaded_at >= origin_loaded_at, true)
        and (coalesce(mode, 'incremental') <> 'full' or coalesce(snapshot_at, loaded_at) = newest_snapshot_at) as is_current,
        source_business_date,
        snapshot_at,
        max_event_at,
        arrived_at,
        loaded_at
    from ranked

)

select * from final
