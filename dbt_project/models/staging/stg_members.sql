with members as (

    select * from {{ source('raw', 'members') }}

),

batches as (

    select batch_id from {{ ref('stg_load_batches') }}
    where is_current and entity = 'members'

),

-- The same key twice: the first one seen counts, whatever the order of arrival within a load.
deduplicated as (

    select members.*
    from members
    inner join batches on members.batch_id = batches.batch_id
    qualify row_number() over (
        partition by members.source_system, members.member_key
        order by members.loaded_at nulls last, members.batch_id nulls last, members.source_row_number nulls last
    ) = 1

),

final as (

    select
        {{ member_id('source_system', 'member_key') }} as member_id,
        member_key,
        source_system,
        batch_id,
        gender,
        age_band,
        income_band,
        home_ownership,
        marital_status,
        household_size,
        household_composition,
        kids_count,
        region,
        registered_at,
        loaded_at
    from deduplicated

)

select * from final
