{{ config(materialized='table') }}

with dated_rows as (

    select * from {{ ref('int_rows_dated') }}
    where not is_deleted and is_within_calendar

),

-- Whatever the brand has counts, orders or not. A row outside the calendar is a stray and moves nothing; so is advertising that
-- is booked ahead. A brand that knows nothing but its members has the day of the last registration.
latest as (

    select
        coalesce(
            max(case when entity not in ('members', 'ad_costs') then business_date end),
            max(case when entity = 'members' then business_date end)
        ) as latest_business_date
    from dated_rows

),

final as (

    select
        {% if requested_as_of_date() -%}
        cast('{{ requested_as_of_date() }}' as date) as as_of_date,
        {%- elif brand_as_of_clock() == 'latest_fact' -%}
        -- A brand whose history has ended: the morning after its last business date.
        {{ add_days('latest_business_date', 1) }} as as_of_date,
        {%- else -%}
        {{ business_date('current_timestamp') }} as as_of_date,
        {%- endif %}
        latest_business_date,
        {% if known_at() -%}
        cast('{{ known_at() }}' as {{ type_instant() }}) as known_at
        {%- else -%}
        cast(current_timestamp as {{ type_instant() }}) as known_at
        {%- endif %}
    from latest

)

select * from final
