-- depends_on: {{ ref('stg_order_lines_landed') }}
-- depends_on: {{ ref('stg_orders_landed') }}
-- depends_on: {{ ref('stg_products_landed') }}
{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook=["{{ reassign_members() }}", "{{ reassign_visitors() }}", "{{ delete_stale_events() }}"]
) }}

{%- set text = 'cast(null as ' ~ dbt.type_string() ~ ')' %}
{#- Told before the pre-hook deletes anything: the body runs after it. -#}
{% set is_reflagged = has_reflagged_members(this) if is_incremental() else false %}

{#- Staged behaviour is named where it is read: a common table would be written out whole, with every column of all history. -#}
{%- set behaviour -%}
(
    select staged.*
    from {{ ref('stg_events') }} as staged
    {% if is_incremental() -%}
    inner join changed_dates on staged.business_date = changed_dates.business_date
    {% endif -%}
    where not staged.is_deleted
)
{%- endset -%}
{%- set missing -%}
(
    select behaviour.*
    from {{ behaviour }} as behaviour
    {% if is_incremental() -%}
    left join kept on behaviour.event_id = kept.event_id
    where kept.event_id is null
    {% endif -%}
)
{%- endset %}

with members as (

    select member_id, account_flag from {{ ref('dim_members') }}
    where account_flag <> 'normal'

),

standard_events as (

    select * from {{ ref('stg_standard_events') }}

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

visitors as (

    select * from {{ ref('int_anonymous_resolved') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    {% if is_incremental() %}
    where
        order_id in ({{ touched_purchases(this) }})
        {% if is_reflagged %}
        or order_id not in (
            select kept.order_id from {{ this }} as kept
            where kept.event_name in ('purchase', 'order_placed') and not kept.is_behaviour
        )
        {% endif %}
    {% endif %}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    {% if is_incremental() %}
    where
        refund_order_id in ({{ touched_purchases(this) }})
        {% if is_reflagged %}
        or 'refund:' || refund_id not in (
            select kept.event_id from {{ this }} as kept
            where kept.event_name = 'refund' and not kept.is_behaviour
        )
        {% endif %}
    {% endif %}

),

touches as (

    select * from {{ ref('fct_touches') }}

),

coupon_receipts as (

    select * from {{ ref('fct_coupon_receipts') }}

),

coupon_redemptions as (

    select * from {{ ref('fct_coupon_redemptions') }}

),

{% if is_incremental() %}
changed_dates as (

    {{ changed_behaviour_dates(this) }}

),

-- What the pre-hook left on those dates.
kept as (

    select earlier.event_id
    from {{ this }} as earlier
    inner join changed_dates on earlier.business_date = changed_dates.business_date
    where earlier.is_behaviour

),

{% endif %}
-- A rate that no hand reaches, in a minute or in a day. Exposures are logged by the page, not clicked, and say nothing of it.
busy_days as (

    select
        coalesce(account_id, anonymous_id) as actor_id,
        business_date,
        count(*) as event_count
    from {{ behaviour }} as behaviour
    where coalesce(account_id, anonymous_id) is not null and event_name <> 'exposure'
    group by coalesce(account_id, anonymous_id), business_date
    having count(*) > least({{ brand_bot_events_per_minute() }}, {{ brand_bot_events_per_day() }})

),

minutes as (

    select
        busy_days.actor_id,
        busy_days.business_date,
        busy_days.event_count,
        count(*) as minute_event_count
    from {{ behaviour }} as behaviour
    inner join busy_days
        on coalesce(behaviour.account_id, behaviour.anonymous_id) = busy_days.actor_id
        and behaviour.business_date = busy_days.business_date
    where behaviour.event_name <> 'exposure'
    group by
        busy_days.actor_id, busy_days.business_date, busy_days.event_count,
        {{ dbt.date_trunc('minute', 'behaviour.occurred_at') }}

),

too_busy as (

    select distinct actor_id, business_date
    from minutes
    where minute_event_count > {{ brand_bot_events_per_minute() }} or event_count > {{ brand_bot_events_per_day() }}

),

-- A visit before the login, or after the logout, is that of whoever the device was with then.
visits as (

    select
        missing.event_id,
        visitors.member_id
    from {{ missing }} as missing
    inner join visitors on {{ is_visit_of('missing', 'visitors', 'occurred_at') }}
    where missing.account_id is null

),

unioned as (

    select
        case when is_void then 'order_placed:' else 'purchase:' end || order_id as event_id,
        account_id,
        {{ text }} as anonymous_id,
        {{ text }} as source_session_id,
        order_id,
        {{ text }} as product_id,
        {{ text }} as campaign_id,
        {{ text }} as content_id,
        source_system,
        {{ text }} as batch_id,
        -- An order that was cancelled or never paid was placed, and is no purchase.
        case when is_void then 'order_placed' else 'purchase' end as event_name,
        {{ text }} as source_event_name,
        {{ text }} as visit_role,
        channel,
        {{ text }} as coupon_code,
        {{ text }} as platform,
        {{ text }} as app_version,
        {{ text }} as page_name,
        {{ text }} as module_name,
        {{ text }} as utm_source,
        {{ text }} as utm_medium,
        {{ text }} as referrer,
        {{ text }} as category_code,
        store_code,
        currency_code,
        cast(null as bigint) as position,
        unit_count as quantity,
        gross_amount as event_amount,
        cast(null as decimal(18, 4)) as duration_seconds,
        false as is_behaviour,
        false as is_bot,
        false as is_time_assumed,
        business_date,
        ordered_at as event_at,
        loaded_at
    from orders
    union all
    select
        'refund:' || refund_id as event_id,
        account_id,
        {{ text }} as anonymous_id,
        {{ text }} as source_session_id,
        refund_order_id as order_id,
        product_id,
        {{ text }} as campaign_id,
        {{ text }} as content_id,
        source_system,
        {{ text }} as batch_id,
        'refund' as event_name,
        {{ text }} as source_event_name,
        {{ text }} as visit_role,
        {{ text }} as channel,
        {{ text }} as coupon_code,
        {{ text }} as platform,
        {{ text }} as app_version,
        {{ text }} as page_name,
        {{ text }} as module_name,
        {{ text }} as utm_source,
        {{ text }} as utm_medium,
        {{ text }} as referrer,
        {{ text }} as category_code,
        store_code,
        currency_code,
        cast(null as bigint) as position,
        quantity,
        {{ money('refund_amount') }} as event_amount,
        cast(null as decimal(18, 4)) as duration_seconds,
        false as is_behaviour,
        false as is_bot,
        false as is_time_assumed,
        business_date,
        refunded_at as event_at,
        loaded_at
    from refunds
    union all
    select
        'touch:' || touch_id as event_id,
        account_id,
        {{ text }} as anonymous_id,
        {{ text }} as source_session_id,
        {{ text }} as order_id,
        {{ text }} as product_id,
        campaign_id,
        {{ text }} as content_id,
        source_system,
        {{ text }} as batch_id,
        'touch_' || touch_type as event_name,
        {{ text }} as source_event_name,
        {{ text }} as visit_role,
        channel,
        {{ text }} as coupon_code,
        {{ text }} as platform,
        {{ text }} as app_version,
        {{ text }} as page_name,
        {{ text }} as module_name,
        {{ text }} as utm_source,
        {{ text }} as utm_medium,
        {{ text }} as referrer,
        {{ text }} as category_code,
        {{ text }} as store_code,
        {{ text }} as currency_code,
        cast(null as bigint) as position,
        cast(null as decimal(18, 4)) as quantity,
        cast(null as decimal(18, 2)) as event_amount,
        cast(null as decimal(18, 4)) as duration_seconds,
        false as is_behaviour,
        false as is_bot,
        is_date_assumed as is_time_assumed,
        business_date,
        touched_at as event_at,
        loaded_at
    from touches
    union all
    select
        'coupon_receipt:' || receipt_id as event_id,
        account_id,
        {{ text }} as anonymous_id,
        {{ text }} as source_session_id,
        {{ text }} as order_id,
        {{ text }} as product_id,
        campaign_id,
        {{ text }} as content_id,
        source_system,
        {{ text }} as batch_id,
        'coupon_receipt' as event_name,
        {{ text }} as source_event_name,
        {{ text }} as visit_role,
        {{ text }} as channel,
        coupon_code,
        {{ text }} as platform,
        {{ text }} as app_version,
        {{ text }} as page_name,
        {{ text }} as module_name,
        {{ text }} as utm_source,
        {{ text }} as utm_medium,
        {{ text }} as referrer,
        {{ text }} as category_code,
        {{ text }} as store_code,
        {{ text }} as currency_code,
        cast(null as bigint) as position,
        cast(null as decimal(18, 4)) as quantity,
        cast(null as decimal(18, 2)) as event_amount,
        cast(null as decimal(18, 4)) as duration_seconds,
        false as is_behaviour,
        false as is_bot,
        false as is_time_assumed,
        business_date,
        received_at as event_at,
        loaded_at
    from coupon_receipts
    union all
    select
        'coupon_redemption:' || redemption_id as event_id,
        account_id,
        {{ text }} as anonymous_id,
        {{ text }} as source_session_id,
        order_id,
        {{ text }} as product_id,
        campaign_id,
        {{ text }} as content_id,
        source_system,
        {{ text }} as batch_id,
        'coupon_redemption' as event_name,
        {{ text }} as source_event_name,
        {{ text }} as visit_role,
        {{ text }} as channel,
        coupon_code,
        {{ text }} as platform,
        {{ text }} as app_version,
        {{ text }} as page_name,
        {{ text }} as module_name,
        {{ text }} as utm_source,
        {{ text }} as utm_medium,
        {{ text }} as referrer,
        {{ text }} as category_code,
        {{ text }} as store_code,
        {{ text }} as currency_code,
        cast(null as bigint) as position,
        cast(null as decimal(18, 4)) as quantity,
        cast(null as decimal(18, 2)) as event_amount,
        cast(null as decimal(18, 4)) as duration_seconds,
        false as is_behaviour,
        false as is_bot,
        not is_order_matched as is_time_assumed,
        business_date,
        redeemed_at as event_at,
        loaded_at
    from coupon_redemptions
    union all
    select
        missing.event_id,
        missing.account_id,
        missing.anonymous_id,
        missing.session_id as source_session_id,
        missing.order_id,
        missing.product_id,
        missing.campaign_id,
        missing.content_id,
        missing.source_system,
        missing.batch_id,
        {% if brand_has_orders() -%}
        -- Orders are this brand's purchases: what a client reports of one goes under a name of its own, or each would count twice.
        case when missing.event_name = 'purchase' then 'purchase_reported' else missing.event_name end as event_name,
        {%- else -%}
        missing.event_name,
        {%- endif %}
        missing.event_name as source_event_name,
        -- What is in no vocabulary is something that somebody did.
        coalesce(standard_events.visit_role, 'interaction') as visit_role,
        {{ text }} as channel,
        {{ text }} as coupon_code,
        missing.platform,
        missing.app_version,
        missing.page_name,
        missing.module_name,
        missing.utm_source,
        missing.utm_medium,
        missing.referrer,
        missing.category_code,
        missing.store_code,
        {{ text }} as currency_code,
        missing.position,
        missing.quantity,
        {{ money('missing.event_amount') }} as event_amount,
        missing.duration_seconds,
        true as is_behaviour,
        missing.is_bot or too_busy.actor_id is not null as is_bot,
        false as is_time_assumed,
        missing.business_date,
        missing.occurred_at as event_at,
        missing.loaded_at
    from {{ missing }} as missing
    left join standard_events on missing.event_name = standard_events.event_name
    left join too_busy
        on coalesce(missing.account_id, missing.anonymous_id) = too_busy.actor_id
        and missing.business_date = too_busy.business_date

),

final as (

    select
        unioned.event_id,
        coalesce(resolved_accounts.member_id, visits.member_id) as member_id,
        unioned.account_id,
        unioned.anonymous_id,
        unioned.source_session_id,
        unioned.order_id,
        unioned.product_id,
        unioned.campaign_id,
        unioned.content_id,
        unioned.source_system,
        unioned.batch_id,
        unioned.event_name,
        unioned.source_event_name,
        unioned.visit_role,
        unioned.channel,
        unioned.coupon_code,
        unioned.platform,
        unioned.app_version,
        unioned.page_name,
        unioned.module_name,
        unioned.utm_source,
        unioned.utm_medium,
        unioned.referrer,
        unioned.category_code,
        unioned.store_code,
        unioned.currency_code,
        coalesce(members.account_flag, 'normal') as account_flag,
        cast(unioned.position as integer) as position,
        cast(unioned.quantity as decimal(18, 4)) as quantity,
        cast(unioned.event_amount as decimal(18, 2)) as event_amount,
        cast(unioned.duration_seconds as decimal(18, 4)) as duration_seconds,
        coalesce(resolved_accounts.member_id, visits.member_id) is null as is_anonymous,
        visits.member_id is not null as is_member_inferred,
        unioned.is_behaviour,
        unioned.is_bot or coalesce(members.account_flag = 'robot', false) as is_bot,
        coalesce(members.account_flag in ('test', 'internal'), false) as is_internal,
        not {{ is_within_calendar('unioned.business_date') }} as is_outside_calendar,
        unioned.is_time_assumed,
        unioned.business_date,
        unioned.event_at,
        unioned.loaded_at
    from unioned
    left join resolved_accounts on unioned.account_id = resolved_accounts.account_id
    left join visits on unioned.event_id = visits.event_id
    left join members on coalesce(resolved_accounts.member_id, visits.member_id) = members.member_id

)

select * from final
