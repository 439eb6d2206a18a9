with surveys as (

    {{ newest_versions('surveys', ['answer_key']) }}

),

final as (

    select
        {{ entity_id('source_system', 'answer_key') }} as answer_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        member_key,
        source_system,
        batch_id,
        survey_code,
        question_code,
        answer_text,
        score,
        {{ is_deleted_flag() }},
        {{ business_date('answered_at') }} as business_date,
        answered_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from surveys

)

select * from final
