{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook=["{{ delete_changed_sessions() }}", "{{ reassign_members() }}", "{{ reassign_visiting_sessions() }}"]
) }}

with resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

visitors as (

    select * from {{ ref('int_anonymous_resolved') }}

),

visits as (

    select visits_of_sessions.*
    from ({{ visits_of_sessions() }}) as visits_of_sessions
    {% if is_incremental() %}
    where visits_of_sessions.business_date not in (select distinct kept.business_date from {{ this }} as kept)
    {% endif %}

),

sessions as (

    select
        session_id,
        source_system,
        visitor_id,
        business_date,
        max(visit_date) as ended_date,
        max_by(account_id, started_at) filter (where account_id is not null) as account_id,
        min(anonymous_id) as anonymous_id,
        min_by(platform, started_at) filter (where platform is not null) as platform,
        min_by(campaign_id, started_at) filter (where campaign_id is not null) as campaign_id,
        min_by(utm_source, started_at) filter (where utm_source is not null) as utm_source,
        min_by(utm_medium, started_at) filter (where utm_medium is not null) as utm_medium,
        min_by(referrer, started_at) filter (where referrer is not null) as referrer,
        min_by(coalesce(entry_page_name, ''), started_at) filter (where page_view_count > 0) as entry_page_name,
        max_by(coalesce(exit_page_name, ''), started_at) filter (where page_view_count > 0) as exit_page_name,
        min_by(coalesce(entry_product_id, ''), started_at) filter (where page_view_count > 0) as entry_product_id,
        max_by(coalesce(exit_product_id, ''), started_at) filter (where page_view_count > 0) as exit_product_id,
        count(*) as visit_count,
        sum(event_count) as event_count,
        sum(page_view_count) as page_view_count,
        sum(interaction_count) as interaction_count,
        max(product_count) as product_count,
        sum(bot_event_count) as bot_event_count,
        sum(internal_event_count) as internal_event_count,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        max(loaded_at) as loaded_at
    from visits
    group by session_id, source_system, visitor_id, business_date

),

-- A product seen on both sides of a midnight is one product.
nightly as (

    select
        sessions.session_id,
        count(distinct events.product_id) as product_count
    from sessions
    inner join {{ ref('fct_events') }} as events
        on sessions.source_system = events.source_system
        and sessions.visitor_id = {{ visitor_id('events') }}
        and sessions.started_at <= events.event_at
        and sessions.ended_at >= events.event_at
    where
        sessions.visit_count > 1
        and events.visit_role = 'page'
        and {{ is_of_a_visit('events') }}
    group by sessions.session_id

),

-- A visit before the login, or after the logout, is that of whoever the device was with then.
visiting as (

    select
        sessions.session_id,
        visitors.member_id
    from sessions
    inner join visitors on {{ is_visit_of('sessions', 'visitors', 'started_at') }}
    where sessions.account_id is null

),

resolved as (

    select
        sessions.*,
        resolved_accounts.member_id as account_member_id,
        visiting.member_id as visitor_member_id,
        nightly.product_count as nightly_product_count
    from sessions
    left join resolved_accounts on sessions.account_id = resolved_accounts.account_id
    left join visiting on sessions.session_id = visiting.session_id
    left join nightly on sessions.session_id = nightly.session_id

),

final as (

    select
        session_id,
        coalesce(account_member_id, visitor_member_id) as member_id,
        account_id,
        anonymous_id,
        campaign_id,
        nullif(entry_product_id, '') as entry_product_id,
        nullif(exit_product_id, '') as exit_product_id,
        source_system,
        platform,
        utm_source,
        utm_medium,
        referrer,
        nullif(entry_page_name, '') as entry_page_name,
        nullif(exit_page_name, '') as exit_page_name,
        cast(event_count as bigint) as event_count,
        cast(page_view_count as bigint) as page_view_count,
        cast(interaction_count as bigint) as interaction_count,
        cast(case when visit_count > 1 then coalesce(nightly_product_count, 0) else product_count end as bigint) as product_count,
        cast(bot_event_count as bigint) as bot_event_count,
        cast(internal_event_count as bigint) as internal_event_count,
        {{ seconds_of(instant_microseconds('ended_at') ~ ' - ' ~ instant_microseconds('started_at')) }} as duration_seconds,
        page_view_count = 1 and interaction_count = 0 as is_bounce,
        account_member_id is null and visitor_member_id is null as is_anonymous,
        account_id is null and visitor_member_id is not null as is_member_inferred,
        bot_event_count > 0 as is_bot,
        internal_event_count > 0 as is_internal,
        business_date,
        ended_date,
        started_at,
        ended_at,
        loaded_at
    from resolved

)

select * from final
