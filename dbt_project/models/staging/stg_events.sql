{{ config(
    materialized=order_keyed_materialization(), incremental_strategy='delete+insert', unique_key='event_id',
    post_hook="{{ forget_superseded_batches('events') }}"
) }}

{#- Sources and the table itself are named where they are read: a common table would be written out whole, with all its history. -#}
{% if is_incremental() %}
{%- set has_open = has_open_rows(this, 'events') %}
with batches as (

    select batch_id from {{ ref('stg_load_batches') }}
    where is_current and entity = 'events'

),

-- What is staged says which batches it came from; no clock is asked, so batches may come in any order.
staged_batches as (

    select distinct batch_id from {{ this }}

),

new_batches as (

    select batches.batch_id
    from batches
    left join staged_batches on batches.batch_id = staged_batches.batch_id
    where staged_batches.batch_id is null

),

{% if has_open %}
-- Events whose row came with a batch that a newer one of its file has replaced. Another batch may still have them.
lost as (

    select staged.event_id
    from {{ this }} as staged
    left join batches on staged.batch_id = batches.batch_id
    where
        batches.batch_id is null
        or {{ is_in_window('staged.business_date') }}

),

-- Rows that others have of the events that are open.
opened as (

    select
        {{ entity_id('events.source_system', 'events.event_key') }} as event_id, events.batch_id, events.change_sequence,
        events.source_row_number, events.changed_at, events.loaded_at
    from {{ source('raw', 'events') }} as events
    inner join batches on events.batch_id = batches.batch_id
    where
        events.batch_id not in (select new_batches.batch_id from new_batches)
        and (
            {{ entity_id('events.source_system', 'events.event_key') }} in (select lost.event_id from lost)
            or {{ is_in_window(business_date('events.occurred_at')) }}
        )

),

{% endif %}
-- By their keys and versions alone: the other columns are fetched for the rows that stay.
judged as (

    select
        {{ entity_id('events.source_system', 'events.event_key') }} as event_id, events.batch_id, events.change_sequence,
        events.source_row_number, events.changed_at, events.loaded_at
    from {{ source('raw', 'events') }} as events
    inner join new_batches on events.batch_id = new_batches.batch_id
    {% if has_open %}
    union all
    select opened.event_id, opened.batch_id, opened.change_sequence, opened.source_row_number, opened.changed_at, opened.loaded_at
    from opened
    {% endif %}

),

-- Keys that come twice, are staged already, or are open.
contested as (

    select judged.event_id
    from judged
    group by judged.event_id
    having count(*) > 1
    union
    select staged.event_id
    from {{ this }} as staged
    where staged.event_id in (select judged.event_id from judged)
    {% if has_open %}
    union
    select opened.event_id
    from opened
    {% endif %}

),

rivals as (

    select
        judged.event_id, judged.batch_id, judged.change_sequence, judged.source_row_number, false as is_staged,
        judged.changed_at, judged.loaded_at
    from judged
    inner join contested on judged.event_id = contested.event_id
    union all
    select
        staged.event_id, staged.batch_id, staged.change_sequence, staged.source_row_number, true as is_staged,
        staged.changed_at, staged.loaded_at
    from {{ this }} as staged
    where
        staged.event_id in (select contested.event_id from contested)
        {{ 'and staged.event_id not in (select lost.event_id from lost)' if has_open }}

),

ranked as (

    select
        rivals.*,
        row_number() over (
            partition by rivals.event_id
            {{ newest_first('rivals') }}
        ) as place
    from rivals

),

outdone as (

    select ranked.batch_id, ranked.source_row_number, {{ tombstone_key('ranked', 'ranked.event_id') }} as tombstone_key
    from ranked
    where ranked.place > 1 and not ranked.is_staged

),

-- What the new batches bring and nothing outdoes: a staged row that is still the newest stays where it is. Of the open events, the
-- newest that others have.
kept as (

    select events.*
    from {{ source('raw', 'events') }} as events
    inner join new_batches on events.batch_id = new_batches.batch_id
    left join outdone
        on events.batch_id = outdone.batch_id
        and coalesce(events.source_row_number, -1) = coalesce(outdone.source_row_number, -1)
        and {{ tombstone_key('events', entity_id('events.source_system', 'events.event_key')) }} = outdone.tombstone_key
    where outdone.batch_id is null
    {% if has_open %}
    union all
    select events.*
    from {{ source('raw', 'events') }} as events
    inner join ranked
        on events.batch_id = ranked.batch_id
        and {{ entity_id('events.source_system', 'events.event_key') }} = ranked.event_id
        and coalesce(events.source_row_number, -1) = coalesce(ranked.source_row_number, -1)
    where
        ranked.place = 1
        and not ranked.is_staged
        and events.batch_id not in (select new_batches.batch_id from new_batches)
    {% endif %}

),

{% set is_program = is_bot('user_agent') -%}
{% else %}
with kept as (

    {{ newest_versions('events', ['event_key'], is_large=true) }}

),

-- Over a whole history few clients send many events: each client is judged once.
programs as (

    select clients.user_agent
    from (select distinct user_agent from {{ source('raw', 'events') }}) as clients
    where {{ is_bot('clients.user_agent') }}

),

{% set is_program = 'coalesce(user_agent in (select programs.user_agent from programs), false)' -%}
{% endif %}
final as (

    select
        {{ entity_id('source_system', 'event_key') }} as event_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ anonymous_id('source_system', 'anonymous_key') }} as anonymous_id,
        {{ entity_id('source_system', 'session_key') }} as session_id,
        {{ entity_id('source_system', 'product_code') }} as product_id,
        {{ entity_id('source_system', 'category_code') }} as category_id,
        {{ entity_id('source_system', 'store_code') }} as store_id,
        {{ entity_id('source_system', 'order_key') }} as order_id,
        {{ entity_id('source_system', 'content_key') }} as content_id,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        member_key,
        session_key,
        category_code,
        store_code,
        content_key,
        source_system,
        batch_id,
        event_name,
        platform,
        app_version,
        page_name,
        module_name,
        search_text,
        referrer,
        utm_source,
        utm_medium,
        user_agent,
        ip_hash,
        properties,
        position,
        quantity,
        event_amount,
        duration_seconds,
        change_sequence,
        source_row_number,
        {{ is_program }} as is_bot,
        {{ is_deleted_flag() }},
        {{ business_date('occurred_at') }} as business_date,
        occurred_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from kept

)

select * from final
