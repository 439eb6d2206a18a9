{#
    Facts, one row per member, category and brand bought in the last 365 days, with the ranks of the category and the
    brand within the member (by spend, ties by name), so that "top" needs no arbitrary choice.
#}
{% macro tag_family_category() %}
{% set declarations %}
code: category
label_zh: 品类偏好
label_en: Category
owner: merchandising
source: fct_order_lines, dim_products
tags:
  - {code: top_category_365d, label_zh: 近365天首选品类, label_en: Top category by spend in the last 365 days, type: text, goal: 个性化推荐 / personalisation, sql: 'max(case when category_rank = 1 then category_name end)'}
  - {code: second_category_365d, label_zh: 近365天次选品类, label_en: Second category by spend in the last 365 days, type: text, goal: 交叉销售 / cross-selling, sql: 'max(case when category_rank = 2 then category_name end)'}
  - {code: top_category_share_365d, label_zh: 首选品类消费占比, label_en: Share of spend in the top category, type: rate, unit: share, goal: 品类忠诚 / category loyalty, sql: 'cast(sum(case when category_rank = 1 then spend_amount else 0 end) as double) / nullif(cast(sum(spend_amount) as double), 0)'}
  - {code: category_count_365d, label_zh: 近365天购买品类数, label_en: Categories bought in the last 365 days, type: integer, default: 0, unit: categories, goal: 品类拓展 / category extension, sql: count(distinct category_name)}
  - {code: category_count_90d, label_zh: 近90天购买品类数, label_en: Categories bought in the last 90 days, type: integer, default: 0, unit: categories, goal: 品类拓展 / category extension, sql: 'count(distinct case when age_days <= 90 then category_name end)'}
  - {code: new_category_count_90d, label_zh: 近90天新购品类数, label_en: Categories bought for the first time in a year within the last 90 days, type: integer, default: 0, unit: categories, goal: 兴趣变化 / changing interests, sql: 'count(distinct case when category_first_age_days <= 90 then category_name end)'}
  - {code: top_brand_365d, label_zh: 近365天首选品牌, label_en: Top brand by spend in the last 365 days, type: text, goal: 品牌偏好 / brand preference, sql: 'max(case when brand_rank = 1 then brand_name end)'}
  - {code: brand_loyalty_365d, label_zh: 品牌忠诚度, label_en: Share of branded spend with the top brand, type: rate, unit: share, goal: 品牌忠诚 / brand loyalty, sql: 'cast(sum(case when brand_rank = 1 then spend_amount else 0 end) as double) / nullif(cast(sum(case when brand_name is not null then spend_amount else 0 end) as double), 0)'}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
