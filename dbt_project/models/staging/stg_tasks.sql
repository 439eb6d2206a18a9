with tasks as (

    {{ newest_versions('tasks', ['task_key']) }}

),

final as (

    select
        {{ entity_id('source_system', 'task_key') }} as task_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        member_key,
        source_system,
        batch_id,
        task_code,
        points,
        {{ is_deleted_flag() }},
        {{ business_date('occurred_at') }} as business_date,
        occurred_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from tasks

)

select * from final
