{{ config(
    materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook="{{ delete_changed_visits() }}"
) }}

{#-
    Visits are cut within each business date, so that a run cuts the dates that changed and no others; int_visits_joined then
    joins the parts of a visit across midnight.
-#}
{%- set is_page = "visit_role = 'page'" %}

with events as (

    select
        told.event_id,
        told.account_id,
        told.anonymous_id,
        {{ visitor_id('told') }} as visitor_id,
        told.product_id,
        told.campaign_id,
        told.source_system,
        told.platform,
        told.page_name,
        told.utm_source,
        told.utm_medium,
        told.referrer,
        told.visit_role,
        told.is_bot,
        told.is_internal,
        told.business_date,
        told.event_at,
        {{ instant_microseconds('told.event_at') }} as event_microseconds,
        told.loaded_at
    from {{ ref('fct_events') }} as told
    where
        {{ is_of_a_visit('told') }}
        {% if is_incremental() %}
        and told.business_date not in (select distinct kept.business_date from {{ this }} as kept)
        {% endif %}

),

compared as (

    select
        *,
        lag(event_microseconds) over (
            partition by source_system, visitor_id, business_date order by event_microseconds asc nulls last, event_id asc nulls last
        ) as previous_microseconds
    from events

),

numbered as (

    select
        *,
        sum(case when event_microseconds - previous_microseconds <= {{ session_gap_microseconds() }} then 0 else 1 end) over (
            partition by source_system, visitor_id, business_date order by event_microseconds asc nulls last, event_id asc nulls last
            rows between unbounded preceding and current row
        ) as visit_number,
        row_number() over (
            partition by source_system, visitor_id, business_date order by event_microseconds asc nulls last, event_id asc nulls last
        ) as event_number
    from compared

),

-- Sources and campaigns: the first that the visit names. Pages: those of its first and its last page, named or not.
visits as (

    select
        source_system,
        visitor_id,
        business_date,
        min_by(event_id, event_number) as first_event_id,
        max_by(account_id, event_number) filter (where account_id is not null) as account_id,
        min(anonymous_id) as anonymous_id,
        min_by(platform, event_number) filter (where platform is not null) as platform,
        min_by(campaign_id, event_number) filter (where campaign_id is not null) as campaign_id,
        min_by(utm_source, event_number) filter (where utm_source is not null) as utm_source,
        min_by(utm_medium, event_number) filter (where utm_medium is not null) as utm_medium,
        min_by(referrer, event_number) filter (where referrer is not null) as referrer,
        min_by(coalesce(page_name, ''), event_number) filter (where {{ is_page }}) as entry_page_name,
        max_by(coalesce(page_name, ''), event_number) filter (where {{ is_page }}) as exit_page_name,
        min_by(coalesce(product_id, ''), event_number) filter (where {{ is_page }}) as entry_product_id,
        max_by(coalesce(product_id, ''), event_number) filter (where {{ is_page }}) as exit_product_id,
        count(*) as event_count,
        count(case when {{ is_page }} then 1 end) as page_view_count,
        count(case when visit_role = 'interaction' then 1 end) as interaction_count,
        count(distinct case when {{ is_page }} then product_id end) as product_count,
        count(case when is_bot then 1 end) as bot_event_count,
        count(case when is_internal then 1 end) as internal_event_count,
        min(event_at) as started_at,
        max(event_at) as ended_at,
        max(loaded_at) as loaded_at
    from numbered
    group by source_system, visitor_id, business_date, visit_number

),

final as (

    select
        {{ visit_id('first_event_id') }} as visit_id,
        visitor_id,
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
        event_count,
        page_view_count,
        interaction_count,
        product_count,
        bot_event_count,
        internal_event_count,
        business_date,
        started_at,
        ended_at,
        loaded_at
    from visits

)

select * from final
