with sighted as (

    select * from {{ ref('int_accounts_sighted') }}

),

profiles as (

    select * from {{ ref('stg_members') }}
    where not is_deleted

),

final as (

    select
        sighted.member_id,
        sighted.source_system,
        profiles.gender,
        profiles.age_band,
        profiles.income_band,
        profiles.home_ownership,
        profiles.marital_status,
        profiles.household_size,
        profiles.household_composition,
        profiles.kids_count,
        profiles.region,
        profiles.province_code,
        profiles.province_name,
        sighted.country_name,
        profiles.tier_name,
        profiles.registration_channel,
        profiles.store_id,
        sighted.account_flag,
        profiles.member_id is not null as has_profile,
        sighted.first_seen_date,
        profiles.registered_at,
        sighted.loaded_at
    from sighted
    left join profiles on sighted.member_id = profiles.member_id

)

select * from final
