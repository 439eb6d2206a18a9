with content as (

    select * from {{ ref('stg_content') }}

),

-- Ids are `<source_system>:<code>`; the codes are those of the catalogue, whatever system wrote the piece.
final as (

    select
        content_id,
        {{ key_of_id('content_id', 'source_system') }} as content_code,
        source_system,
        content_kind,
        title,
        author,
        topic,
        {{ key_of_id('category_id', 'source_system') }} as category_code,
        {{ key_of_id('product_id', 'source_system') }} as product_code,
        is_deleted,
        published_at,
        ended_at,
        loaded_at
    from content

)

select * from final
