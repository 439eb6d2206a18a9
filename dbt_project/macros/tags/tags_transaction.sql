{# Facts, one row each: a valid order (order_id, amounts) or a refund (refund_amount), with its age_days before the cut. #}
{% macro tag_family_transaction() %}
{% set declarations %}
code: transaction
label_zh: 交易
label_en: Transaction
owner: data-engineering
source: fct_orders, fct_refunds
needs: [order_lines]
tags:
  - {code: 'order_count_{window}d', label_zh: '近{window}天订单数', label_en: 'Orders in the last {window} days', type: integer, default: 0, windows: [30, 90, 365], unit: orders, goal: 识别活跃买家 / find active buyers, sql: 'count(case when {recent} then order_id end)'}
  - {code: 'spend_amount_{window}d', label_zh: '近{window}天消费金额', label_en: 'Spend in the last {window} days', type: decimal, default: 0, windows: [30, 90, 365], unit: currency, goal: 价值分层 / value tiers, sql: 'sum(case when {recent} then gross_amount else 0 end)'}
  - {code: 'purchase_day_count_{window}d', label_zh: '近{window}天购买天数', label_en: 'Days with a purchase in the last {window} days', type: integer, default: 0, windows: [90, 365], unit: days, goal: 复购分析 / repurchase, sql: 'count(distinct case when {recent} and order_id is not null then business_date end)'}
  - {code: order_count_total, label_zh: 累计订单数, label_en: Orders to date, type: integer, default: 0, unit: orders, goal: 会员价值 / member value, sql: count(order_id)}
  - {code: spend_amount_total, label_zh: 累计消费金额, label_en: Spend to date, type: decimal, default: 0, unit: currency, goal: 会员价值 / member value, sql: sum(gross_amount)}
  - {code: 'average_order_amount_{window}d', label_zh: '近{window}天笔单价', label_en: 'Average order amount in the last {window} days', type: decimal, windows: [365], unit: currency, goal: 提升客单 / raise order value, sql: "{{ money_per('sum(case when {recent} then gross_amount end)', 'count(case when {recent} then order_id end)') | replace('\n', ' ') }}"}
  - {code: 'max_order_amount_{window}d', label_zh: '近{window}天最大单笔金额', label_en: 'Largest order in the last {window} days', type: decimal, windows: [365], unit: currency, goal: 大额客户识别 / find big spenders, sql: 'max(case when {recent} and order_id is not null then gross_amount end)'}
  - {code: 'unit_count_{window}d', label_zh: '近{window}天购买件数', label_en: 'Units bought in the last {window} days', type: integer, default: 0, windows: [365], unit: units, goal: 囤货识别 / find stockpilers, sql: 'sum(case when {recent} then unit_count else 0 end)'}
  - {code: 'lines_per_order_{window}d', label_zh: '近{window}天每单商品行数', label_en: 'Lines per order in the last {window} days', type: rate, windows: [365], unit: lines, goal: 连带销售 / cross-selling, sql: 'cast(sum(case when {recent} then line_count end) as double) / nullif(count(case when {recent} then order_id end), 0)'}
  - {code: first_order_date, label_zh: 首单日期, label_en: First order date, type: date, goal: 新客识别 / find new customers, sql: 'min(case when order_id is not null then business_date end)'}
  - {code: last_order_date, label_zh: 最近下单日期, label_en: Last order date, type: date, goal: 唤醒沉默客户 / wake silent customers, sql: 'max(case when order_id is not null then business_date end)'}
  - {code: days_since_last_order, label_zh: 距上次下单天数, label_en: Days since the last order, type: integer, unit: days, goal: 唤醒沉默客户 / wake silent customers, sql: 'min(case when order_id is not null then age_days end)'}
  - {code: 'refund_amount_{window}d', label_zh: '近{window}天退款金额', label_en: 'Refunds in the last {window} days', type: decimal, default: 0, windows: [365], unit: currency, goal: 售后风险 / after-sales risk, sql: 'sum(case when {recent} then refund_amount else 0 end)'}
  - {code: 'refund_rate_{window}d', label_zh: '近{window}天退款率', label_en: 'Refunded share of spend in the last {window} days', type: rate, windows: [365], unit: share, goal: 售后风险 / after-sales risk, sql: 'cast(sum(case when {recent} then refund_amount else 0 end) as double) / nullif(cast(sum(case when {recent} then gross_amount else 0 end) as double), 0)'}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
