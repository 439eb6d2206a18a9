-- Returns rows when the number or the money of a kind of event differs from its facts: the events are incremental and
-- must not drift.
{{ config(meta={'dagster': {'ref': {'name': 'fct_events'}}}) }}

with events as (

    select * from {{ ref('fct_events') }}

),

facts as (

    select
        case when is_void then 'order_placed' else 'purchase' end as event_name, false as is_behaviour,
        gross_amount as event_amount
    from {{ ref('fct_orders') }}
    union all
    select 'refund' as event_name, false as is_behaviour, {{ money('refund_amount') }} as event_amount from {{ ref('fct_refunds') }}
    union all
    select 'touch_' || touch_type as event_name, false as is_behaviour, cast(0 as decimal(18, 2)) as event_amount
    from {{ ref('fct_touches') }}
    union all
    select 'coupon_receipt' as event_name, false as is_behaviour, cast(0 as decimal(18, 2)) as event_amount
    from {{ ref('fct_coupon_receipts') }}
    union all
    select 'coupon_redemption' as event_name, false as is_behaviour, cast(0 as decimal(18, 2)) as event_amount
    from {{ ref('fct_coupon_redemptions') }}
    union all
    select event_name, true as is_behaviour, coalesce({{ money('event_amount') }}, 0) as event_amount
    from {{ ref('stg_events') }}
    where not is_deleted

),

in_events as (

    select
        coalesce(source_event_name, event_name) as event_name,
        is_behaviour,
        count(*) as event_count,
        sum(coalesce(event_amount, 0)) as event_amount
    from events
    group by coalesce(source_event_name, event_name), is_behaviour

),

in_facts as (

    select
        event_name,
        is_behaviour,
        count(*) as event_count,
        sum(event_amount) as event_amount
    from facts
    group by event_name, is_behaviour

),

final as (

    select
        coalesce(in_events.event_name, in_facts.event_name) as event_name,
        coalesce(in_events.is_behaviour, in_facts.is_behaviour) as is_behaviour,
        in_events.event_count,
        in_facts.event_count as fact_count,
        in_events.event_amount,
        in_facts.event_amount as fact_amount
    from in_events
    full outer join in_facts
        on in_events.event_name = in_facts.event_name and in_events.is_behaviour = in_facts.is_behaviour
    where
        coalesce(in_events.event_count, 0) <> coalesce(in_facts.event_count, 0)
        or coalesce(in_events.event_amount, 0) <> coalesce(in_facts.event_amount, 0)

)

select * from final
