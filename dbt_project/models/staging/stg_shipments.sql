with shipments as (

    {{ newest_versions('shipments', ['shipment_key']) }}

),

final as (

    select
        {{ entity_id('source_system', 'shipment_key') }} as shipment_id,
        {{ entity_id('source_system', 'order_key') }} as order_id,
        source_system,
        batch_id,
        carrier,
        shipment_status,
        {{ is_deleted_flag() }},
        shipped_at,
        delivered_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from shipments

)

select * from final
