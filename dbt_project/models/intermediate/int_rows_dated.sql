{{ config(materialized='table') }}

{#-
    What every entity has, and when: read by the clock, by the coverage of entities and by what is said of late rows, so that
    each staged table is counted once.
-#}
{% set dated = [
    'order_lines', 'orders', 'payments', 'refunds', 'events', 'touches', 'coupon_receipts', 'coupon_redemptions', 'points', 'tasks',
    'service_tickets', 'reviews', 'surveys', 'recommendation_exposures', 'experiment_exposures', 'consents', 'ad_costs'
] %}
{#- Members are dated by their registration, which is no fact of the brand's trading: see int_clocks_resolved. -#}
{% set states = [
    'members', 'identifiers', 'products', 'stores', 'shipments', 'campaigns', 'offers', 'coupon_products', 'content',
    'external_profiles'
] %}

with unioned as (

    {% for entity in dated %}
    select '{{ entity }}' as entity, source_system, batch_id, is_deleted, business_date from {{ ref('stg_' ~ entity) }}
    union all
    {% endfor %}
    {% for entity in states %}
    select
        '{{ entity }}' as entity, source_system, batch_id, is_deleted,
        {{ business_date('registered_at') if entity == 'members' else 'cast(null as date)' }} as business_date
    from {{ ref('stg_' ~ entity) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        entity,
        source_system,
        batch_id,
        count(*) as row_count,
        is_deleted,
        {{ is_within_calendar('business_date') }} as is_within_calendar,
        business_date
    from unioned
    group by entity, source_system, batch_id, is_deleted, business_date

)

select * from final
