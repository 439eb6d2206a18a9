{% set family = tag_family_channel() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

member_days as (

    select * from {{ ref('agg_member_days') }}
    where session_count > 0

),

touches as (

    select * from {{ ref('fct_touches') }}
    where member_id is not null and not is_holdout

),

-- How a channel is answered by everybody: what little is known of one member is drawn towards it.
answered as (

    select
        touches.channel,
        {{ ratio("count(case when touches.touch_type = 'opened' then 1 end)", "count(case when touches.touch_type = 'sent' then 1 end)") }} as open_rate
    from touches
    inner join clocks
        on touches.business_date < clocks.as_of_date
        and touches.business_date >= {{ add_days('clocks.as_of_date', -365) }}
    group by touches.channel

),

unioned as (

    select
        member_id,
        'order' as fact_kind,
        channel,
        cast(null as {{ dbt.type_string() }}) as touch_type,
        gross_amount,
        1 as fact_count,
        business_date
    from orders
    union all
    select
        member_id,
        'touch' as fact_kind,
        channel,
        touch_type,
        cast(0 as decimal(18, 2)) as gross_amount,
        1 as fact_count,
        business_date
    from touches
    {%- for client in ['mini_program', 'app', 'web'] %}
    union all
    select
        member_id,
        'session' as fact_kind,
        '{{ client }}' as channel,
        cast(null as {{ dbt.type_string() }}) as touch_type,
        cast(0 as decimal(18, 2)) as gross_amount,
        {{ client }}_session_count as fact_count,
        business_date
    from member_days
    where {{ client }}_session_count > 0
    {%- endfor %}

),

-- One row per member, channel and window: what is done often is summed before tags ask for it.
summed as (

    select
        unioned.member_id,
        unioned.fact_kind,
        unioned.channel,
        {{ window_edge(days_between('unioned.business_date', 'clocks.as_of_date')) }} as age_days,
        sum(unioned.fact_count) as fact_count,
        sum(unioned.gross_amount) as gross_amount,
        count(case when unioned.touch_type = 'sent' then 1 end) as sent_count,
        count(case when unioned.touch_type = 'opened' then 1 end) as opened_count,
        count(case when unioned.touch_type = 'clicked' then 1 end) as clicked_count,
        count(case when unioned.touch_type = 'failed' then 1 end) as failed_count,
        count(case when unioned.touch_type = 'unsubscribed' then 1 end) as unsubscribed_count,
        max(unioned.business_date) as last_date,
        max(case when unioned.touch_type = 'sent' then unioned.business_date end) as last_sent_date
    from unioned
    inner join clocks on unioned.business_date < clocks.as_of_date
    group by
        unioned.member_id, unioned.fact_kind, unioned.channel,
        {{ window_edge(days_between('unioned.business_date', 'clocks.as_of_date')) }}

),

ranked as (

    select
        member_id,
        fact_kind,
        channel,
        row_number() over (
            partition by member_id, fact_kind
            order by sum(case when age_days <= 365 then fact_count else 0 end) desc nulls last, channel asc nulls last
        ) as channel_rank
    from summed
    where age_days <= 365 and channel is not null and fact_kind <> 'touch'
    group by member_id, fact_kind, channel

),

facts as (

    select
        summed.*,
        answered.open_rate,
        ranked.channel_rank
    from summed
    left join answered on summed.channel = answered.channel and summed.fact_kind = 'touch'
    left join ranked
        on summed.member_id = ranked.member_id
        and summed.fact_kind = ranked.fact_kind
        and summed.channel = ranked.channel

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
