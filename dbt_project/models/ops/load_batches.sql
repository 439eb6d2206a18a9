with batches as (

    select * from {{ ref('stg_load_batches') }}

),

final as (

    select
        batch_id,
        entity,
        source_system,
        source_file,
        content_hash,
        rows_in,
        rows_landed,
        rows_quarantined,
        is_current,
        source_business_date,
        loaded_at
    from batches

)

select * from final
