{%- set fields = [
    'gender', 'age_band', 'income_band', 'home_ownership', 'marital_status', 'household_size', 'household_composition', 'kids_count', 'region',
    'province_code', 'province_name', 'tier_name', 'registration_channel', 'store_id'
] -%}
{#-
    What was known of a member from when to when: for each field the newest value that any of the member's accounts declared. A source
    that leaves a field empty takes nothing back. Accounts whose source has deleted them say nothing any more.
-#}
with member_versions as (

    select * from {{ ref('stg_member_versions') }}

),

profiles as (

    select * from {{ ref('stg_members') }}
    where not is_deleted

),

resolved_accounts as (

    select * from {{ ref('int_accounts_resolved') }}

),

versions as (

    select
        member_versions.*,
        resolved_accounts.member_id
    from member_versions
    inner join profiles on member_versions.account_id = profiles.account_id
    inner join resolved_accounts on member_versions.account_id = resolved_accounts.account_id
    where not member_versions.is_deleted

),

known as (

    select
        versions.member_id,
        versions.account_id,
        versions.observed_at,
        {%- for field in fields %}
        {{ last_known('versions.' ~ field, 'versions.member_id', 'versions.observed_at', 'versions.account_id') }} as {{ field }},
        {%- endfor %}
        versions.loaded_at
    from versions

),

-- Several accounts may change at one instant: the last of them has seen all.
instants as (

    select
        *,
        row_number() over (
            partition by member_id, observed_at order by account_id desc nulls last
        ) as last_first,
        md5(
            {%- for field in fields %}
            coalesce({{ field }}, '') || '|'{{ ' ||' if not loop.last }}
            {%- endfor %}
        ) as attributes_hash
    from known

),

compared as (

    select
        *,
        lag(attributes_hash) over (partition by member_id order by observed_at asc nulls last) as previous_hash
    from instants
    where last_first = 1

),

final as (

    select
        {{ composite_id(['member_id', instant_microseconds('observed_at')]) }} as member_version_id,
        member_id,
        {%- for field in fields %}
        {{ field }},
        {%- endfor %}
        lead(observed_at) over (partition by member_id order by observed_at asc nulls last) is null as is_current,
        observed_at as valid_from,
        lead(observed_at) over (partition by member_id order by observed_at asc nulls last) as valid_to,
        loaded_at
    from compared
    where previous_hash is null or previous_hash <> attributes_hash

)

select * from final
