{{ config(materialized='table') }}

{#-
    A visit across midnight has a part on each date. Only parts that lie near a midnight can be such, one in fifteen on demo: they are
    joined anew in every run.
-#}
with near_midnight as (

    select
        visit_id,
        source_system,
        visitor_id,
        business_date,
        {{ instant_microseconds('started_at') }} as started_microseconds,
        {{ instant_microseconds('ended_at') }} as ended_microseconds
    from {{ ref('int_visits_dated') }}
    where
        {{ instant_microseconds('started_at') }} - {{ instant_microseconds(business_day_start('business_date')) }}
        <= {{ session_gap_microseconds() }}
        or {{ instant_microseconds(business_day_start(add_days('business_date', 1))) }} - {{ instant_microseconds('ended_at') }}
        <= {{ session_gap_microseconds() }}

),

compared as (

    select
        *,
        lag(ended_microseconds) over (
            partition by source_system, visitor_id order by started_microseconds asc nulls last
        ) as previous_ended_microseconds
    from near_midnight

),

numbered as (

    select
        *,
        sum(case when started_microseconds - previous_ended_microseconds <= {{ session_gap_microseconds() }} then 0 else 1 end) over (
            partition by source_system, visitor_id order by started_microseconds asc nulls last
            rows between unbounded preceding and current row
        ) as session_number
    from compared

),

headed as (

    select
        source_system,
        visitor_id,
        session_number,
        min_by(visit_id, started_microseconds) as session_id,
        min(business_date) as session_business_date
    from numbered
    group by source_system, visitor_id, session_number
    having count(*) > 1

),

final as (

    select
        numbered.visit_id,
        headed.session_id,
        numbered.business_date,
        headed.session_business_date
    from numbered
    inner join headed
        on numbered.source_system = headed.source_system
        and numbered.visitor_id = headed.visitor_id
        and numbered.session_number = headed.session_number

)

select * from final
