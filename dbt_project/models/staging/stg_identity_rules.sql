with identity_rules as (

    select * from {{ source('config', 'identity_rules') }}

),

final as (

    select
        identifier_type,
        tier,
        unverified_tier,
        is_recycled,
        max_accounts_per_system
    from identity_rules

)

select * from final
