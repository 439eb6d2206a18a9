-- Returns rows when the calendar ends before the last known business date: chinesecalendar wants a newer release.
{{ config(severity = 'warn', meta = {'dagster': {'ref': {'name': 'ref_calendar_days'}}}) }}

with clocks as (

    select as_of_date from {{ ref('int_clocks_resolved') }}

),

calendar as (

    select max(calendar_date) as last_date from {{ ref('ref_calendar_days') }}

),

final as (

    select
        clocks.as_of_date,
        calendar.last_date
    from clocks
    cross join calendar
    where calendar.last_date < {{ add_days('clocks.as_of_date', -1) }}

)

select * from final
