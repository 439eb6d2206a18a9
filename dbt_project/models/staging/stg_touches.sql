with touches as (

    select * from {{ source('raw', 'touches') }}

),

batches as (

    select batch_id from {{ ref('stg_load_batches') }}
    where is_current and entity = 'touches'

),

-- The same key twice: the first one seen counts, whatever the order of arrival within a load.
deduplicated as (

    select touches.*
    from touches
    inner join batches on touches.batch_id = batches.batch_id
    qualify row_number() over (
        partition by
            touches.source_system, touches.member_key, touches.campaign_code, touches.channel, touches.touch_type
        order by touches.loaded_at nulls last, touches.batch_id nulls last, touches.source_row_number nulls last
    ) = 1

),

final as (

    select
        md5(source_system || '|' || member_key || '|' || campaign_code || '|' || channel || '|' || touch_type) as touch_id,
        {{ member_id('source_system', 'member_key') }} as member_id,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        member_key,
        source_system,
        batch_id,
        channel,
        touch_type,
        {{ business_date('touched_at') }} as business_date,
        touched_at,
        loaded_at
    from deduplicated

)

select * from final
