with reviews as (

    {{ newest_versions('reviews', ['review_key']) }}

),

final as (

    select
        {{ entity_id('source_system', 'review_key') }} as review_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'order_key') }} as order_id,
        {{ entity_id('source_system', 'product_code') }} as product_id,
        member_key,
        source_system,
        batch_id,
        content,
        rating,
        image_count,
        coalesce(is_append, false) as is_append,
        {{ is_deleted_flag() }},
        {{ business_date('reviewed_at') }} as business_date,
        reviewed_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from reviews

)

select * from final
