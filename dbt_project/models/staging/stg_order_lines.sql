-- depends_on: {{ ref('stg_order_lines_landed') }}
{{ config(materialized=order_keyed_materialization(), incremental_strategy='append', pre_hook="{{ delete_touched_orders() }}") }}

with order_lines as (

    select * from {{ source('raw', 'order_lines') }}

),

batches as (

    select batch_id from {{ ref('stg_load_batches') }}
    where is_current and entity = 'order_lines'

),

{% if is_incremental() %}
touched as (

    {{ touched_orders(this) }}

),
{% endif %}

current_lines as (

    select
        order_lines.*,
        {{ entity_id('order_lines.source_system', 'order_lines.order_key') }} as order_id
    from order_lines
    inner join batches on order_lines.batch_id = batches.batch_id

),

touched_lines as (

    select * from current_lines
    {% if is_incremental() %}
    where order_id in (select touched.order_id from touched)
    {% endif %}

),

-- Few keys come twice. They are found by their keys alone; ranking every wide row would cost five times as much.
repeated as (

    select order_id, order_line_number
    from touched_lines
    group by order_id, order_line_number
    having count(*) > 1

),

-- The same key twice: its newest version counts.
newest as (

    select touched_lines.*
    from touched_lines
    inner join repeated
        on touched_lines.order_id = repeated.order_id
        and touched_lines.order_line_number = repeated.order_line_number
    qualify row_number() over (
        partition by touched_lines.order_id, touched_lines.order_line_number
        {{ newest_first('touched_lines') }}
    ) = 1

),

deduplicated as (

    select touched_lines.*
    from touched_lines
    left join repeated
        on touched_lines.order_id = repeated.order_id
        and touched_lines.order_line_number = repeated.order_line_number
    where repeated.order_id is null
    union all
    select * from newest

),

final as (

    select
        order_id || '-' || cast(order_line_number as {{ dbt.type_string() }}) as order_line_id,
        order_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'product_code') }} as product_id,
        {{ entity_id('source_system', 'store_code') }} as store_id,
        member_key,
        product_code,
        source_system,
        batch_id,
        product_name,
        product_kind,
        line_kind,
        store_code,
        country_name,
        currency_code,
        cast(order_line_number as integer) as order_line_number,
        quantity,
        unit_price,
        list_amount,
        line_amount,
        store_discount_amount,
        coupon_discount_amount,
        {{ is_deleted_flag() }},
        {{ business_date('ordered_at') }} as business_date,
        ordered_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from deduplicated

)

select * from final
