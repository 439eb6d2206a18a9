with refunds as (

    select * from {{ ref('int_refunds_matched') }}

),

final as (

    select
        refund_id,
        refund_order_id,
        original_order_id,
        member_id,
        product_id,
        source_system,
        batch_id,
        store_code,
        currency_code,
        product_kind,
        source_entity,
        cast(quantity as decimal(18, 4)) as quantity,
        cast(refund_amount as decimal(18, 4)) as refund_amount,
        is_anonymous,
        is_original_matched,
        is_counted,
        business_date,
        refunded_at,
        loaded_at
    from refunds

)

select * from final
