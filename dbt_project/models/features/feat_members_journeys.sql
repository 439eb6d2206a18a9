{#- One scan of the events of the window; everything after works on what is left: one row per member and pair of steps. -#}
{% set steps = journey_steps() %}

with as_of_dates as (

    select as_of_date from {{ ref('int_clocks_resolved') }}

),

events as (

    select
        events.member_id,
        events.event_id,
        events.event_at,
        events.business_date,
        as_of_dates.as_of_date,
        {{ journey_step('events.source_event_name') }} as step
    from {{ ref('fct_events') }} as events
    inner join as_of_dates
        on events.business_date < as_of_dates.as_of_date
        and events.business_date >= {{ add_days('as_of_dates.as_of_date', '-' ~ brand_journey_window_days()) }}
    where
        {{ counts_for_a_member('events') }}
        and events.is_behaviour

),

-- A day's journey begins anew: the first step of a day follows `start`.
sequenced as (

    select
        member_id,
        as_of_date,
        business_date,
        step,
        coalesce(
            lag(step) over (
                partition by member_id, as_of_date, business_date order by event_at asc nulls last, event_id asc nulls last
            ),
            'start'
        ) as previous_step
    from events
    where step is not null

),

counted as (

    select
        member_id,
        as_of_date,
        previous_step,
        step,
        count(*) as step_count
    from sequenced
    group by member_id, as_of_date, previous_step, step

),

final as (

    select
        member_id,
        cast(sum(step_count) as bigint) as step_count,
        cast(sum(case when previous_step = 'start' then step_count else 0 end) as bigint) as journey_day_count,
        {%- for previous in ['start'] + steps %}
        {%- for step in steps %}
        cast(sum(case when previous_step = '{{ previous }}' and step = '{{ step }}' then step_count else 0 end) as bigint) as {{ previous }}_{{ step }}_count,
        {%- endfor %}
        {%- endfor %}
        as_of_date
    from counted
    group by member_id, as_of_date

)

select * from final
