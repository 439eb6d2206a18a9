-- depends_on: {{ ref('stg_order_lines_landed') }}
{{ config(materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook="{{ delete_touched_events() }}") }}

with orders as (

    select * from {{ ref('fct_orders') }}
    {% if is_incremental() %}
    where order_id in ({{ touched_orders(this) }})
    {% endif %}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    {% if is_incremental() %}
    where refund_order_id in ({{ touched_orders(this) }})
    {% endif %}

),

touches as (

    select * from {{ ref('fct_touches') }}

),

coupon_redemptions as (

    select * from {{ ref('fct_coupon_redemptions') }}

),

unioned as (

    select
        'purchase:' || order_id as event_id,
        member_id,
        order_id,
        cast(null as {{ dbt.type_string() }}) as product_id,
        cast(null as {{ dbt.type_string() }}) as campaign_id,
        source_system,
        'purchase' as event_name,
        cast(null as {{ dbt.type_string() }}) as channel,
        cast(null as {{ dbt.type_string() }}) as coupon_code,
        currency_code,
        gross_amount as event_amount,
        false as is_time_assumed,
        business_date,
        ordered_at as event_at,
        loaded_at
    from orders
    union all
    select
        'refund:' || refund_id as event_id,
        member_id,
        refund_order_id as order_id,
        product_id,
        cast(null as {{ dbt.type_string() }}) as campaign_id,
        source_system,
        'refund' as event_name,
        cast(null as {{ dbt.type_string() }}) as channel,
        cast(null as {{ dbt.type_string() }}) as coupon_code,
        currency_code,
        {{ money('refund_amount') }} as event_amount,
        false as is_time_assumed,
        business_date,
        refunded_at as event_at,
        loaded_at
    from refunds
    union all
    select
        'touch:' || touch_id as event_id,
        member_id,
        cast(null as {{ dbt.type_string() }}) as order_id,
        cast(null as {{ dbt.type_string() }}) as product_id,
        campaign_id,
        source_system,
        'touch_' || touch_type as event_name,
        channel,
        cast(null as {{ dbt.type_string() }}) as coupon_code,
        cast(null as {{ dbt.type_string() }}) as currency_code,
        cast(null as decimal(18, 2)) as event_amount,
        is_date_assumed as is_time_assumed,
        business_date,
        touched_at as event_at,
        loaded_at
    from touches
    union all
    select
        'coupon_redemption:' || redemption_id as event_id,
        member_id,
        order_id,
        cast(null as {{ dbt.type_string() }}) as product_id,
        campaign_id,
        source_system,
        'coupon_redemption' as event_name,
        cast(null as {{ dbt.type_string() }}) as channel,
        coupon_code,
        cast(null as {{ dbt.type_string() }}) as currency_code,
        cast(null as decimal(18, 2)) as event_amount,
        not is_order_matched as is_time_assumed,
        business_date,
        redeemed_at as event_at,
        loaded_at
    from coupon_redemptions

),

final as (

    select
        event_id,
        member_id,
        -- A clickstream fills these two; purchases, refunds, touches and coupons have neither device nor session.
        cast(null as {{ dbt.type_string() }}) as anonymous_id,
        cast(null as {{ dbt.type_string() }}) as session_id,
        order_id,
        product_id,
        campaign_id,
        source_system,
        event_name,
        channel,
        coupon_code,
        currency_code,
        event_amount,
        member_id is null as is_anonymous,
        is_time_assumed,
        business_date,
        event_at,
        loaded_at
    from unioned

)

select * from final
