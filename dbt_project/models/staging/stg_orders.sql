with orders as (

    {{ newest_versions('orders', ['order_key']) }}

),

provinces as {{ province_words() }},

prepared as (

    select
        *,
        {{ region_text('region') }} as region_text
    from orders

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
        {{ entity_id('source_system', 'order_key') }} as order_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'store_code') }} as store_id,
        member_key,
        source_system,
        batch_id,
        order_status,
        order_kind,
        channel,
        store_code,
        guide_code,
        {{ anonymous_id('source_system', 'receiver_key') }} as receiver_id,
        currency_code,
        region,
        province_code,
        province_name,
        {{ region_rule('region', 'region_text', 'province_name') }} as region_rule,
        goods_amount,
        platform_discount_amount,
        brand_discount_amount,
        freight_amount,
        points_discount_amount,
        payable_amount,
        remark is not null as has_remark,
        {{ is_deleted_flag() }},
        {{ business_date('ordered_at') }} as business_date,
        ordered_at,
        paid_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from located

)

select * from final
