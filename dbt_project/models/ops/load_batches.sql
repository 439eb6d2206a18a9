with batches as (

    select * from {{ ref('stg_load_batches') }}

),

final as (

    select
        batch_id,
        entity,
        source_system,
        source_name,
        source_file,
        mode,
        based_on,
        content_hash,
        column_types,
        extra_columns,
        column_drift,
        rows_in,
        rows_landed,
        rows_quarantined,
        rows_tombstoned,
        rows_carried,
        rows_not_of_entity,
        is_current,
        source_business_date,
        snapshot_at,
        max_event_at,
        arrived_at,
        loaded_at
    from batches

)

select * from final
