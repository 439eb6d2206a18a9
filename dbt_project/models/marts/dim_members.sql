with sighted as (

    select * from {{ ref('int_accounts_sighted') }}

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

profiles as (

    select * from {{ ref('stg_members') }}
    where not is_deleted

),

declared as (

    select * from {{ ref('dim_members_history') }}
    where is_current

),

external_profiles as (

    select * from {{ ref('stg_external_profiles') }}
    where not is_deleted

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

-- Whoever is a tester, a colleague or a robot under one account is so under all of them.
accounts as (

    select
        resolved_accounts.member_id,
        count(*) as account_count,
        min(case when resolved_accounts.account_id = resolved_accounts.member_id then sighted.source_system end) as source_system,
        max(sighted.country_name) as country_name,
        min(
            case sighted.account_flag when 'test' then 1 when 'internal' then 2 when 'robot' then 3 else 4 end
        ) as account_rank,
        max(case when profiles.account_id is not null then 1 else 0 end) = 1 as has_profile,
        min(sighted.first_seen_date) as first_seen_date,
        min(profiles.registered_at) as registered_at,
        min(sighted.loaded_at) as loaded_at
    from sighted
    inner join resolved_accounts on sighted.account_id = resolved_accounts.account_id
    left join profiles on sighted.account_id = profiles.account_id
    group by resolved_accounts.member_id

),

-- What somebody outside thinks of a member fills what nobody has declared: the surest word that holds on the day of the cut.
guessed as (

    select
        resolved_accounts.member_id,
        external_profiles.attribute_code,
        external_profiles.attribute_value,
        row_number() over (
            partition by resolved_accounts.member_id, external_profiles.attribute_code
            order by
                external_profiles.confidence desc nulls last, external_profiles.valid_from desc nulls last,
                external_profiles.external_profile_id asc nulls last
        ) as surest_first
    from external_profiles
    inner join resolved_accounts on external_profiles.account_id = resolved_accounts.account_id
    cross join clocks
    where
        external_profiles.attribute_code in ('age_band', 'income_band', 'gender')
        and external_profiles.valid_from < clocks.as_of_date
        and (external_profiles.valid_to is null or external_profiles.valid_to >= {{ add_days('clocks.as_of_date', -1) }})

),

external_words as (

    select
        member_id,
        max(case when attribute_code = 'gender' then attribute_value end) as gender,
        max(case when attribute_code = 'age_band' then attribute_value end) as age_band,
        max(case when attribute_code = 'income_band' then attribute_value end) as income_band
    from guessed
    where surest_first = 1
    group by member_id

),

final as (

    select
        accounts.member_id,
        accounts.source_system,
        coalesce(declared.gender, external_words.gender, 'unknown') as gender,
        {{ origin_of('declared.gender', 'external_words.gender') }} as gender_origin,
        coalesce(declared.age_band, external_words.age_band) as age_band,
        {{ origin_of('declared.age_band', 'external_words.age_band') }} as age_band_origin,
        coalesce(declared.income_band, external_words.income_band) as income_band,
        {{ origin_of('declared.income_band', 'external_words.income_band') }} as income_band_origin,
        declared.home_ownership,
        declared.marital_status,
        declared.household_size,
        declared.household_composition,
        declared.kids_count,
        declared.region,
        declared.province_code,
        declared.province_name,
        accounts.country_name,
        declared.tier_name,
        declared.registration_channel,
        declared.store_id,
        case accounts.account_rank when 1 then 'test' when 2 then 'internal' when 3 then 'robot' else 'normal' end as account_flag,
        cast(accounts.account_count as integer) as account_count,
        accounts.has_profile,
        accounts.first_seen_date,
        accounts.registered_at,
        accounts.loaded_at
    from accounts
    left join declared on accounts.member_id = declared.member_id
    left join external_words on accounts.member_id = external_words.member_id

)

select * from final
