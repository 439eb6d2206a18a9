{# Facts, one row each: a valid order (order_id, amounts) or a refund (refund_id, refund_amount), with its age_days before the cut. #}
{% macro tag_family_transaction() %}
{% set declarations %}
code: transaction
label_zh: 交易
label_en: Transaction
subject: member
owner: data-engineering
source: fct_orders, fct_refunds
needs: [order_lines]
facts:
  order_id: fct_orders.order_id
  order_kind: fct_orders.order_kind
  gross_amount: fct_orders.gross_amount
  list_amount: fct_orders.list_amount
  discount_amount: fct_orders.store_discount_amount
  refund_amount: fct_refunds.refund_amount
  refund_id: fct_refunds.refund_id
  unit_count: fct_orders.unit_count
  line_count: fct_orders.line_count
  business_date: 'fct_orders.business_date, fct_refunds.business_date'
  age_days: 'fct_orders.business_date, fct_refunds.business_date'
tags:
  - {code: 'order_count_{window}d', kind: count, label_zh: '近{window}天订单数', label_en: 'Orders in the last {window} days', type: integer, default: 0, windows: [7, 14, 30, 60, 90, 180, 365], unit: orders, goal: 识别活跃买家 / find active buyers, sql: 'count(case when {recent} then order_id end)'}
  - {code: 'spend_amount_{window}d', kind: sum, label_zh: '近{window}天消费金额', label_en: 'Spend in the last {window} days', type: decimal, default: 0, windows: [7, 14, 30, 60, 90, 180, 365], unit: currency, goal: 价值分层 / value tiers, sql: 'sum(case when {recent} then gross_amount else 0 end)'}
  - {code: 'net_spend_amount_{window}d', kind: sum, label_zh: '近{window}天净消费金额', label_en: 'Spend less refunds in the last {window} days', type: decimal, default: 0, windows: [30, 60, 90, 180, 365], unit: currency, goal: 价值分层 / value tiers, sql: 'sum(case when {recent} then gross_amount - refund_amount else 0 end)'}
  - {code: 'purchase_day_count_{window}d', kind: count, label_zh: '近{window}天购买天数', label_en: 'Days with a purchase in the last {window} days', type: integer, default: 0, windows: [30, 60, 90, 180, 365], unit: days, goal: 复购分析 / repurchase, sql: 'count(distinct case when {recent} and order_id is not null then business_date end)'}
  - {code: 'unit_count_{window}d', kind: sum, label_zh: '近{window}天购买件数', label_en: 'Units bought in the last {window} days', type: integer, default: 0, windows: [30, 90, 180, 365], unit: units, goal: 囤货识别 / find stockpilers, sql: 'sum(case when {recent} then unit_count else 0 end)'}
  - {code: order_count_total, kind: count, label_zh: 累计订单数, label_en: Orders to date, type: integer, default: 0, unit: orders, goal: 会员价值 / member value, sql: count(order_id)}
  - {code: spend_amount_total, kind: sum, label_zh: 累计消费金额, label_en: Spend to date, type: decimal, default: 0, unit: currency, goal: 会员价值 / member value, sql: sum(gross_amount)}
  - {code: net_spend_amount_total, kind: sum, label_zh: 累计净消费金额, label_en: Spend less refunds to date, type: decimal, default: 0, unit: currency, goal: 会员价值 / member value, sql: sum(gross_amount - refund_amount)}
  - {code: unit_count_total, kind: sum, label_zh: 累计购买件数, label_en: Units to date, type: integer, default: 0, unit: units, goal: 会员价值 / member value, sql: sum(unit_count)}
  - {code: purchase_day_count_total, kind: count, label_zh: 累计购买天数, label_en: Days with a purchase to date, type: integer, default: 0, unit: days, goal: 复购分析 / repurchase, sql: 'count(distinct case when order_id is not null then business_date end)'}
  - {code: 'average_order_amount_{window}d', kind: average, label_zh: '近{window}天笔单价', label_en: 'Average order amount in the last {window} days', type: decimal, windows: [90, 180, 365], unit: currency, goal: 提升客单 / raise order value, sql: "{{ money_per('sum(case when {recent} then gross_amount end)', 'count(case when {recent} then order_id end)') | replace('\n', ' ') }}"}
  - {code: 'average_unit_amount_{window}d', kind: average, label_zh: '近{window}天件单价', label_en: 'Average amount per unit in the last {window} days', type: decimal, windows: [90, 365], unit: currency, goal: 价格带识别 / price bands, sql: "{{ money_per('sum(case when {recent} then gross_amount end)', 'sum(case when {recent} and order_id is not null then unit_count end)') | replace('\n', ' ') }}"}
  - {code: 'max_order_amount_{window}d', kind: extreme, label_zh: '近{window}天最大单笔金额', label_en: 'Largest order in the last {window} days', type: decimal, windows: [90, 180, 365], unit: currency, goal: 大额客户识别 / find big spenders, sql: 'max(case when {recent} and order_id is not null then gross_amount end)'}
  - {code: 'min_order_amount_{window}d', kind: extreme, label_zh: '近{window}天最小单笔金额', label_en: 'Smallest order in the last {window} days', type: decimal, windows: [365], unit: currency, goal: 提升客单 / raise order value, sql: 'min(case when {recent} and order_id is not null then gross_amount end)'}
  - {code: 'lines_per_order_{window}d', kind: average, label_zh: '近{window}天每单商品行数', label_en: 'Lines per order in the last {window} days', type: rate, windows: [90, 365], unit: lines, goal: 连带销售 / cross-selling, sql: 'cast(sum(case when {recent} then line_count end) as double) / nullif(count(case when {recent} then order_id end), 0)'}
  - {code: 'units_per_order_{window}d', kind: average, label_zh: '近{window}天每单件数', label_en: 'Units per order in the last {window} days', type: rate, windows: [90, 365], unit: units, goal: 连带销售 / cross-selling, sql: 'cast(sum(case when {recent} and order_id is not null then unit_count end) as double) / nullif(count(case when {recent} then order_id end), 0)'}
  - {code: first_order_date, kind: first_last, label_zh: 首单日期, label_en: First order date, type: date, goal: 新客识别 / find new customers, sql: 'min(case when order_id is not null then business_date end)'}
  - {code: last_order_date, kind: first_last, label_zh: 最近下单日期, label_en: Last order date, type: date, goal: 唤醒沉默客户 / wake silent customers, sql: 'max(case when order_id is not null then business_date end)'}
  - {code: days_since_last_order, kind: recency, label_zh: 距上次下单天数, label_en: Days since the last order, type: integer, unit: days, goal: 唤醒沉默客户 / wake silent customers, since: last_order_date}
  - {code: last_refund_date, kind: first_last, label_zh: 最近退款日期, label_en: Last refund, type: date, goal: 售后风险 / after-sales risk, needs: [refunds], sql: 'max(case when refund_id is not null then business_date end)'}
  - {code: 'refund_amount_{window}d', kind: sum, label_zh: '近{window}天退款金额', label_en: 'Refunds in the last {window} days', type: decimal, default: 0, windows: [30, 90, 180, 365], unit: currency, goal: 售后风险 / after-sales risk, sql: 'sum(case when {recent} then refund_amount else 0 end)'}
  - {code: 'refund_count_{window}d', kind: count, label_zh: '近{window}天退款笔数', label_en: 'Refunds made in the last {window} days', type: integer, default: 0, windows: [30, 90, 180, 365], unit: refunds, goal: 售后风险 / after-sales risk, sql: 'count(case when {recent} then refund_id end)'}
  - {code: 'refund_rate_{window}d', kind: ratio, label_zh: '近{window}天退款率', label_en: 'Refunded share of spend in the last {window} days', type: rate, windows: [90, 180, 365], unit: share, goal: 售后风险 / after-sales risk, sql: 'cast(sum(case when {recent} then refund_amount else 0 end) as double) / nullif(cast(sum(case when {recent} then gross_amount else 0 end) as double), 0)'}
  - {code: 'saved_amount_{window}d', kind: sum, label_zh: '近{window}天优惠金额', label_en: 'Store discounts received in the last {window} days', type: decimal, default: 0, windows: [90, 365], unit: currency, goal: 价格敏感识别 / find price-sensitive members, sql: 'sum(case when {recent} then discount_amount else 0 end)'}
  - {code: order_count_trend_30d, kind: trend, label_zh: 近30天对前30天订单数之差, label_en: Orders of the last 30 days less those of the 30 before, type: integer, default: 0, unit: orders, goal: 升降预警 / rising and falling members, sql: 'count(case when age_days <= 30 then order_id end) - count(case when age_days > 30 and age_days <= 60 then order_id end)'}
  - {code: spend_amount_trend_90d, kind: trend, label_zh: 近90天对前90天消费之差, label_en: Spend of the last 90 days less that of the 90 before, type: decimal, default: 0, unit: currency, goal: 升降预警 / rising and falling members, sql: 'sum(case when age_days <= 90 then gross_amount when age_days <= 180 then -gross_amount else 0 end)'}
  - {code: spend_ratio_90d_365d, kind: trend, label_zh: 近90天消费占近一年比重, label_en: Share of the year’s spend that fell in its last 90 days, type: rate, unit: share, goal: 升降预警 / rising and falling members, sql: 'cast(sum(case when age_days <= 90 then gross_amount else 0 end) as double) / nullif(cast(sum(case when age_days <= 365 then gross_amount else 0 end) as double), 0)'}
  - {code: 'presale_order_count_{window}d', kind: count, label_zh: '近{window}天预售订单数', label_en: 'Pre-sale orders in the last {window} days', type: integer, default: 0, windows: [90, 365], unit: orders, goal: 大促预热 / warming up for festivals, sql: "count(case when {recent} and order_kind = 'presale' then order_id end)"}
  - {code: 'gift_order_count_{window}d', kind: count, label_zh: '近{window}天含赠品订单数', label_en: 'Orders with a gift in the last {window} days', type: integer, default: 0, windows: [90, 365], unit: orders, goal: 赠品偏好 / who likes gifts, sql: "count(case when {recent} and order_kind = 'gift' then order_id end)"}
  - code: order_amount_band_365d
    kind: tier
    label_zh: 近365天客单价带
    label_en: Band of the average order in the last 365 days
    type: text
    goal: 价格带运营 / campaigns by price band
    sql: "case when count(case when age_days <= 365 then order_id end) = 0 then null when sum(case when age_days <= 365 then gross_amount end) < 100 * count(case when age_days <= 365 then order_id end) then 'under_100' when sum(case when age_days <= 365 then gross_amount end) < 300 * count(case when age_days <= 365 then order_id end) then 'from_100' when sum(case when age_days <= 365 then gross_amount end) < 600 * count(case when age_days <= 365 then order_id end) then 'from_300' when sum(case when age_days <= 365 then gross_amount end) < 1000 * count(case when age_days <= 365 then order_id end) then 'from_600' else 'from_1000' end"
    values:
      - {code: under_100, label_zh: 100元以下, label_en: under 100}
      - {code: from_100, label_zh: 100至300元, label_en: 100 to 300}
      - {code: from_300, label_zh: 300至600元, label_en: 300 to 600}
      - {code: from_600, label_zh: 600至1000元, label_en: 600 to 1000}
      - {code: from_1000, label_zh: 1000元及以上, label_en: 1000 and more}
  - {code: has_bought, kind: flag, label_zh: 是否下过单, label_en: Has ordered, type: boolean, default: 'false', goal: 首购转化 / first orders, sql: count(order_id) > 0}
  - {code: has_refunded, kind: flag, label_zh: 是否退过款, label_en: Has had a refund, type: boolean, default: 'false', goal: 售后风险 / after-sales risk, sql: count(refund_id) > 0}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
