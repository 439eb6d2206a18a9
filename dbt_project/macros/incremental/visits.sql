{#
    Visits in three steps, each compared with what it was built from, date by date: int_visits_dated with the events, fct_sessions
    with the parts of visits, fct_page_views with the sessions. A date whose sums differ is forgotten by the pre-hook, and the body
    builds the dates that are not there. No clock is asked, so events may come in any order, and a run that died half-way leaves
    a difference that the next one finds. Counts and the newest arrival suffice: what is new or replaced came later than all that
    was there, and what is gone is missing from a count.
#}

{# Which events belong to visits: what somebody did at a client, at a time that is known. #}
{% macro is_of_a_visit(events) -%}
    {{ events }}.is_behaviour
    and not {{ events }}.is_time_assumed
    and coalesce({{ events }}.anonymous_id, {{ events }}.account_id) is not null
{%- endmacro %}

{# Who visits, within a source system: the device or cookie where one is known, so that a login does not end a visit. #}
{% macro visitor_id(events) -%}
    coalesce({{ events }}.anonymous_id, {{ events }}.account_id)
{%- endmacro %}

{# Seconds with their fraction, of a number of microseconds. #}
{% macro seconds_of(microseconds) -%}
    cast(cast({{ microseconds }} as decimal(18, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(18, 4))
{%- endmacro %}

{# Silence that ends a visit, in microseconds. #}
{% macro session_gap_microseconds() -%}
    {{ return(brand_session_gap_minutes() * 60000000) }}
{%- endmacro %}

{# Pre-hook of int_visits_dated. #}
{% macro delete_changed_visits() -%}
    {%- if is_incremental() -%}
    {% set told -%}
    select
        events.business_date, count(*) as event_count, max(events.loaded_at) as loaded_at,
        sum(case when events.is_bot then 1 else 0 end) as bot_event_count,
        sum(case when events.is_internal then 1 else 0 end) as internal_event_count
    from {{ ref('fct_events') }} as events
    where {{ is_of_a_visit('events') }}
    group by events.business_date
    {%- endset %}
    {% set kept -%}
    select
        visits.business_date, sum(visits.event_count) as event_count, max(visits.loaded_at) as loaded_at,
        sum(visits.bot_event_count) as bot_event_count, sum(visits.internal_event_count) as internal_event_count
    from {{ this }} as visits
    group by visits.business_date
    {%- endset %}
    delete from {{ this }} where business_date in ({{ _differing_dates(told, kept, ['event_count', 'loaded_at', 'bot_event_count', 'internal_event_count']) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of fct_sessions. #}
{% macro delete_changed_sessions() -%}
    {%- if is_incremental() -%}
    {% set sums -%}
    sum(visits.event_count) as event_count, max(visits.loaded_at) as loaded_at,
    sum(visits.bot_event_count) as bot_event_count, sum(visits.internal_event_count) as internal_event_count,
    sum(visits.page_view_count) as page_view_count, count(distinct visits.session_id) as session_count
    {%- endset %}
    {% set told -%}
    select visits.business_date, {{ sums }} from ({{ visits_of_sessions() }}) as visits group by visits.business_date
    {%- endset %}
    {% set kept -%}
    select visits.business_date, {{ sums }} from {{ this }} as visits group by visits.business_date
    {%- endset %}
    delete from {{ this }} where business_date in ({{ _differing_dates(
        told, kept, ['event_count', 'loaded_at', 'bot_event_count', 'internal_event_count', 'page_view_count', 'session_count']
    ) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{# The parts of visits with their session; `business_date` is the session's, the date on which it began. #}
{% macro visits_of_sessions() -%}
    select
        dated.visit_id,
        dated.visitor_id,
        dated.account_id,
        dated.anonymous_id,
        dated.campaign_id,
        dated.entry_product_id,
        dated.exit_product_id,
        dated.source_system,
        dated.platform,
        dated.utm_source,
        dated.utm_medium,
        dated.referrer,
        dated.entry_page_name,
        dated.exit_page_name,
        dated.event_count,
        dated.page_view_count,
        dated.interaction_count,
        dated.product_count,
        dated.bot_event_count,
        dated.internal_event_count,
        dated.started_at,
        dated.ended_at,
        dated.loaded_at,
        dated.business_date as visit_date,
        coalesce(joined.session_id, dated.visit_id) as session_id,
        coalesce(joined.session_business_date, dated.business_date) as business_date
    from {{ ref('int_visits_dated') }} as dated
    left join {{ ref('int_visits_joined') }} as joined on dated.visit_id = joined.visit_id
{%- endmacro %}

{# Pre-hook of fct_page_views. #}
{% macro delete_changed_page_views() -%}
    {%- if is_incremental() -%}
    {% set told -%}
    select
        sessions.business_date, sum(sessions.page_view_count) as page_view_count, max(sessions.loaded_at) as loaded_at,
        sum(sessions.page_view_count * sessions.event_count) as event_count,
        sum(case when sessions.is_bot then sessions.page_view_count else 0 end) as bot_count,
        sum(case when sessions.is_internal then sessions.page_view_count else 0 end) as internal_count
    from {{ ref('fct_sessions') }} as sessions
    where sessions.page_view_count > 0
    group by sessions.business_date
    {%- endset %}
    {% set kept -%}
    select
        views.session_business_date as business_date, count(*) as page_view_count, max(views.loaded_at) as loaded_at,
        sum(views.session_event_count) as event_count, sum(case when views.is_bot then 1 else 0 end) as bot_count,
        sum(case when views.is_internal then 1 else 0 end) as internal_count
    from {{ this }} as views
    group by views.session_business_date
    {%- endset %}
    delete from {{ this }} where session_business_date in ({{ _differing_dates(
        told, kept, ['page_view_count', 'loaded_at', 'event_count', 'bot_count', 'internal_count']
    ) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{# `business_date` of every date on which two relations of sums are not equal. #}
{% macro _differing_dates(told, kept, columns) -%}
    select kept.business_date
    from ({{ kept }}) as kept
    left join ({{ told }}) as told on kept.business_date = told.business_date
    where
        told.business_date is null
        {%- for column in columns %}
        or kept.{{ column }} is distinct from told.{{ column }}
        {%- endfor %}
    {%- if window_start() and window_end() %}
        or kept.business_date between cast('{{ window_start() }}' as date) and cast('{{ window_end() }}' as date)
    {%- endif %}
{%- endmacro %}

{# Pre-hook of fct_sessions: sessions of which only a device is known are of whoever the device was with. #}
{% macro reassign_visiting_sessions() -%}
    {%- if is_incremental() -%}
    update {{ this }} as kept
    set
        member_id = found.member_id,
        is_anonymous = found.member_id is null,
        is_member_inferred = found.member_id is not null
    from (
        select sessions.session_id, visitors.member_id
        from {{ this }} as sessions
        left join {{ ref('int_anonymous_resolved') }} as visitors on {{ is_visit_of('sessions', 'visitors', 'started_at') }}
        where sessions.account_id is null and sessions.member_id is distinct from visitors.member_id
    ) as found
    where kept.session_id = found.session_id
    {%- else -%}
    select 1 as nothing_to_reassign
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of fct_page_views: a view is of whoever the session is of. #}
{% macro follow_sessions() -%}
    {%- if is_incremental() -%}
    update {{ this }} as kept
    set account_id = sessions.account_id, member_id = sessions.member_id
    from {{ ref('fct_sessions') }} as sessions
    where
        kept.session_id = sessions.session_id
        and (kept.member_id is distinct from sessions.member_id or kept.account_id is distinct from sessions.account_id)
    {%- else -%}
    select 1 as nothing_to_follow
    {%- endif -%}
{%- endmacro %}

{#
    agg_member_days: what each member did on each date. A date whose sums differ is built again, and so is every member whose sums
    over the other dates differ: somebody whose accounts turned out to be another's.
#}

{# Events and sessions that count for a member's day, as rows of one shape. #}
{% macro member_day_sums(key, condition='true') -%}
    select counted.{{ key }}, sum(counted.event_count) as event_count, sum(counted.session_count) as session_count,
        sum(counted.session_seconds) as session_seconds, max(counted.loaded_at) as loaded_at
    from (
        select
            events.member_id, events.business_date, 1 as event_count, 0 as session_count,
            cast(0 as decimal(18, 4)) as session_seconds, events.loaded_at
        from {{ ref('fct_events') }} as events
        where {{ counts_for_a_member('events') }} and events.is_behaviour
        union all
        select
            sessions.member_id, sessions.business_date, 0 as event_count, 1 as session_count,
            sessions.duration_seconds as session_seconds, sessions.loaded_at
        from {{ ref('fct_sessions') }} as sessions
        where {{ counts_for_a_member('sessions') }}
    ) as counted
    where {{ condition }}
    group by counted.{{ key }}
{%- endmacro %}

{% macro counts_for_a_member(facts) -%}
    {{ facts }}.member_id is not null and not {{ facts }}.is_bot and not {{ facts }}.is_internal
{%- endmacro %}

{# First pre-hook of agg_member_days. #}
{% macro delete_changed_member_dates() -%}
    {%- if is_incremental() -%}
    {% set told %}{{ member_day_sums('business_date') }}{% endset %}
    {% set kept %}{{ _kept_member_day_sums('business_date') }}{% endset %}
    delete from {{ this }} where business_date in ({{ _differing_dates(told, kept, ['event_count', 'session_count', 'session_seconds', 'loaded_at']) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{# Second pre-hook of agg_member_days. #}
{% macro delete_changed_member_days() -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where member_id in (
        select coalesce(kept.member_id, told.member_id)
        from ({{ _kept_member_day_sums('member_id') }}) as kept
        full outer join (
            {{ member_day_sums('member_id', 'counted.business_date in (select present.business_date from ' ~ this ~ ' as present)') }}
        ) as told
            on kept.member_id = told.member_id
        where
            kept.member_id is null
            or told.member_id is null
            or kept.event_count is distinct from told.event_count
            or kept.session_count is distinct from told.session_count
            or kept.session_seconds is distinct from told.session_seconds
            or kept.loaded_at is distinct from told.loaded_at
    )
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{% macro _kept_member_day_sums(key) -%}
    select days.{{ key }}, sum(days.event_count) as event_count, sum(days.session_count) as session_count,
        sum(days.session_seconds) as session_seconds, max(days.loaded_at) as loaded_at
    from {{ this }} as days
    group by days.{{ key }}
{%- endmacro %}

{# Whether a fact's date or member is not there yet, behind the two hooks. #}
{% macro is_missing_member_day(facts) -%}
    (
        {{ facts }}.business_date not in (select distinct kept.business_date from {{ this }} as kept)
        or {{ facts }}.member_id not in (select distinct kept.member_id from {{ this }} as kept)
    )
{%- endmacro %}
