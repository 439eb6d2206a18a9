with ad_costs as (

    {{ newest_versions('ad_costs', ['cost_date', 'ad_platform', 'ad_campaign']) }}

),

final as (

    select
        {{ composite_id(['source_system', 'cost_date', 'ad_platform', 'ad_campaign']) }} as ad_cost_id,
        {{ entity_id('source_system', 'campaign_code') }} as campaign_id,
        source_system,
        batch_id,
        ad_platform,
        ad_campaign,
        currency_code,
        cost_amount,
        impression_count,
        click_count,
        {{ is_deleted_flag() }},
        cost_date as business_date,
        changed_at,
        {{ deleted_at() }},
        loaded_at
    from ad_costs

)

select * from final
