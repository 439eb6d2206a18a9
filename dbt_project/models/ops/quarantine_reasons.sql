with quarantine_reasons as (

    select * from {{ ref('stg_quarantine_reasons') }}

),

batches as (

    select * from {{ ref('stg_load_batches') }}

),

-- The lake names a reason as `field:why`; a whole record that could not be split is of no field.
final as (

    select
        quarantine_reasons.batch_id,
        quarantine_reasons.entity,
        quarantine_reasons.source_system,
        batches.source_file,
        quarantine_reasons.field,
        quarantine_reasons.reason,
        quarantine_reasons.row_count,
        quarantine_reasons.is_current,
        batches.loaded_at
    from quarantine_reasons
    inner join batches on quarantine_reasons.batch_id = batches.batch_id

)

select * from final
