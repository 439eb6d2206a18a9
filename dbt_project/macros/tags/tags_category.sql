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
needs: [order_lines]
tags:
  - {code: 'top_category_{window}d', label_zh: '近{window}天首选品类', label_en: 'Top category by spend in the last {window} days', type: text, windows: [365], goal: 个性化推荐 / personalisation, sql: 'max(case when category_rank = 1 then category_name end)'}
  - {code: 'second_category_{window}d', label_zh: '近{window}天次选品类', label_en: 'Second category by spend in the last {window} days', type: text, windows: [365], goal: 交叉销售 / cross-selling, sql: 'max(case when category_rank = 2 then category_name end)'}
  - {code: 'top_category_share_{window}d', label_zh: '首选品类消费占比', label_en: 'Share of spend in the top category', type: rate, unit: share, windows: [365], goal: 品类忠诚 / category loyalty, sql: 'cast(sum(case when category_rank = 1 then spend_amount else 0 end) as double) / nullif(cast(sum(spend_amount) as double), 0)'}
  - {code: 'category_count_{window}d', label_zh: '近{window}天购买品类数', label_en: 'Categories bought in the last {window} days', type: integer, default: 0, unit: categories, windows: [90, 365], goal: 品类拓展 / category extension, sql: 'count(distinct case when {recent} then category_name end)'}
  - {code: 'new_category_count_{window}d', label_zh: '近{window}天新购品类数', label_en: 'Categories bought for the first time in a year within the last {window} days', type: integer, default: 0, unit: categories, windows: [90], goal: 兴趣变化 / changing interests, sql: 'count(distinct case when category_first_{recent} then category_name end)'}
  - {code: 'top_brand_{window}d', label_zh: '近{window}天首选品牌', label_en: 'Top brand by spend in the last {window} days', type: text, windows: [365], goal: 品牌偏好 / brand preference, sql: 'max(case when brand_rank = 1 then brand_name end)'}
  - {code: 'brand_loyalty_{window}d', label_zh: '品牌忠诚度', label_en: 'Share of branded spend with the top brand', type: rate, unit: share, windows: [365], goal: 品牌忠诚 / brand loyalty, sql: 'cast(sum(case when brand_rank = 1 then spend_amount else 0 end) as double) / nullif(cast(sum(case when brand_name is not null then spend_amount else 0 end) as double), 0)'}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
