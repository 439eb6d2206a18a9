with offers as (

    select * from {{ ref('stg_offers') }}

),

final as (

    select
        offer_id,
        campaign_id,
        offer_code,
        source_system,
        offer_name,
        offer_kind,
        payer,
        {{ money('threshold_amount') }} as threshold_amount,
        {{ money('discount_amount') }} as discount_amount,
        -- The share off an order that just reaches the threshold: the most that the offer takes off.
        cast(coalesce(discount_rate, {{ ratio('discount_amount', 'threshold_amount') }}) as double) as discount_rate,
        is_stackable,
        is_deleted,
        valid_from,
        valid_to,
        loaded_at
    from offers

)

select * from final
