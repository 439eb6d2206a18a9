with identity_account_keys as (

    select * from {{ source('config', 'identity_account_keys') }}

),

final as (

    select
        source_system,
        identifier_type
    from identity_account_keys

)

select * from final
