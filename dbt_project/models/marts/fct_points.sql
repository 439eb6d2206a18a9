with points as (

    select * from {{ ref('stg_points') }}
    where not is_deleted

),

orders as (

    {{ matched_orders('points') }}

),

-- Movements of one instant have no order that anybody knows: the balance after each is that after all of them.
balanced as (

    select
        *,
        sum(points) over (
            partition by account_id order by occurred_at asc nulls last
            range between unbounded preceding and current row
        ) as running_balance,
        count(*) over (partition by account_id, occurred_at) as movements_of_instant
    from points

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

final as (

    select
        balanced.point_id,
        resolved_accounts.member_id,
        balanced.account_id,
        orders.matched_order_id as order_id,
        balanced.source_system,
        balanced.batch_id,
        balanced.point_kind,
        balanced.reason,
        cast(balanced.points as bigint) as points,
        cast(balanced.running_balance as bigint) as running_balance,
        cast(balanced.balance_after as bigint) as source_balance,
        cast(case when balanced.movements_of_instant = 1 then balanced.balance_after - balanced.running_balance end as bigint)
            as balance_difference,
        balanced.order_id is not null as has_order,
        orders.matched_order_id is not null as is_order_matched,
        balanced.business_date,
        balanced.occurred_at,
        balanced.expires_at,
        balanced.loaded_at
    from balanced
    left join orders on balanced.order_id = orders.order_id
    left join resolved_accounts on balanced.account_id = resolved_accounts.account_id

)

select * from final
