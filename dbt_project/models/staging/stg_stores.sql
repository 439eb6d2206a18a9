with stores as (

    {{ newest_versions('stores', ['store_code']) }}

),

provinces as {{ province_words() }},

prepared as (

    select
        *,
        {{ region_text('region') }} as region_text
    from stores

),

standardised as (

    select
        *,
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
        {{ entity_id('source_system', 'store_code') }} as store_id,
        store_code,
        source_system,
        batch_id,
        store_name,
        store_kind,
        platform,
        region,
        province_code,
        province_name,
        {{ region_rule('region', 'region_text', 'province_name') }} as region_rule,
        address,
        {{ is_deleted_flag() }},
        opened_on as opening_date,
        closed_on as closing_date,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from located

)

select * from final
