{# Facts, one row each: a message sent, opened or clicked, a coupon received or redeemed, or a valid order, told apart by fact_kind. #}
{% macro tag_family_promotion() %}
{% set declarations %}
code: promotion
label_zh: 促销
label_en: Promotion
subject: member
owner: marketing
source: fct_touches, fct_coupon_receipts, fct_coupon_redemptions, fct_orders
facts:
  fact_kind: 'fct_touches.touch_type, fct_coupon_receipts.receipt_id, fct_coupon_redemptions.redemption_id, fct_orders.order_id'
  campaign_id: 'fct_touches.campaign_id, fct_coupon_redemptions.campaign_id'
  has_coupon: fct_orders.has_coupon
  has_store_discount: fct_orders.has_store_discount
  discount_amount: fct_orders.store_discount_amount
  list_amount: fct_orders.list_amount
  gross_amount: fct_orders.gross_amount
  business_date: 'fct_touches.business_date, fct_coupon_receipts.business_date, fct_coupon_redemptions.business_date, fct_orders.business_date'
  age_days: 'fct_touches.business_date, fct_coupon_receipts.business_date, fct_coupon_redemptions.business_date, fct_orders.business_date'
tags:
  - {code: 'touch_count_{window}d', kind: count, label_zh: '近{window}天触达次数', label_en: 'Touches in the last {window} days', type: integer, default: 0, needs: [touches], windows: [7, 14, 30, 60, 90, 180], unit: touches, goal: 控制打扰频次 / limit contact frequency, sql: "count(case when fact_kind = 'sent' and {recent} then 1 end)"}
  - {code: 'opened_count_{window}d', kind: count, label_zh: '近{window}天打开消息次数', label_en: 'Messages opened in the last {window} days', type: integer, default: 0, needs: [touches], windows: [30, 90, 365], unit: touches, goal: 触达响应 / response, sql: "count(case when fact_kind = 'opened' and {recent} then 1 end)"}
  - {code: 'clicked_count_{window}d', kind: count, label_zh: '近{window}天点击消息次数', label_en: 'Messages clicked in the last {window} days', type: integer, default: 0, needs: [touches], windows: [30, 90, 365], unit: touches, goal: 触达响应 / response, sql: "count(case when fact_kind = 'clicked' and {recent} then 1 end)"}
  - {code: 'open_rate_{window}d', kind: ratio, label_zh: '近{window}天消息打开率', label_en: 'Share of messages opened in the last {window} days', type: rate, needs: [touches], windows: [90, 365], unit: share, goal: 触达响应 / response, sql: "cast(count(case when fact_kind = 'opened' and {recent} then 1 end) as double) / nullif(count(case when fact_kind = 'sent' and {recent} then 1 end), 0)"}
  - {code: 'click_rate_{window}d', kind: ratio, label_zh: '近{window}天消息点击率', label_en: 'Share of messages clicked in the last {window} days', type: rate, needs: [touches], windows: [90, 365], unit: share, goal: 触达响应 / response, sql: "cast(count(case when fact_kind = 'clicked' and {recent} then 1 end) as double) / nullif(count(case when fact_kind = 'sent' and {recent} then 1 end), 0)"}
  - {code: last_touch_date, kind: first_last, label_zh: 最近触达日期, label_en: Last touch, type: date, needs: [touches], goal: 控制打扰频次 / limit contact frequency, sql: "max(case when fact_kind = 'sent' then business_date end)"}
  - {code: days_since_last_touch, kind: recency, label_zh: 距最近触达天数, label_en: Days since the last touch, type: integer, unit: days, needs: [touches], goal: 控制打扰频次 / limit contact frequency, since: last_touch_date}
  - {code: campaign_count_total, kind: count, label_zh: 累计被触达活动数, label_en: Campaigns received to date, type: integer, default: 0, needs: [touches], unit: campaigns, goal: 活动参与 / campaign participation, sql: "count(distinct case when fact_kind = 'sent' then campaign_id end)"}
  - {code: 'coupon_receipt_count_{window}d', kind: count, label_zh: '近{window}天领券数', label_en: 'Coupons received in the last {window} days', type: integer, default: 0, needs: [coupon_receipts], windows: [30, 90, 365], unit: coupons, goal: 促销响应 / promotion response, sql: "count(case when fact_kind = 'receipt' and {recent} then 1 end)"}
  - {code: 'coupon_redemption_count_{window}d', kind: count, label_zh: '近{window}天核销券数', label_en: 'Coupons redeemed in the last {window} days', type: integer, default: 0, needs: [coupon_redemptions], windows: [30, 90, 180, 365], unit: coupons, goal: 促销响应 / promotion response, sql: "count(case when fact_kind = 'redemption' and {recent} then 1 end)"}
  - {code: coupon_redemption_rate_365d, kind: ratio, label_zh: 近365天券核销率, label_en: Coupons redeemed per coupon received in the last 365 days, type: rate, needs: [coupon_receipts, coupon_redemptions], unit: share, goal: 优惠券发放 / whom to send coupons, sql: "cast(count(case when fact_kind = 'redemption' and age_days <= 365 then 1 end) as double) / nullif(count(case when fact_kind = 'receipt' and age_days <= 365 then 1 end), 0)"}
  - {code: last_coupon_receipt_date, kind: first_last, label_zh: 最近领券日期, label_en: Last coupon received, type: date, needs: [coupon_receipts], goal: 优惠券发放 / whom to send coupons, sql: "max(case when fact_kind = 'receipt' then business_date end)"}
  - {code: last_coupon_redemption_date, kind: first_last, label_zh: 最近核销日期, label_en: Last coupon redemption, type: date, goal: 促销响应 / promotion response, sql: "max(case when fact_kind = 'redemption' then business_date end)"}
  - {code: days_since_coupon_redemption, kind: recency, label_zh: 距最近核销天数, label_en: Days since the last coupon redemption, type: integer, unit: days, goal: 促销响应 / promotion response, since: last_coupon_redemption_date}
  - {code: is_coupon_user, kind: flag, label_zh: 是否用过券, label_en: Has ever redeemed a coupon, type: boolean, default: 'false', needs: [coupon_redemptions], goal: 促销响应 / promotion response, sql: "count(case when fact_kind = 'redemption' then 1 end) > 0"}
  - {code: is_coupon_hoarder, kind: flag, label_zh: 是否只领不用（近365天领券3张及以上且未核销）, label_en: Received three or more coupons in 365 days and redeemed none, type: boolean, default: 'false', needs: [coupon_receipts, coupon_redemptions], goal: 优惠券发放 / whom to send coupons, sql: "count(case when fact_kind = 'receipt' and age_days <= 365 then 1 end) >= 3 and count(case when fact_kind = 'redemption' and age_days <= 365 then 1 end) = 0"}
  - {code: campaign_redemption_rate, kind: ratio, label_zh: 活动核销率, label_en: Share of received campaigns with a redemption, type: rate, unit: share, goal: 促销响应 / promotion response, sql: "cast(count(distinct case when fact_kind = 'redemption' then campaign_id end) as double) / nullif(count(distinct case when fact_kind = 'sent' then campaign_id end), 0)"}
  - {code: 'coupon_order_rate_{window}d', kind: ratio, label_zh: '近{window}天用券订单占比', label_en: 'Share of orders with a coupon in the last {window} days', type: rate, windows: [90, 365], unit: share, goal: 价格敏感识别 / find price-sensitive members, sql: "cast(count(case when fact_kind = 'order' and has_coupon and {recent} then 1 end) as double) / nullif(count(case when fact_kind = 'order' and {recent} then 1 end), 0)"}
  - {code: 'store_discount_order_rate_{window}d', kind: ratio, label_zh: '近{window}天有折扣订单占比', label_en: 'Share of orders with a store discount in the last {window} days', type: rate, windows: [90, 365], unit: share, goal: 价格敏感识别 / find price-sensitive members, sql: "cast(count(case when fact_kind = 'order' and has_store_discount and {recent} then 1 end) as double) / nullif(count(case when fact_kind = 'order' and {recent} then 1 end), 0)"}
  - {code: 'full_price_order_count_{window}d', kind: count, label_zh: '近{window}天原价订单数', label_en: 'Orders at full price in the last {window} days', type: integer, default: 0, windows: [90, 365], unit: orders, goal: 价格不敏感人群 / who pays full price, sql: "count(case when fact_kind = 'order' and not has_coupon and not has_store_discount and {recent} then 1 end)"}
  - {code: 'discount_rate_{window}d', kind: ratio, label_zh: '近{window}天平均折扣深度', label_en: 'Discount share of list amount in the last {window} days', type: rate, windows: [90, 365], unit: share, goal: 价格敏感识别 / find price-sensitive members, sql: 'cast(sum(case when {recent} then discount_amount else 0 end) as double) / nullif(cast(sum(case when {recent} then list_amount else 0 end) as double), 0)'}
  - code: price_sensitivity_365d
    kind: tier
    label_zh: 近365天价格敏感度
    label_en: Price sensitivity in the last 365 days
    type: text
    goal: 价格敏感识别 / find price-sensitive members
    sql: "case when count(case when fact_kind = 'order' and age_days <= 365 then 1 end) < 2 then null when 10 * count(case when fact_kind = 'order' and age_days <= 365 and (has_coupon or has_store_discount) then 1 end) >= 8 * count(case when fact_kind = 'order' and age_days <= 365 then 1 end) then 'high' when 10 * count(case when fact_kind = 'order' and age_days <= 365 and (has_coupon or has_store_discount) then 1 end) >= 4 * count(case when fact_kind = 'order' and age_days <= 365 then 1 end) then 'medium' else 'low' end"
    values:
      - {code: high, label_zh: 高（八成以上订单有优惠）, label_en: 'high: eight in ten orders with a coupon or discount'}
      - {code: medium, label_zh: 中（四成至八成）, label_en: 'medium: four to eight in ten'}
      - {code: low, label_zh: 低（四成以下）, label_en: 'low: fewer than four in ten'}
  - code: promotion_response
    kind: tier
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
