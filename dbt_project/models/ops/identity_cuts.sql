with nodes as (

    select * from {{ ref('int_identifiers_judged') }}

),

final as (

    select
        identifier_type,
        case when is_left_out then reason else 'joined' end as outcome,
        count(*) as identifier_count,
        cast(sum(account_count) as bigint) as account_count
    from nodes
    group by identifier_type, case when is_left_out then reason else 'joined' end

)

select * from final
