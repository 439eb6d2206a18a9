with members as (

    {{ newest_versions('members', ['member_key']) }}

),

provinces as {{ province_words() }},

prepared as (

    select
        *,
        {{ phone_text('phone') }} as phone_text,
        {{ email_text('email') }} as email_text,
        {{ word_text('gender') }} as gender_text,
        {{ birthday_text('birthday') }} as birthday_text,
        {{ word_text('account_kind') }} as account_text,
        {{ word_text('full_name') }} as name_text,
        {{ region_text('region') }} as region_text,
        {{ business_date('loaded_at') }} as known_date
    from members

),

standardised as (

    select
        *,
        {{ standard_phone('phone_text') }} as standard_phone,
        {{ standard_email('email_text') }} as standard_email,
        {{ standard_gender('gender_text') }} as standard_gender,
        {{ birthday_iso('birthday_text') }} as birthday_iso,
        {{ account_flag('account_text', 'name_text', 'email_text') }} as account_flag,
        {{ region_word('region_text') }} as region_word
    from prepared

),

-- The province that a region names, if it names one.
located as (

    select
        standardised.*,
        provinces.province_code,
        provinces.province_name
    from standardised
    left join provinces on standardised.region_word = provinces.region_word

),

final as (

    select
        {{ account_id('source_system', 'member_key') }} as account_id,
        member_key,
        {{ entity_id('source_system', 'store_code') }} as store_id,
        source_system,
        batch_id,
        registration_channel,
        standard_phone as phone,
        {{ identifier_hash("'phone'", 'standard_phone') }} as phone_hash,
        standard_email as email,
        {{ identifier_hash("'email'", 'standard_email') }} as email_hash,
        standard_gender as gender,
        age_band,
        income_band,
        home_ownership,
        marital_status,
        household_size,
        household_composition,
        kids_count,
        region,
        province_code,
        province_name,
        tier_name,
        guide_code,
        account_flag,
        {{ phone_rule('phone', 'phone_text', 'standard_phone') }} as phone_rule,
        {{ email_rule('email', 'email_text', 'standard_email') }} as email_rule,
        {{ gender_rule('gender', 'gender_text', 'standard_gender') }} as gender_rule,
        {{ birthday_rule('birthday', 'birthday_text', 'birthday_iso', 'known_date') }} as birthday_rule,
        {{ region_rule('region', 'region_text', 'province_name') }} as region_rule,
        {{ account_rule('account_flag', 'account_text') }} as account_rule,
        points_balance,
        full_name is not null as has_full_name,
        address is not null as has_address,
        {{ is_deleted_flag() }},
        {{ standard_birthday('birthday_text', 'birthday_iso', 'known_date') }} as birthday,
        registered_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from located

)

select * from final
