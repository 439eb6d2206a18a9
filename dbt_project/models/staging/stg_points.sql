with points as (

    {{ newest_versions('points', ['point_key'], is_large=true) }}

),

final as (

    select
        {{ entity_id('source_system', 'point_key') }} as point_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        {{ entity_id('source_system', 'order_key') }} as order_id,
        member_key,
        source_system,
        batch_id,
        point_kind,
        reason,
        points,
        balance_after,
        {{ is_deleted_flag() }},
        {{ business_date('occurred_at') }} as business_date,
        occurred_at,
        expires_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from points

)

select * from final
