with campaigns as (

    select * from {{ source('raw', 'campaigns') }}

),

batches as (

    select batch_id from {{ ref('stg_load_batches') }}
    where is_current and entity = 'campaigns'

),

-- The same key twice: the first one seen counts, whatever the order of arrival within a load.
deduplicated as (

    select campaigns.*
    from campaigns
    inner join batches on campaigns.batch_id = batches.batch_id
    qualify row_number() over (
        partition by campaigns.source_system, campaigns.campaign_code
        order by campaigns.loaded_at nulls last, campaigns.batch_id nulls last, campaigns.source_row_number nulls last
    ) = 1

),

final as (

    select
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        campaign_code,
        source_system,
        batch_id,
        campaign_name,
        campaign_type,
        starts_on as start_date,
        ends_on as end_date,
        loaded_at
    from deduplicated

)

select * from final
