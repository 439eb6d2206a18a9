{# Facts, at most one row per member: the scores that were made for the current as_of_date. #}
{% macro tag_family_prediction() %}
{% set declarations %}
code: prediction
label_zh: 模型预测
label_en: Prediction
subject: member
owner: data-science
source: stg_churn_scores, stg_propensity_scores
refresh: with_models
facts:
  churn_score: stg_churn_scores.score
  churn_tier: stg_churn_scores.tier
  churn_percentile: stg_churn_scores.percentile
  propensity_score: stg_propensity_scores.score
  propensity_tier: stg_propensity_scores.tier
  propensity_percentile: stg_propensity_scores.percentile
tags:
  - {code: churn_score, kind: model, label_zh: 流失概率, label_en: Probability of not ordering within the churn horizon, type: rate, unit: probability, goal: 流失预警 / churn warning, sql: max(churn_score)}
  - code: churn_risk
    kind: model
    label_zh: 流失风险等级
    label_en: Churn risk
    type: text
    goal: 流失预警 / churn warning
    sql: max(churn_tier)
    values:
      - {code: high, label_zh: 高风险（最高20%）, label_en: 'high: top fifth of scored members'}
      - {code: medium, label_zh: 中风险（其后30%）, label_en: 'medium: the rest of the upper half'}
      - {code: low, label_zh: 低风险（后50%）, label_en: 'low: the lower half'}
  - {code: purchase_propensity_score, kind: model, label_zh: 购买倾向概率, label_en: Probability of ordering within the purchase horizon, type: rate, unit: probability, goal: 精准触达 / targeting, sql: max(propensity_score)}
  - code: purchase_propensity_level
    kind: model
    label_zh: 购买倾向等级
    label_en: Purchase propensity
    type: text
    goal: 精准触达 / targeting
    sql: max(propensity_tier)
    values:
      - {code: high, label_zh: 高倾向（最高20%）, label_en: 'high: top fifth of scored members'}
      - {code: medium, label_zh: 中倾向（其后30%）, label_en: 'medium: the rest of the upper half'}
      - {code: low, label_zh: 低倾向（后50%）, label_en: 'low: the lower half'}
  - {code: churn_percentile, kind: percentile, label_zh: 流失概率百分位, label_en: Share of scored members with a lower probability of churn, type: rate, unit: share, goal: 流失预警 / churn warning, sql: max(churn_percentile)}
  - {code: purchase_propensity_percentile, kind: percentile, label_zh: 购买倾向百分位, label_en: Share of scored members with a lower propensity to order, type: rate, unit: share, goal: 精准触达 / targeting, sql: max(propensity_percentile)}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
