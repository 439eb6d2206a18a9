with rfm_history as (

    select * from {{ ref('seg_rfm_history') }}
    where days_before = 0

),

final as (

    select
        member_id,
        rfm_tier,
        {{ segment_label('rfm', 'rfm_tier', 'zh') }} as label_zh,
        {{ segment_label('rfm', 'rfm_tier', 'en') }} as label_en,
        threshold_tier,
        mean_tier,
        recency_days,
        purchase_day_count,
        recency_score,
        frequency_score,
        monetary_score,
        recency_threshold_score,
        frequency_threshold_score,
        monetary_threshold_score,
        spend_amount,
        as_of_date
    from rfm_history

)

select * from final
