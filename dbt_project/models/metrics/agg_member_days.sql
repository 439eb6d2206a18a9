{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook=["{{ delete_changed_member_dates() }}", "{{ delete_changed_member_days() }}"],
    meta={'dagster': {'partitioned_by': 'business_date'}}
) }}

{%- set no_text = 'cast(null as ' ~ dbt.type_string() ~ ')' %}

with unioned as (

    select
        events.member_id,
        case when events.visit_role = 'page' then events.product_id end as viewed_product_id,
        events.source_event_name as event_name,
        events.visit_role,
        case when events.source_event_name in ('live_enter', 'live_leave') then events.duration_seconds end as live_seconds,
        {{ no_text }} as daypart,
        {{ no_text }} as client,
        1 as event_count,
        0 as session_count,
        cast(0 as decimal(18, 4)) as session_seconds,
        events.business_date,
        events.loaded_at
    from {{ ref('fct_events') }} as events
    where
        {{ counts_for_a_member('events') }}
        and events.is_behaviour
        {% if is_incremental() %}
        and {{ is_missing_member_day('events') }}
        {% endif %}
    union all
    select
        sessions.member_id,
        {{ no_text }} as viewed_product_id,
        {{ no_text }} as event_name,
        {{ no_text }} as visit_role,
        cast(null as decimal(18, 4)) as live_seconds,
        {{ daypart('sessions.started_at') }} as daypart,
        {{ client_of('sessions.platform') }} as client,
        0 as event_count,
        1 as session_count,
        sessions.duration_seconds as session_seconds,
        sessions.business_date,
        sessions.loaded_at
    from {{ ref('fct_sessions') }} as sessions
    where
        {{ counts_for_a_member('sessions') }}
        {% if is_incremental() %}
        and {{ is_missing_member_day('sessions') }}
        {% endif %}

),

final as (

    select
        member_id,
        cast(sum(session_count) as bigint) as session_count,
        cast(sum(session_seconds) as decimal(18, 4)) as session_seconds,
        cast(sum(event_count) as bigint) as event_count,
        count(case when visit_role = 'page' then 1 end) as page_view_count,
        count(case when visit_role = 'interaction' then 1 end) as interaction_count,
        count(distinct viewed_product_id) as viewed_product_count,
        count(case when event_name = 'view' then 1 end) as product_view_count,
        count(case when event_name = 'search' then 1 end) as search_count,
        count(case when event_name = 'favourite' then 1 end) as favourite_count,
        count(case when event_name = 'cart' then 1 end) as cart_count,
        count(case when event_name = 'checkout' then 1 end) as checkout_count,
        count(case when event_name = 'share' then 1 end) as share_count,
        count(case when event_name = 'uncart' then 1 end) as uncart_count,
        count(case when event_name = 'click' then 1 end) as click_count,
        count(case when event_name = 'content_view' then 1 end) as content_view_count,
        count(case when event_name = 'content_like' then 1 end) as content_like_count,
        count(case when event_name = 'live_enter' then 1 end) as live_count,
        cast(coalesce(sum(live_seconds), 0) as decimal(18, 4)) as live_seconds,
        count(case when event_name = 'coupon_claim' then 1 end) as coupon_claim_count,
        count(case when event_name = 'service_contact' then 1 end) as service_contact_count,
        count(case when daypart = 'night' then 1 end) as night_session_count,
        count(case when daypart = 'morning' then 1 end) as morning_session_count,
        count(case when daypart = 'afternoon' then 1 end) as afternoon_session_count,
        count(case when daypart = 'evening' then 1 end) as evening_session_count,
        count(case when client = 'mini_program' then 1 end) as mini_program_session_count,
        count(case when client = 'app' then 1 end) as app_session_count,
        count(case when client = 'web' then 1 end) as web_session_count,
        business_date,
        max(loaded_at) as loaded_at
    from unioned
    group by member_id, business_date

)

select * from final
