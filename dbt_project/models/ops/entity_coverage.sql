{#- What the brand has of the contract, and what it does without. -#}
with contract_entities as (

    select * from {{ ref('stg_contract_entities') }}

),

load_batches as (

    select * from {{ ref('stg_load_batches') }}
    where is_current

),

dated_rows as (

    select * from {{ ref('int_rows_dated') }}

),

landed as (

    select
        entity,
        min(source_system) as first_source_system,
        max(source_system) as last_source_system,
        count(distinct source_system) as source_system_count,
        sum(rows_quarantined) as quarantined_row_count,
        max(loaded_at) as loaded_at
    from load_batches
    group by entity

),

counted as (

    select
        entity,
        sum(case when not is_deleted then row_count else 0 end) as row_count,
        sum(case when is_deleted then row_count else 0 end) as deleted_row_count,
        -- A registration long before the calendar is no stray.
        sum(
            case
                when not is_deleted and business_date is not null and not is_within_calendar and entity <> 'members' then row_count
                else 0
            end
        ) as outside_calendar_row_count,
        min(case when not is_deleted and (is_within_calendar or entity = 'members') then business_date end) as first_date,
        max(case when not is_deleted and (is_within_calendar or entity = 'members') then business_date end) as last_date
    from dated_rows
    group by entity

),

final as (

    select
        contract_entities.entity,
        contract_entities.label_zh,
        contract_entities.label_en,
        contract_entities.nature,
        -- Two names are enough to recognise the sources by; the batches list them all.
        case
            when landed.source_system_count = 1 then landed.first_source_system
            when landed.source_system_count = 2 then landed.first_source_system || ', ' || landed.last_source_system
            when landed.source_system_count > 2
                then landed.first_source_system || ', …, ' || landed.last_source_system
        end as source_systems,
        contract_entities.enables_zh,
        contract_entities.enables_en,
        cast(coalesce(landed.source_system_count, 0) as integer) as source_system_count,
        cast(coalesce(counted.row_count, 0) as bigint) as row_count,
        cast(coalesce(counted.deleted_row_count, 0) as bigint) as deleted_row_count,
        cast(coalesce(counted.outside_calendar_row_count, 0) as bigint) as outside_calendar_row_count,
        cast(coalesce(landed.quarantined_row_count, 0) as bigint) as quarantined_row_count,
        contract_entities.is_mapped,
        coalesce(counted.row_count, 0) > 0 as is_present,
        counted.first_date,
        counted.last_date,
        landed.loaded_at
    from contract_entities
    left join landed on contract_entities.entity = landed.entity
    left join counted on contract_entities.entity = counted.entity

)

select * from final
