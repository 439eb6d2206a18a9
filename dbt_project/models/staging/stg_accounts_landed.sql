{{ config(materialized=order_keyed_materialization(), incremental_strategy='append') }}

{#-
    When each account first came in, superseded batches included: what survives of a group of accounts must not change because a file
    was corrected. Raw never changes, so only what came since is read.
-#}
{% set entities = [
    'members', 'identifiers', 'orders', 'order_lines', 'refunds', 'events', 'touches', 'coupon_receipts', 'coupon_redemptions', 'points',
    'tasks', 'service_tickets', 'reviews', 'surveys', 'recommendation_exposures', 'experiment_exposures', 'consents', 'external_profiles'
] %}
{%- set watermark = column_watermark(this, 'first_loaded_at') if is_incremental() else none %}

with landed as (

    {% for entity in entities %}
    select
        source_system,
        member_key,
        min(loaded_at) as first_loaded_at
    from {{ source('raw', entity) }}
    where
        member_key is not null
        {% if watermark %}and loaded_at > cast('{{ watermark }}' as {{ type_instant() }}){% endif %}
        {% if known_at() %}and loaded_at <= cast('{{ known_at() }}' as {{ type_instant() }}){% endif %}
    group by source_system, member_key
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

keyed as (

    select
        {{ account_id('source_system', 'member_key') }} as account_id,
        min(first_loaded_at) as first_loaded_at
    from landed
    group by source_system, member_key

),

final as (

    select * from keyed
    {% if is_incremental() %}
    where keyed.account_id not in (select known.account_id from {{ this }} as known)
    {% endif %}

)

select * from final
