{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    pre_hook=["{{ delete_changed_interaction_dates() }}", "{{ delete_changed_interaction_members() }}"],
    meta={'dagster': {'partitioned_by': 'business_date'}}
) }}

with events as (

    select * from {{ ref('fct_events') }} as events
    where
        {{ is_product_interaction('events') }}
        {% if is_incremental() %}
        and {{ is_missing_member_day('events') }}
        {% endif %}

),

final as (

    select
        member_id,
        product_id,
        count(case when source_event_name = 'view' then 1 end) as view_count,
        count(case when source_event_name = 'favourite' then 1 end) as favourite_count,
        count(case when source_event_name = 'cart' then 1 end) as cart_count,
        count(case when source_event_name = 'share' then 1 end) as share_count,
        business_date,
        max(loaded_at) as loaded_at
    from events
    group by member_id, product_id, business_date

)

select * from final
