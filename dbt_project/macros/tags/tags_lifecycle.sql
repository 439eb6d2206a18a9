{# Facts, one row per member and purchase day: age_days before the cut, gap_days since the purchase day before, and the state at the cut. #}
{% macro tag_family_lifecycle() %}
{% set declarations %}
code: lifecycle
label_zh: 生命周期
label_en: Lifecycle
subject: member
owner: crm
source: fct_orders, fct_lifecycle_states
needs: [order_lines]
facts:
  age_days: fct_orders.business_date
  gap_days: fct_orders.business_date
  lifecycle_state: fct_lifecycle_states.lifecycle_state
  business_date: fct_orders.business_date
tags:
  - code: lifecycle_state
    kind: tier
    label_zh: 生命周期阶段
    label_en: Lifecycle state
    type: text
    default: "'prospect'"
    goal: 分阶段运营 / operations by stage
    sql: max(lifecycle_state)
    values:
      - {code: prospect, label_zh: 潜客, label_en: 'prospect: no order yet'}
      - {code: new, label_zh: 新客, label_en: 'new: first order within the new-member window'}
      - {code: active, label_zh: 活跃客, label_en: 'active: ordered lately'}
      - {code: loyal, label_zh: 忠诚客, label_en: 'loyal: active, with several purchase days in a year'}
      - {code: dormant, label_zh: 沉默客, label_en: 'dormant: past the active window'}
      - {code: lost, label_zh: 流失客, label_en: 'lost: past the dormant window'}
      - {code: returned, label_zh: 回流客, label_en: 'returned: bought again after having been dormant or lost'}
  - {code: is_repeat_buyer, kind: flag, label_zh: 是否复购客, label_en: Bought on two or more days, type: boolean, default: 'false', goal: 复购分析 / repurchase, sql: count(age_days) >= 2}
  - {code: customer_age_days, kind: recency, drift: elapsed, label_zh: 首购至今天数, label_en: Days since the first order, type: integer, unit: days, goal: 生命周期 / lifecycle, sql: max(age_days)}
  - {code: purchase_cycle_days, kind: average, label_zh: 平均复购周期, label_en: Mean days between purchase days in the last 365 days, type: rate, unit: days, goal: 复购提醒 / replenishment reminders, sql: 'avg(case when age_days <= 365 then cast(gap_days as double) end)'}
  - {code: days_past_cycle, kind: trend, drift: elapsed, label_zh: 超出复购周期天数, label_en: Days by which the usual cycle is exceeded (negative = not yet due), type: rate, unit: days, goal: 复购提醒 / replenishment reminders, sql: 'min(age_days) - avg(case when age_days <= 365 then cast(gap_days as double) end)'}
  - {code: is_past_cycle, kind: flag, label_zh: 是否超过复购周期, label_en: Usual cycle is exceeded, type: boolean, default: 'false', goal: 流失预警 / churn warning, sql: 'coalesce(min(age_days) > avg(case when age_days <= 365 then cast(gap_days as double) end), false)'}
  - {code: shortest_gap_days_365d, kind: extreme, label_zh: 近365天最短购买间隔, label_en: Shortest gap between purchase days in the last 365, type: integer, unit: days, goal: 复购提醒 / replenishment reminders, sql: min(case when age_days <= 365 then gap_days end)}
  - {code: longest_gap_days_365d, kind: extreme, label_zh: 近365天最长购买间隔, label_en: Longest gap between purchase days in the last 365, type: integer, unit: days, goal: 沉默唤醒 / wake silent members, sql: max(case when age_days <= 365 then gap_days end)}
  - {code: last_gap_days, kind: first_last, label_zh: 最近一次购买间隔, label_en: Gap between the last two purchase days, type: integer, unit: days, goal: 复购提醒 / replenishment reminders, sql: 'min(case when gap_days is not null then 100000 * age_days + gap_days end) - 100000 * min(case when gap_days is not null then age_days end)'}
  - {code: cycle_count_365d, kind: count, label_zh: 近365天复购次数, label_en: Gaps between purchase days in the last 365, type: integer, default: 0, unit: gaps, goal: 复购分析 / repurchase, sql: count(case when age_days <= 365 then gap_days end)}
  - {code: second_purchase_gap_days, kind: first_last, label_zh: 首购到二购天数, label_en: Days from the first to the second purchase day, type: integer, unit: days, goal: 二购转化 / second orders, sql: 'max(age_days) - max(case when gap_days is not null then age_days end)'}
  - {code: is_new_buyer_30d, kind: flag, label_zh: 是否近30天新客, label_en: First order in the last 30 days, type: boolean, default: 'false', goal: 新客培育 / new buyers, sql: 'coalesce(max(age_days) <= 30, false)'}
  - {code: is_one_time_buyer, kind: flag, label_zh: 是否一次购客, label_en: Bought on one day only, type: boolean, default: 'false', goal: 二购转化 / second orders, sql: count(age_days) = 1}
  - {code: is_returned_30d, kind: flag, label_zh: 是否近30天回流（间隔180天以上）, label_en: Bought in the last 30 days after 180 days or more without, type: boolean, default: 'false', goal: 回流培育 / members who came back, sql: count(case when age_days <= 30 and gap_days >= 180 then 1 end) > 0}
  - code: 'activity_level_{window}d'
    kind: tier
    label_zh: '近{window}天活跃度'
    label_en: 'Activity in the last {window} days'
    windows: [90]
    type: text
    default: "'none'"
    goal: 活跃分层 / activity tiers
    sql: "case when count(case when {recent} then 1 end) >= 10 then 'high' when count(case when {recent} then 1 end) >= 3 then 'medium' when count(case when {recent} then 1 end) >= 1 then 'low' else 'none' end"
    values:
      - {code: high, label_zh: 高（10天及以上有购买）, label_en: 'high: ten or more purchase days'}
      - {code: medium, label_zh: 中（3至9天）, label_en: 'medium: three to nine purchase days'}
      - {code: low, label_zh: 低（1至2天）, label_en: 'low: one or two purchase days'}
      - {code: none, label_zh: 无购买, label_en: no purchase}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
