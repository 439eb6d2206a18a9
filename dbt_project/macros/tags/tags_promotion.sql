{# Facts, one row each: a touch, a coupon redemption or a valid order, told apart by fact_kind. #}
{% macro tag_family_promotion() %}
{% set declarations %}
code: promotion
label_zh: 促销
label_en: Promotion
owner: marketing
source: fct_touches, fct_coupon_redemptions, fct_orders
tags:
  - {code: 'touch_count_{window}d', label_zh: '近{window}天触达次数', label_en: 'Touches in the last {window} days', type: integer, default: 0, needs: [touches], windows: [30, 90], unit: touches, goal: 控制打扰频次 / limit contact frequency, sql: "count(case when fact_kind = 'touch' and {recent} then 1 end)"}
  - {code: campaign_count_total, label_zh: 累计被触达活动数, label_en: Campaigns received to date, type: integer, default: 0, needs: [touches], unit: campaigns, goal: 活动参与 / campaign participation, sql: "count(distinct case when fact_kind = 'touch' then campaign_id end)"}
  - {code: 'coupon_redemption_count_{window}d', label_zh: '近{window}天核销券数', label_en: 'Coupons redeemed in the last {window} days', type: integer, default: 0, needs: [coupon_redemptions], windows: [90, 365], unit: coupons, goal: 促销响应 / promotion response, sql: "count(case when fact_kind = 'redemption' and {recent} then 1 end)"}
  - {code: last_coupon_redemption_date, label_zh: 最近核销日期, label_en: Last coupon redemption, type: date, goal: 促销响应 / promotion response, sql: "max(case when fact_kind = 'redemption' then business_date end)"}
  - {code: is_coupon_user, label_zh: 是否用过券, label_en: Has ever redeemed a coupon, type: boolean, default: 'false', needs: [coupon_redemptions], goal: 促销响应 / promotion response, sql: "count(case when fact_kind = 'redemption' then 1 end) > 0"}
  - {code: campaign_redemption_rate, label_zh: 活动核销率, label_en: Share of received campaigns with a redemption, type: rate, unit: share, goal: 促销响应 / promotion response, sql: "cast(count(distinct case when fact_kind = 'redemption' then campaign_id end) as double) / nullif(count(distinct case when fact_kind = 'touch' then campaign_id end), 0)"}
  - {code: 'coupon_order_rate_{window}d', label_zh: '近{window}天用券订单占比', label_en: 'Share of orders with a coupon in the last {window} days', type: rate, windows: [365], unit: share, goal: 价格敏感识别 / find price-sensitive members, sql: "cast(count(case when fact_kind = 'order' and has_coupon and {recent} then 1 end) as double) / nullif(count(case when fact_kind = 'order' and {recent} then 1 end), 0)"}
  - {code: 'discount_rate_{window}d', label_zh: '近{window}天平均折扣深度', label_en: 'Discount share of list amount in the last {window} days', type: rate, windows: [365], unit: share, goal: 价格敏感识别 / find price-sensitive members, sql: 'cast(sum(case when {recent} then discount_amount else 0 end) as double) / nullif(cast(sum(case when {recent} then list_amount else 0 end) as double), 0)'}
  - code: promotion_response
    label_zh: 促销响应程度
    label_en: Promotion response
    type: text
    default: "'none'"
    needs: [coupon_redemptions]
    goal: 优惠券发放 / whom to send coupons
    sql: "case when count(case when fact_kind = 'redemption' and age_days <= 365 then 1 end) >= 5 then 'high' when count(case when fact_kind = 'redemption' and age_days <= 365 then 1 end) >= 1 then 'medium' when count(case when fact_kind = 'order' and has_coupon and age_days <= 365 then 1 end) >= 1 then 'low' else 'none' end"
    values:
      - {code: high, label_zh: 高响应（一年核销5张及以上）, label_en: 'high: five or more coupons in a year'}
      - {code: medium, label_zh: 中响应（一年核销1至4张）, label_en: 'medium: one to four coupons in a year'}
      - {code: low, label_zh: 低响应（仅用过厂家券）, label_en: 'low: only manufacturer coupons at the till'}
      - {code: none, label_zh: 无响应, label_en: no response}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
