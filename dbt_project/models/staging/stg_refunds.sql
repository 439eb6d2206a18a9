with refunds as (

    {{ newest_versions('refunds', ['refund_key']) }}

),

final as (

    select
        {{ entity_id('source_system', 'refund_key') }} as refund_id,
        {{ entity_id('source_system', 'order_key') }} as order_id,
        {{ entity_id('source_system', 'order_key') }} || '-' || cast(order_line_number as {{ dbt.type_string() }}) as order_line_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'product_code') }} as product_id,
        member_key,
        source_system,
        batch_id,
        refund_status,
        refund_kind,
        reason,
        currency_code,
        order_line_number,
        quantity,
        refund_amount,
        {{ is_deleted_flag() }},
        {{ business_date('refunded_at') }} as business_date,
        requested_at,
        refunded_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from refunds

)

select * from final
