{#- Every landed event by its key, those of superseded batches too: what reconciliation counts. -#}
with events as (

    select * from {{ source('raw', 'events') }}

),

batches as (

    select * from {{ ref('stg_load_batches') }}
    where entity = 'events'

),

final as (

    select
        {{ entity_id('events.source_system', 'events.event_key') }} as event_id,
        events.batch_id,
        batches.is_current
    from events
    inner join batches on events.batch_id = batches.batch_id

)

select * from final
