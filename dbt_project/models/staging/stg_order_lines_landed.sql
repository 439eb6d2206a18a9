{#- Every landed line, those of superseded batches too: what reconciliation and incremental models ask "what changed?" -#}
with order_lines as (

    select * from {{ source('raw', 'order_lines') }}

),

batches as (

    select * from {{ ref('stg_load_batches') }}
    where entity = 'order_lines'

),

-- A file is touched when its newest batch, or rows of it that had been set aside, come in; so are all the orders it ever named.
files as (

    select source_system, origin_file, max(loaded_at) as touched_at
    from batches
    group by source_system, origin_file

),

final as (

    select
        {{ entity_id('order_lines.source_system', 'order_lines.order_key') }} as order_id,
        {{ entity_id('order_lines.source_system', 'order_lines.product_code') }} as product_id,
        order_lines.product_code,
        order_lines.batch_id,
        cast(order_lines.order_line_number as {{ dbt.type_string() }}) as order_line_number,
        order_lines.line_amount,
        batches.is_current,
        coalesce(order_lines.is_deleted, false) as is_deleted,
        {{ business_date('order_lines.ordered_at') }} as business_date,
        files.touched_at
    from order_lines
    inner join batches on order_lines.batch_id = batches.batch_id
    inner join files
        on batches.origin_file = files.origin_file
        and batches.source_system = files.source_system

)

select * from final
