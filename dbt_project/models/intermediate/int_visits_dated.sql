{{ config(
    materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook="{{ delete_changed_visits() }}"
) }}

{#-
    Visits are cut within each business date, so that a run cuts the dates that changed and no others; int_visits_joined then
    joins the parts of a visit across midnight.

    Only who and when goes through the windows, and what an event says of itself is fetched once it is known where visits begin: a
    sort of all columns is the dearest thing that a large history can be asked for. Events are named where they are read, because a
    common table would be written out whole.
-#}
{%- set is_page = "visit_role = 'page'" %}

with instants as (

    select
        {{ visitor_id('told') }} as visitor_id,
        told.source_system,
        told.business_date,
        {{ instant_microseconds('told.event_at') }} as event_microseconds
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
            partition by source_system, visitor_id, business_date order by event_microseconds asc nulls last
        ) as previous_microseconds
    from instants

),

-- Few events begin a visit. Those of one instant have no silence between them: one of them begins it, and it does not matter which.
beginnings as (

    select
        source_system,
        visitor_id,
        business_date,
        event_microseconds
    from compared
    where
        previous_microseconds is null
        or event_microseconds - previous_microseconds > {{ session_gap_microseconds() }}

),

bounded as (

    select
        source_system,
        visitor_id,
        business_date,
        event_microseconds as first_microseconds,
        lead(event_microseconds) over (
            partition by source_system, visitor_id, business_date order by event_microseconds asc nulls last
        ) as next_microseconds
    from beginnings

),

-- `event_place` sorts as text by instant and then by id. Instants get as many digits each, those before 1970 too.
placed as (

    select
        told.event_id,
        told.account_id,
        told.anonymous_id,
        bounded.visitor_id,
        told.product_id,
        told.campaign_id,
        bounded.source_system,
        told.platform,
        told.page_name,
        told.utm_source,
        told.utm_medium,
        told.referrer,
        told.visit_role,
        cast({{ instant_microseconds('told.event_at') }} + 100000000000000000 as {{ dbt.type_string() }}) || told.event_id as event_place,
        told.is_bot,
        told.is_internal,
        bounded.first_microseconds,
        bounded.business_date,
        told.event_at,
        told.loaded_at
    from {{ ref('fct_events') }} as told
    inner join bounded
        on told.source_system = bounded.source_system
        and {{ visitor_id('told') }} = bounded.visitor_id
        and told.business_date = bounded.business_date
        and {{ instant_microseconds('told.event_at') }} >= bounded.first_microseconds
        and (bounded.next_microseconds is null or {{ instant_microseconds('told.event_at') }} < bounded.next_microseconds)
    where
        {{ is_of_a_visit('told') }}
        {% if is_incremental() %}
        and told.business_date not in (select distinct kept.business_date from {{ this }} as kept)
        {% endif %}

),

-- Sources and campaigns: the first that the visit names. Pages: those of its first and its last page, named or not.
visits as (

    select
        source_system,
        visitor_id,
        business_date,
        min_by(event_id, event_place) as first_event_id,
        max_by(account_id, event_place) filter (where account_id is not null) as account_id,
        min(anonymous_id) as anonymous_id,
        min_by(platform, event_place) filter (where platform is not null) as platform,
        min_by(campaign_id, event_place) filter (where campaign_id is not null) as campaign_id,
        min_by(utm_source, event_place) filter (where utm_source is not null) as utm_source,
        min_by(utm_medium, event_place) filter (where utm_medium is not null) as utm_medium,
        min_by(referrer, event_place) filter (where referrer is not null) as referrer,
        min_by(coalesce(page_name, ''), event_place) filter (where {{ is_page }}) as entry_page_name,
        max_by(coalesce(page_name, ''), event_place) filter (where {{ is_page }}) as exit_page_name,
        min_by(coalesce(product_id, ''), event_place) filter (where {{ is_page }}) as entry_product_id,
        max_by(coalesce(product_id, ''), event_place) filter (where {{ is_page }}) as exit_product_id,
        count(*) as event_count,
        count(case when {{ is_page }} then 1 end) as page_view_count,
        count(case when visit_role = 'interaction' then 1 end) as interaction_count,
        count(distinct case when {{ is_page }} then product_id end) as product_count,
        count(case when is_bot then 1 end) as bot_event_count,
        count(case when is_internal then 1 end) as internal_event_count,
        min(event_at) as started_at,
        max(event_at) as ended_at,
        max(loaded_at) as loaded_at
    from placed
    group by source_system, visitor_id, business_date, first_microseconds

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
