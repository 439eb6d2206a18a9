{% set family = tag_family_service() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

service_tickets as (

    select * from {{ ref('fct_service_tickets') }}
    where member_id is not null

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where member_id is not null and is_counted

),

unioned as (

    select
        member_id,
        'ticket' as fact_kind,
        ticket_id as fact_id,
        channel,
        topic,
        priority,
        satisfaction_score,
        first_response_seconds,
        closed_at is null as is_open,
        cast(null as {{ dbt.type_string() }}) as refund_kind,
        business_date
    from service_tickets
    union all
    select
        member_id,
        'refund' as fact_kind,
        refund_id as fact_id,
        cast(null as {{ dbt.type_string() }}) as channel,
        cast(null as {{ dbt.type_string() }}) as topic,
        cast(null as {{ dbt.type_string() }}) as priority,
        cast(null as integer) as satisfaction_score,
        cast(null as bigint) as first_response_seconds,
        false as is_open,
        refund_kind,
        business_date
    from refunds

),

facts as (

    select
        unioned.*,
        {{ days_between('unioned.business_date', 'clocks.as_of_date') }} as age_days
    from unioned
    inner join clocks on unioned.business_date < clocks.as_of_date

),

aggregated as (

    select
        {{- tag_expressions(tags) }}
        member_id
    from facts
    group by member_id

),

final as (

    select
        members.member_id,
        {{- tag_columns(tags, 'aggregated') }}
        clocks.as_of_date
    from members
    cross join clocks
    left join aggregated on members.member_id = aggregated.member_id

)

select * from final
