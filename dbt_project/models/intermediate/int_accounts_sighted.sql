{{ config(materialized='table') }}

{#- Model, and the date of the sighting. Profiles, order lines and touches are more than a name and a date: see below. -#}
{% set sources = [
    ('stg_identifiers', business_date('observed_at')), ('stg_orders', 'business_date'), ('stg_refunds', 'business_date'),
    ('stg_events', 'business_date'), ('stg_coupon_receipts', 'business_date'), ('stg_coupon_redemptions', 'business_date'),
    ('stg_points', 'business_date'), ('stg_tasks', 'business_date'), ('stg_service_tickets', 'business_date'),
    ('stg_reviews', 'business_date'), ('stg_surveys', 'business_date'), ('stg_recommendation_exposures', 'business_date'),
    ('stg_experiment_exposures', 'business_date'), ('stg_consents', 'business_date'), ('stg_external_profiles', 'valid_from')
] %}

with members as (

    select * from {{ ref('stg_members') }}

),

order_lines as (

    select * from {{ ref('int_order_lines_attributed') }}

),

touches as (

    select * from {{ ref('int_touches_dated') }}

),

-- Everywhere a member was seen. A member need not have a profile, nor an order. Rows that their source has deleted show nobody,
-- but what a deleted profile said of the account still holds for what the account did.
sightings as (

    select
        account_id, member_key, source_system, cast(null as {{ dbt.type_string() }}) as country_name,
        case when account_flag <> 'normal' then account_flag end as account_flag,
        not is_deleted as is_sighting, true as is_profile, {{ business_date('registered_at') }} as business_date, loaded_at
    from members
    union all
    select
        account_id, member_key, source_system, max_by(country_name, ordered_at) as country_name,
        cast(null as {{ dbt.type_string() }}) as account_flag, true as is_sighting, false as is_profile,
        min(business_date) as business_date, min(loaded_at) as loaded_at
    from order_lines
    where account_id is not null
    group by account_id, member_key, source_system, {{ is_within_calendar('business_date') }}
    union all
    select
        account_id, member_key, source_system, cast(null as {{ dbt.type_string() }}) as country_name,
        cast(null as {{ dbt.type_string() }}) as account_flag, true as is_sighting, false as is_profile,
        business_date, loaded_at
    from touches
    {% for model, date in sources %}
    union all
    select
        account_id, member_key, source_system, cast(null as {{ dbt.type_string() }}) as country_name,
        cast(null as {{ dbt.type_string() }}) as account_flag, true as is_sighting, false as is_profile,
        min({{ date }}) as business_date, min(loaded_at) as loaded_at
    from {{ ref(model) }}
    where account_id is not null and not is_deleted
    group by account_id, member_key, source_system, {{ is_within_calendar(date) }}
    {% endfor %}

),

-- A stray date outside the calendar says nothing of when a member came, unless there is no other. A registration long before the
-- calendar is no stray.
final as (

    select
        account_id,
        min(member_key) as member_key,
        min(source_system) as source_system,
        max(country_name) as country_name,
        coalesce(max(account_flag), 'normal') as account_flag,
        coalesce(
            min(case when is_sighting and (is_profile or {{ is_within_calendar('business_date') }}) then business_date end),
            min(case when is_sighting then business_date end)
        ) as first_seen_date,
        min(loaded_at) as loaded_at
    from sightings
    group by account_id
    having max(case when is_sighting then 1 else 0 end) = 1

)

select * from final
