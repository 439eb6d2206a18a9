{# Facts, one row each: an entry in the points account (points, point_kind) or a change of tier (to_tier_name). #}
{% macro tag_family_loyalty() %}
{% set declarations %}
code: loyalty
label_zh: 积分与等级
label_en: Points and tiers
subject: member
owner: crm
source: fct_points, fct_tier_changes
facts:
  point_kind: fct_points.point_kind
  reason: fct_points.reason
  points: fct_points.points
  to_tier_name: fct_tier_changes.to_tier_name
  is_change: fct_tier_changes.from_tier_name
  business_date: 'fct_points.business_date, fct_tier_changes.business_date'
  age_days: 'fct_points.business_date, fct_tier_changes.business_date'
tags:
  - {code: point_balance, kind: sum, needs: [points], label_zh: 积分余额, label_en: Point balance, type: integer, default: 0, unit: points, goal: 积分兑换 / redeeming points, sql: 'coalesce(sum(points), 0)'}
  - {code: 'points_earned_{window}d', kind: sum, needs: [points], label_zh: '近{window}天获得积分', label_en: 'Points earned in the last {window} days', type: integer, default: 0, windows: [30, 90, 180, 365], unit: points, goal: 成长激励 / growth, sql: "sum(case when point_kind = 'earn' and {recent} then points else 0 end)"}
  - {code: 'points_redeemed_{window}d', kind: sum, needs: [points], label_zh: '近{window}天使用积分', label_en: 'Points redeemed in the last {window} days', type: integer, default: 0, windows: [30, 90, 180, 365], unit: points, goal: 积分兑换 / redeeming points, sql: "-sum(case when point_kind = 'redeem' and {recent} then points else 0 end)"}
  - {code: 'points_expired_{window}d', kind: sum, needs: [points], label_zh: '近{window}天过期积分', label_en: 'Points that expired in the last {window} days', type: integer, default: 0, windows: [90, 365], unit: points, goal: 过期提醒 / expiry reminders, sql: "-sum(case when point_kind = 'expire' and {recent} then points else 0 end)"}
  - {code: 'point_task_count_{window}d', kind: count, needs: [points], label_zh: '近{window}天积分任务次数', label_en: 'Tasks rewarded with points in the last {window} days', type: integer, default: 0, windows: [7, 30, 90], unit: tasks, goal: 任务激励 / tasks, sql: "count(case when point_kind = 'earn' and reason = 'task' and {recent} then 1 end)"}
  - {code: points_earned_total, kind: sum, needs: [points], label_zh: 累计获得积分, label_en: Points earned to date, type: integer, default: 0, unit: points, goal: 会员价值 / member value, sql: "sum(case when point_kind = 'earn' then points else 0 end)"}
  - {code: point_use_rate, kind: ratio, needs: [points], label_zh: 积分使用率, label_en: Points redeemed per point earned to date, type: rate, unit: share, goal: 积分兑换 / redeeming points, sql: "cast(-sum(case when point_kind = 'redeem' then points else 0 end) as double) / nullif(sum(case when point_kind = 'earn' then points end), 0)"}
  - {code: last_point_date, kind: first_last, needs: [points], label_zh: 最近积分变动日期, label_en: Last entry in the points account, type: date, goal: 成长激励 / growth, sql: max(case when point_kind is not null then business_date end)}
  - {code: last_point_redemption_date, kind: first_last, needs: [points], label_zh: 最近使用积分日期, label_en: Last redemption of points, type: date, goal: 积分兑换 / redeeming points, sql: "max(case when point_kind = 'redeem' then business_date end)"}
  - {code: days_since_point_redemption, kind: recency, needs: [points], label_zh: 距最近使用积分天数, label_en: Days since points were redeemed, type: integer, unit: days, goal: 积分兑换 / redeeming points, since: last_point_redemption_date}
  - {code: is_point_user, kind: flag, needs: [points], label_zh: 是否用过积分, label_en: Has redeemed points, type: boolean, default: 'false', goal: 积分兑换 / redeeming points, sql: "count(case when point_kind = 'redeem' then 1 end) > 0"}
  - {code: tier_change_count_365d, kind: count, needs: [members], label_zh: 近365天等级变动次数, label_en: Changes of tier in the last 365 days, type: integer, default: 0, unit: changes, goal: 等级运营 / tiers, sql: count(case when is_change and age_days <= 365 then 1 end)}
  - {code: last_tier_change_date, kind: first_last, needs: [members], label_zh: 最近等级变动日期, label_en: Last change of tier, type: date, goal: 等级运营 / tiers, sql: max(case when is_change then business_date end)}
  - {code: days_since_tier_change, kind: recency, needs: [members], label_zh: 距最近等级变动天数, label_en: Days since the last change of tier, type: integer, unit: days, goal: 等级运营 / tiers, since: last_tier_change_date}
  - {code: has_changed_tier_30d, kind: flag, needs: [members], label_zh: 近30天是否变动等级, label_en: Tier changed in the last 30 days, type: boolean, default: 'false', goal: 等级运营 / tiers, sql: count(case when is_change and age_days <= 30 then 1 end) > 0}
  - {code: tiers_held, kind: list, needs: [members], label_zh: 曾有等级, label_en: Tiers held so far, type: list, goal: 等级运营 / tiers, sql: "{{ text_list('to_tier_name') }}"}
  - code: point_balance_band
    kind: tier
    needs: [points]
    label_zh: 积分余额档
    label_en: Band of the point balance
    type: text
    default: "'none'"
    goal: 积分兑换 / redeeming points
    sql: "case when coalesce(sum(points), 0) <= 0 then 'none' when sum(points) < 500 then 'under_500' when sum(points) < 2000 then 'from_500' when sum(points) < 10000 then 'from_2000' else 'from_10000' end"
    values:
      - {code: none, label_zh: 无积分, label_en: none}
      - {code: under_500, label_zh: 500以下, label_en: under 500}
      - {code: from_500, label_zh: 500至2000, label_en: 500 to 2000}
      - {code: from_2000, label_zh: 2000至10000, label_en: 2000 to 10000}
      - {code: from_10000, label_zh: 10000及以上, label_en: 10000 and more}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
