with content as (

    {{ newest_versions('content', ['content_key']) }}

),

final as (

    select
        {{ entity_id('source_system', 'content_key') }} as content_id,
        {{ entity_id('source_system', 'category_code') }} as category_id,
        {{ entity_id('source_system', 'product_code') }} as product_id,
        source_system,
        batch_id,
        content_kind,
        title,
        author,
        topic,
        {{ is_deleted_flag() }},
        published_at,
        ended_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from content

)

select * from final
