with service_tickets as (

    {{ newest_versions('service_tickets', ['ticket_key']) }}

),

final as (

    select
        {{ entity_id('source_system', 'ticket_key') }} as ticket_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'order_key') }} as order_id,
        member_key,
        source_system,
        batch_id,
        channel,
        topic,
        priority,
        satisfaction_score,
        first_response_seconds,
        content is not null as has_content,
        {{ is_deleted_flag() }},
        {{ business_date('opened_at') }} as business_date,
        opened_at,
        closed_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from service_tickets

)

select * from final
