with cleaning_rule_hits as (

    select * from {{ source('raw', 'cleaning_rule_hits') }}

),

batches as (

    select batch_id, entity, source_system from {{ ref('stg_load_batches') }}
    where is_current

),

final as (

    select
        batches.entity,
        batches.source_system,
        cleaning_rule_hits.rule_code,
        cleaning_rule_hits.label_zh,
        cleaning_rule_hits.label_en,
        cast(cleaning_rule_hits.rows_touched as bigint) as rows_touched
    from cleaning_rule_hits
    inner join batches on cleaning_rule_hits.batch_id = batches.batch_id

)

select * from final
