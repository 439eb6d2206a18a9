with refunds as (

    select * from {{ ref('int_refunds_matched') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where line_kind = 'sale'

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

members as (

    select * from {{ ref('dim_members') }}
    where account_flag in ('test', 'internal')

),

-- Money back for what a tester ordered is taken off nothing, as the order counts for nothing.
judged as (

    select
        refunds.refund_id,
        refunds.original_order_id,
        refunds.original_order_line_id,
        refunds.product_id,
        refunds.source_system,
        refunds.store_code,
        refunds.currency_code,
        refunds.product_kind,
        {{ money('refunds.refund_amount') }} as refund_amount,
        refunds.is_original_matched,
        refunds.is_counted and members.member_id is null as is_counted,
        refunds.business_date,
        refunds.refunded_at,
        refunds.loaded_at
    from refunds
    left join resolved_accounts on refunds.account_id = resolved_accounts.account_id
    left join members on resolved_accounts.member_id = members.member_id

),

refunded_lines as (

    select
        judged.refund_id,
        judged.refund_amount,
        order_lines.order_id,
        order_lines.order_line_id,
        order_lines.order_line_number,
        order_lines.product_id,
        case when order_lines.product_kind = 'service' then 'service' else 'goods' end as part,
        order_lines.gross_amount + order_lines.service_amount as paid_amount,
        order_lines.freight_amount,
        order_lines.exchange_rate,
        coalesce(order_lines.paid_date, order_lines.business_date) as paid_date,
        case
            when judged.original_order_line_id = order_lines.order_line_id then 1
            when judged.product_id = order_lines.product_id then 2
            else 3
        end as closeness
    from judged
    inner join order_lines on judged.original_order_id = order_lines.order_id
    where judged.is_original_matched

),

-- A refund names its line, or else its product; where the order has neither, it is one of the whole order.
closest as (

    select
        *,
        min(closeness) over (partition by refund_id) as refund_closeness
    from refunded_lines

),

-- What other refunds gave back for a line by its name is not there for one of the whole order.
named as (

    select order_line_id, sum(refund_amount) as named_refund_amount
    from closest
    where closeness = 1
    group by order_line_id

),

parts as (

    select
        closest.refund_id,
        closest.refund_amount,
        closest.order_id,
        closest.order_line_id,
        closest.order_line_number as part_number,
        closest.product_id,
        closest.part,
        case
            when closest.refund_closeness = 1 then closest.paid_amount
            else greatest(closest.paid_amount - coalesce(named.named_refund_amount, 0), 0)
        end as weight_amount,
        1 as weight_without_amounts,
        closest.exchange_rate,
        closest.paid_date
    from closest
    left join named on closest.order_line_id = named.order_line_id
    where closest.closeness = closest.refund_closeness
    union all
    -- The postage of an order that is given back whole.
    select
        refund_id,
        min(refund_amount) as refund_amount,
        order_id,
        cast(null as {{ dbt.type_string() }}) as order_line_id,
        0 as part_number,
        cast(null as {{ dbt.type_string() }}) as product_id,
        'freight' as part,
        sum(freight_amount) as weight_amount,
        0 as weight_without_amounts,
        min(exchange_rate) as exchange_rate,
        min(paid_date) as paid_date
    from closest
    where refund_closeness = 3
    group by refund_id, order_id
    having sum(freight_amount) > 0

),

weighed as (

    select
        parts.*,
        {{ cents('refund_amount') }} as total_cents,
        case
            when sum(greatest(weight_amount, 0)) over (partition by refund_id) > 0 then {{ cents('greatest(weight_amount, 0)') }}
            else weight_without_amounts
        end as weight,
        case
            when sum(greatest(weight_amount, 0)) over (partition by refund_id) > 0
                then {{ cents('sum(greatest(weight_amount, 0)) over (partition by refund_id)') }}
            else sum(weight_without_amounts) over (partition by refund_id)
        end as weight_total
    from parts

),

floored as (

    select
        *,
        {{ share_floor('abs(total_cents)', 'weight', 'weight_total') }} as floor_cents,
        {{ share_remainder('abs(total_cents)', 'weight', 'weight_total') }} as remainder_units
    from weighed

),

shared as (

    select
        *,
        abs(total_cents) - sum(floor_cents) over (partition by refund_id) as cents_left,
        row_number() over (
            partition by refund_id
            order by remainder_units desc nulls last, part_number asc nulls last, order_line_id asc nulls last
        ) as remainder_rank
    from floored

),

exchange_rates as (

    {{ rates_of('judged', 'business_date') }}

),

unioned as (

    select
        shared.refund_id || '/' || coalesce(shared.order_line_id, shared.part) as refund_line_id,
        shared.refund_id,
        shared.order_id,
        shared.order_line_id,
        coalesce(shared.product_id, judged.product_id) as product_id,
        judged.source_system,
        judged.store_code,
        judged.currency_code,
        shared.part,
        {{ money_of_cents(signed_share()) }} as refund_amount,
        shared.exchange_rate,
        judged.is_original_matched,
        judged.is_counted,
        judged.business_date,
        shared.paid_date,
        judged.refunded_at,
        judged.loaded_at
    from shared
    inner join judged on shared.refund_id = judged.refund_id
    union all
    select
        judged.refund_id || '/unmatched' as refund_line_id,
        judged.refund_id,
        cast(null as {{ dbt.type_string() }}) as order_id,
        cast(null as {{ dbt.type_string() }}) as order_line_id,
        judged.product_id,
        judged.source_system,
        judged.store_code,
        judged.currency_code,
        case when judged.product_kind = 'service' then 'service' else 'goods' end as part,
        judged.refund_amount,
        {{ applied_rate('judged.currency_code', 'exchange_rates.exchange_rate') }} as exchange_rate,
        judged.is_original_matched,
        judged.is_counted,
        judged.business_date,
        judged.business_date as paid_date,
        judged.refunded_at,
        judged.loaded_at
    from judged
    left join exchange_rates
        on judged.currency_code = exchange_rates.currency_code
        and judged.business_date = exchange_rates.rated_date
    where not judged.is_original_matched

),

final as (

    select
        refund_line_id,
        refund_id,
        order_id,
        order_line_id,
        product_id,
        source_system,
        store_code,
        currency_code,
        part,
        refund_amount,
        cast(exchange_rate as decimal(18, 8)) as exchange_rate,
        {{ money('refund_amount * exchange_rate') }} as reporting_refund_amount,
        is_original_matched,
        is_counted,
        exchange_rate is not null as has_exchange_rate,
        business_date,
        paid_date,
        refunded_at,
        loaded_at
    from unioned

)

select * from final
