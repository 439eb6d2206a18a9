{{ config(materialized='table') }}

with members as (

    select * from {{ ref('stg_members') }}

),

order_lines as (

    select * from {{ ref('stg_order_lines') }}

),

touches as (

    select * from {{ ref('int_touches_dated') }}

),

coupon_redemptions as (

    select * from {{ ref('stg_coupon_redemptions') }}

),

-- Everywhere a member was seen. A member need not have a profile, nor an order.
sightings as (

    select
        member_id, member_key, source_system, cast(null as {{ dbt.type_string() }}) as country_name,
        {{ business_date('registered_at') }} as business_date, loaded_at
    from members
    union all
    select
        member_id, member_key, source_system, max_by(country_name, ordered_at) as country_name,
        min(business_date) as business_date, min(loaded_at) as loaded_at
    from order_lines
    where member_id is not null
    group by member_id, member_key, source_system
    union all
    select
        member_id, member_key, source_system, cast(null as {{ dbt.type_string() }}) as country_name,
        business_date, loaded_at
    from touches
    union all
    select
        member_id, member_key, source_system, cast(null as {{ dbt.type_string() }}) as country_name,
        business_date, loaded_at
    from coupon_redemptions

),

final as (

    select
        member_id,
        min(member_key) as member_key,
        min(source_system) as source_system,
        max(country_name) as country_name,
        min(business_date) as first_seen_date,
        min(loaded_at) as loaded_at
    from sightings
    group by member_id

)

select * from final
