{% set family = tag_family_base() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

consents as (

    select * from {{ ref('dim_consents_history') }}
    where is_current

),

granted as (

    select
        member_id,
        channel,
        max(case when is_granted then 1 else 0 end) as is_granted
    from consents
    where purpose = 'marketing'
    group by member_id, channel

),

-- One row per member and channel that was asked about; a member who was asked about none has one row all the same.
facts as (

    select
        members.*,
        granted.channel as consent_channel,
        granted.is_granted
    from members
    left join granted on members.member_id = granted.member_id

),

aggregated as (

    select
        {{- tag_expressions(tags) }}
        member_id
    from facts
    group by member_id

),

final as (

    select
        members.member_id,
        {{- tag_columns(tags, 'aggregated') }}
        clocks.as_of_date
    from members
    cross join clocks
    left join aggregated on members.member_id = aggregated.member_id

)

select * from final
