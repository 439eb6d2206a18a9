{#- Rows that came in more than a day after the day they are of: what a figure that was published for that day did not know. -#}
with dated_rows as (

    select * from {{ ref('int_rows_dated') }}
    where business_date is not null and is_within_calendar and entity <> 'members'

),

load_batches as (

    select * from {{ ref('stg_load_batches') }}

),

arrived as (

    select
        dated_rows.entity,
        dated_rows.business_date,
        dated_rows.row_count,
        {{ business_date('load_batches.loaded_at') }} as loaded_date
    from dated_rows
    inner join load_batches on dated_rows.batch_id = load_batches.batch_id

),

firsts as (

    select entity, business_date, min(loaded_date) as first_loaded_date
    from arrived
    group by entity, business_date

),

aggregated as (

    select
        arrived.entity,
        arrived.business_date,
        sum(arrived.row_count) as row_count,
        sum(case when arrived.business_date < {{ add_days('arrived.loaded_date', -1) }} then arrived.row_count else 0 end)
            as late_row_count,
        -- The day had been loaded, and may have been published, before these came.
        sum(case when arrived.loaded_date > firsts.first_loaded_date then arrived.row_count else 0 end) as revising_row_count,
        max({{ days_between('arrived.business_date', 'arrived.loaded_date') }}) as max_delay_days,
        min(arrived.loaded_date) as first_loaded_date,
        max(arrived.loaded_date) as last_loaded_date
    from arrived
    inner join firsts on arrived.entity = firsts.entity and arrived.business_date = firsts.business_date
    group by arrived.entity, arrived.business_date

),

final as (

    select
        entity,
        cast(row_count as bigint) as row_count,
        cast(late_row_count as bigint) as late_row_count,
        cast(revising_row_count as bigint) as revising_row_count,
        cast(max_delay_days as integer) as max_delay_days,
        business_date,
        first_loaded_date,
        last_loaded_date
    from aggregated
    where late_row_count > 0

)

select * from final
