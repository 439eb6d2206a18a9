{#- Facts that name a campaign, with the model that holds them. -#}
{% set sightings = [
    'stg_touches', 'stg_coupon_redemptions', 'stg_coupon_receipts', 'stg_coupon_products', 'stg_offers', 'stg_events', 'stg_ad_costs'
] %}

with campaigns as (

    select * from {{ ref('stg_campaigns') }}

),

sighted as (

    {% for model in sightings %}
    select campaign_id, source_system, min(loaded_at) as loaded_at
    from {{ ref(model) }}
    where campaign_id is not null and not is_deleted
    group by campaign_id, source_system
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- A campaign that only its facts name is a campaign all the same: a brand without a campaign file has no other.
inferred as (

    select sighted.campaign_id, sighted.source_system, min(sighted.loaded_at) as loaded_at
    from sighted
    left join campaigns on sighted.campaign_id = campaigns.campaign_id
    where campaigns.campaign_id is null
    group by sighted.campaign_id, sighted.source_system

),

final as (

    select
        campaign_id,
        campaign_code,
        source_system,
        campaign_name,
        campaign_type,
        channel,
        goal,
        currency_code,
        cast({{ days_between('start_date', 'end_date') }} + 1 as integer) as duration_days,
        cast(holdout_share as double) as holdout_rate,
        {{ money('budget_amount') }} as budget_amount,
        false as is_inferred,
        is_deleted,
        start_date,
        end_date,
        coalesce(starts_at, {{ business_day_start('start_date') }}) as starts_at,
        coalesce(ends_at, {{ business_day_start(add_days('end_date', 1)) }}) as ends_at,
        loaded_at
    from campaigns
    union all
    select
        campaign_id,
        -- An id is `<source_system>:<campaign_code>`.
        substr(campaign_id, length(source_system) + 2) as campaign_code,
        source_system,
        cast(null as {{ dbt.type_string() }}) as campaign_name,
        cast(null as {{ dbt.type_string() }}) as campaign_type,
        cast(null as {{ dbt.type_string() }}) as channel,
        cast(null as {{ dbt.type_string() }}) as goal,
        cast(null as {{ dbt.type_string() }}) as currency_code,
        cast(null as integer) as duration_days,
        cast(null as double) as holdout_rate,
        cast(null as decimal(18, 2)) as budget_amount,
        true as is_inferred,
        false as is_deleted,
        cast(null as date) as start_date,
        cast(null as date) as end_date,
        cast(null as {{ type_instant() }}) as starts_at,
        cast(null as {{ type_instant() }}) as ends_at,
        loaded_at
    from inferred

)

select * from final
