with tickets as (

    select * from {{ ref('stg_service_tickets') }}
    where not is_deleted

),

orders as (

    {{ matched_orders('tickets') }}

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

final as (

    select
        tickets.ticket_id,
        resolved_accounts.member_id,
        tickets.account_id,
        orders.matched_order_id as order_id,
        tickets.source_system,
        tickets.batch_id,
        tickets.channel,
        tickets.topic,
        tickets.priority,
        cast(tickets.satisfaction_score as integer) as satisfaction_score,
        cast(tickets.first_response_seconds as bigint) as first_response_seconds,
        tickets.order_id is not null as has_order,
        orders.matched_order_id is not null as is_order_matched,
        tickets.has_content,
        tickets.business_date,
        tickets.opened_at,
        tickets.closed_at,
        tickets.loaded_at
    from tickets
    left join orders on tickets.order_id = orders.order_id
    left join resolved_accounts on tickets.account_id = resolved_accounts.account_id

)

select * from final
