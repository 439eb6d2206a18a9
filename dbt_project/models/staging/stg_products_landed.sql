{#- When the kind of a product last changed: lines that were built with the old kind must be built again. -#}
with products as (

    select * from {{ source('raw', 'products') }}

),

batches as (

    select * from {{ ref('stg_load_batches') }}
    where entity = 'products'

),

files as (

    select source_system, origin_file, max(loaded_at) as touched_at
    from batches
    group by source_system, origin_file

),

versions as (

    select
        {{ entity_id('products.source_system', 'products.product_code') }} as product_id,
        products.product_code,
        products.product_kind,
        lag(products.product_kind) over (
            partition by products.source_system, products.product_code
            order by products.loaded_at nulls last, products.batch_id nulls last, products.source_row_number nulls last
        ) as previous_kind,
        batches.is_current,
        products.loaded_at,
        files.touched_at
    from products
    inner join batches on products.batch_id = batches.batch_id
    inner join files on batches.source_system = files.source_system and batches.origin_file = files.origin_file

),

-- The first row of a product is a change too: its lines may have been there before it. A product that its corrected file no longer
-- has goes back to what its lines say.
final as (

    select
        product_id,
        product_code,
        case
            when bool_or(is_current) then max(case when previous_kind is null or previous_kind <> product_kind then loaded_at end)
            else max(touched_at)
        end as kind_changed_at
    from versions
    group by product_id, product_code

)

select * from final
