{{ config(materialized='table') }}

{#-
    Every version of every profile that ever landed: what a member was, by when the source says it changed. Older snapshots count; of two
    batches of one file only the newer does.
-#}
with members as (

    select * from {{ source('raw', 'members') }}

),

batches as (

    select * from {{ ref('stg_load_batches') }}
    where entity = 'members' and (is_current or mode = 'full')

),

provinces as {{ province_words() }},

versions as (

    select
        members.*,
        -- A profile without a version is what was said at the registration: it must not outdo what another system has changed since.
        coalesce(members.changed_at, members.registered_at, members.loaded_at) as observed_at,
        {{ word_text('members.gender') }} as gender_text,
        {{ region_text('members.region') }} as region_text
    from members
    inner join batches on members.batch_id = batches.batch_id

),

worded as (

    select
        *,
        {{ standard_gender('gender_text') }} as standard_gender,
        {{ region_word('region_text') }} as region_word
    from versions

),

-- Two rows of one version: the later in the log counts.
ranked as (

    select
        worded.*,
        provinces.province_code,
        provinces.province_name,
        row_number() over (
            partition by worded.source_system, worded.member_key, worded.observed_at
            order by
                worded.change_sequence desc nulls last, worded.loaded_at desc nulls last, worded.batch_id desc nulls last,
                worded.source_row_number desc nulls last
        ) as newest_first
    from worded
    left join provinces on worded.region_word = provinces.region_word

),

final as (

    select
        {{ composite_id(['source_system', 'member_key', instant_microseconds('observed_at')]) }} as member_version_id,
        {{ account_id('source_system', 'member_key') }} as account_id,
        source_system,
        nullif(standard_gender, 'unknown') as gender,
        age_band,
        income_band,
        home_ownership,
        marital_status,
        household_size,
        household_composition,
        kids_count,
        region,
        province_code,
        province_name,
        tier_name,
        registration_channel,
        {{ entity_id('source_system', 'store_code') }} as store_id,
        {{ is_deleted_flag() }},
        registered_at,
        observed_at,
        loaded_at
    from ranked
    where newest_first = 1

)

select * from final
