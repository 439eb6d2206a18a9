with lifecycle_states as (

    select * from {{ ref('fct_lifecycle_states') }}

),

followed as (

    select
        *,
        lag(lifecycle_state) over (partition by member_id order by valid_from nulls last) as previous_state,
        lag(valid_from) over (partition by member_id order by valid_from nulls last) as previous_from
    from lifecycle_states

),

final as (

    select
        member_id,
        previous_state as from_state,
        lifecycle_state as to_state,
        -- Only a purchase makes somebody new, returned or loyal; everything else is time going by.
        case when lifecycle_state in ('new', 'returned') or (lifecycle_state = 'loyal' and previous_state = 'active') then 'purchase' else 'time' end as cause,
        cast({{ days_between('previous_from', 'valid_from') }} as integer) as days_in_from_state,
        valid_from as transition_date
    from followed
    where previous_state is not null

)

select * from final
