with quarantine_reasons as (

    select * from {{ source('raw', 'quarantine_reasons') }}

),

batches as (

    select batch_id, source_system, is_current from {{ ref('stg_load_batches') }}

),

final as (

    select
        quarantine_reasons.batch_id,
        quarantine_reasons.entity,
        batches.source_system,
        quarantine_reasons.field,
        quarantine_reasons.reason,
        cast(quarantine_reasons.row_count as bigint) as row_count,
        batches.is_current
    from quarantine_reasons
    inner join batches on quarantine_reasons.batch_id = batches.batch_id

)

select * from final
