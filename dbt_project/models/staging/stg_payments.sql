with payments as (

    {{ newest_versions('payments', ['payment_key']) }}

),

final as (

    select
        {{ entity_id('source_system', 'payment_key') }} as payment_id,
        {{ entity_id('source_system', 'order_key') }} as order_id,
        source_system,
        batch_id,
        payment_kind,
        payment_method,
        currency_code,
        payment_amount,
        {{ is_deleted_flag() }},
        {{ business_date('paid_at') }} as business_date,
        paid_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from payments

)

select * from final
