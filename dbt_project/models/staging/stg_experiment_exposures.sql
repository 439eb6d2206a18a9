with experiment_exposures as (

    {{ newest_versions('experiment_exposures', ['experiment_code', 'member_key']) }}

),

final as (

    select
        {{ composite_id(['source_system', 'experiment_code', 'member_key']) }} as experiment_exposure_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        member_key,
        source_system,
        batch_id,
        experiment_code,
        arm,
        outcome_name,
        outcome_value,
        {{ is_deleted_flag() }},
        {{ business_date('exposed_at') }} as business_date,
        exposed_at,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from experiment_exposures

)

select * from final
