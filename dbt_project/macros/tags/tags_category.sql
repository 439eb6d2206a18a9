{#
    Facts: one row per member and category of the last 365 days, with what was bought and looked at in it. brand_name,
    brand_spend_amount and branded_spend_amount are the member's first brand, on every row. Categories of their own columns are those of brand.yml.
#}
{% macro tag_family_category() %}
{% set declarations %}
code: category
label_zh: 品类与品牌
label_en: Categories and brands
subject: member
owner: merchandising
source: fct_order_lines, agg_member_product_days, dim_products
needs: [order_lines]
facts:
  category_name: dim_products.category_l2_name
  brand_name: dim_products.brand_name
  brand_spend_amount: fct_order_lines.line_amount
  branded_spend_amount: fct_order_lines.line_amount
  category_spend_amount: fct_order_lines.line_amount
  spend_amount_90d: fct_order_lines.line_amount
  purchase_day_count: fct_order_lines.business_date
  purchase_day_count_90d: fct_order_lines.business_date
  last_purchase_date: fct_order_lines.business_date
  purchase_age_days: fct_order_lines.business_date
  first_purchase_age_days: fct_order_lines.business_date
  view_count_30d: agg_member_product_days.view_count
  view_count_90d: agg_member_product_days.view_count
  favourite_count_90d: agg_member_product_days.favourite_count
  cart_count_90d: agg_member_product_days.cart_count
  last_view_date: agg_member_product_days.business_date
  interest_score: 'agg_member_product_days.view_count, agg_member_product_days.favourite_count, agg_member_product_days.cart_count, fct_order_lines.business_date'
  interest_rank: 'agg_member_product_days.view_count, agg_member_product_days.favourite_count, agg_member_product_days.cart_count, fct_order_lines.business_date'
  category_rank: fct_order_lines.line_amount
  longest_run_days: agg_member_product_days.business_date
tags:
  - {code: top_category_365d, kind: preference, label_zh: 近365天首选品类, label_en: Category with the highest spend in the last 365 days, type: text, goal: 品类推荐 / what to recommend, sql: max(case when category_rank = 1 then category_name end)}
  - {code: second_category_365d, kind: preference, label_zh: 近365天次选品类, label_en: Category with the second highest spend in the last 365 days, type: text, goal: 品类推荐 / what to recommend, sql: max(case when category_rank = 2 then category_name end)}
  - {code: third_category_365d, kind: preference, label_zh: 近365天第三品类, label_en: Category with the third highest spend in the last 365 days, type: text, goal: 品类推荐 / what to recommend, sql: max(case when category_rank = 3 then category_name end)}
  - {code: top_category_share_365d, kind: ratio, label_zh: 近365天首选品类消费占比, label_en: Share of the year’s spend that went to the first category, type: rate, unit: share, goal: 品类专注度 / focus, sql: 'cast(max(case when category_rank = 1 then category_spend_amount end) as double) / nullif(cast(sum(category_spend_amount) as double), 0)'}
  - {code: category_count_90d, kind: count, label_zh: 近90天购买品类数, label_en: Categories bought in the last 90 days, type: integer, default: 0, unit: categories, goal: 跨品类销售 / cross-category sales, sql: count(case when purchase_age_days <= 90 then category_name end)}
  - {code: category_count_365d, kind: count, label_zh: 近365天购买品类数, label_en: Number of categories bought in the last 365 days, type: integer, default: 0, unit: categories, goal: 跨品类销售 / cross-category sales, sql: count(case when purchase_day_count > 0 then category_name end)}
  - {code: new_category_count_90d, kind: count, label_zh: 近90天新购品类数, label_en: Categories first bought in the last 90 days (of the last 365), type: integer, default: 0, unit: categories, goal: 跨品类销售 / cross-category sales, sql: count(case when first_purchase_age_days <= 90 then category_name end)}
  - {code: categories_365d, kind: list, label_zh: 近365天购买品类, label_en: Categories bought in the last 365 days, type: list, goal: 品类推荐 / what to recommend, sql: "{{ text_list('case when purchase_day_count > 0 then category_name end') }}"}
  - {code: repeat_categories_365d, kind: list, label_zh: 近365天复购品类, label_en: Categories bought on two or more days in the last 365, type: list, goal: 复购提醒 / replenishment reminders, sql: "{{ text_list('case when purchase_day_count >= 2 then category_name end') }}"}
  - {code: top_brand_365d, kind: preference, label_zh: 近365天首选品牌, label_en: Brand with the highest spend in the last 365 days, type: text, goal: 品牌推荐 / brand campaigns, sql: max(brand_name)}
  - {code: brand_loyalty_365d, kind: ratio, label_zh: 近365天品牌忠诚度, label_en: Share of the year’s branded spend that went to the first brand, type: rate, unit: share, goal: 品牌推荐 / brand campaigns, sql: 'cast(max(case when brand_name is not null then brand_spend_amount end) as double) / nullif(cast(max(branded_spend_amount) as double), 0)'}
  - {code: top_interest_category, kind: preference, needs: [events], label_zh: 当前兴趣最高品类, label_en: Category of the highest interest now, type: text, goal: 品类推荐 / what to recommend, sql: max(case when interest_rank = 1 then category_name end)}
  - {code: second_interest_category, kind: preference, needs: [events], label_zh: 当前兴趣次高品类, label_en: Category of the second highest interest now, type: text, goal: 品类推荐 / what to recommend, sql: max(case when interest_rank = 2 then category_name end)}
  - {code: interest_score_total, kind: decayed, needs: [events], drift: decay, half_life_days: 30, label_zh: 兴趣总分, label_en: Interest in all categories (half-life 30 days), type: rate, default: 0, unit: points, goal: 兴趣热度 / warm members, sql: sum(interest_score)}
  - {code: interested_categories, kind: list, needs: [events], label_zh: 感兴趣品类, label_en: Categories with an interest score of five or more, type: list, goal: 品类推荐 / what to recommend, sql: "{{ text_list('case when interest_score >= 5 then category_name end') }}"}
  - {code: strong_interest_categories, kind: sequence, needs: [events], label_zh: 强兴趣未购品类, label_en: Categories viewed on seven days in a row within 30 and not bought in 365, type: list, goal: 首购转化 / first orders in a category, sql: "{{ text_list('case when longest_run_days >= 7 and purchase_day_count = 0 then category_name end') }}"}
  - {code: browsed_not_bought_categories_90d, kind: list, needs: [events], label_zh: 近90天浏览未购品类, label_en: Categories viewed in the last 90 days and not bought in 365, type: list, goal: 首购转化 / first orders in a category, sql: "{{ text_list('case when view_count_90d > 0 and purchase_day_count = 0 then category_name end') }}"}
  - {code: '{item}_spend_amount_365d', kind: sum, each: categories, label_zh: '近365天{item_zh}消费金额', label_en: 'Spend on {item_en} in the last 365 days', type: decimal, default: 0, unit: currency, goal: 品类运营 / category campaigns, sql: 'max(case when category_name = {item_sql} then category_spend_amount end)'}
  - {code: '{item}_purchase_day_count_365d', kind: count, each: categories, label_zh: '近365天{item_zh}购买天数', label_en: 'Days with a purchase of {item_en} in the last 365', type: integer, default: 0, unit: days, goal: 品类复购 / repurchase in the category, sql: 'max(case when category_name = {item_sql} then purchase_day_count end)'}
  - {code: '{item}_last_purchase_date', kind: first_last, each: categories, label_zh: '最近购买{item_zh}日期', label_en: 'Last purchase of {item_en} (within 365 days)', type: date, goal: 复购提醒 / replenishment reminders, sql: 'max(case when category_name = {item_sql} then last_purchase_date end)'}
  - {code: '{item}_view_count_30d', kind: count, each: categories, needs: [events], label_zh: '近30天{item_zh}浏览次数', label_en: 'Product pages of {item_en} opened in the last 30 days', type: integer, default: 0, unit: views, goal: 兴趣识别 / who is interested, sql: 'max(case when category_name = {item_sql} then view_count_30d end)'}
  - {code: '{item}_cart_count_90d', kind: count, each: categories, needs: [events], label_zh: '近90天{item_zh}加购次数', label_en: 'Times {item_en} were put into the cart in the last 90 days', type: integer, default: 0, unit: events, goal: 加购催付 / cart reminders, sql: 'max(case when category_name = {item_sql} then cart_count_90d end)'}
  - {code: '{item}_interest_score', kind: decayed, each: categories, needs: [events], drift: decay, half_life_days: 30, label_zh: '{item_zh}兴趣分', label_en: 'Interest in {item_en} (half-life 30 days)', type: rate, default: 0, unit: points, goal: 兴趣识别 / who is interested, sql: 'max(case when category_name = {item_sql} then interest_score end)'}
  - {code: 'is_{item}_strong_interest', kind: sequence, each: categories, needs: [events], label_zh: '是否{item_zh}强兴趣（连续7天浏览且未购）', label_en: '{item_en} viewed on seven days in a row within 30, and not bought in 365', type: boolean, default: 'false', goal: 首购转化 / first orders in a category, sql: 'coalesce(max(case when category_name = {item_sql} and longest_run_days >= 7 and purchase_day_count = 0 then 1 end), 0) = 1'}
  - code: '{item}_role'
    kind: tier
    each: categories
    label_zh: '{item_zh}人群角色'
    label_en: 'What the member is to {item_en}'
    type: text
    default: "'none'"
    goal: 品类人群 / audiences by category
    sql: "case when max(case when category_name = {item_sql} then purchase_day_count end) >= 2 and max(case when category_name = {item_sql} and purchase_age_days <= 90 then 1 end) = 1 then 'fan' when max(case when category_name = {item_sql} and purchase_age_days <= 90 then 1 end) = 1 then 'buyer' when max(case when category_name = {item_sql} then purchase_day_count end) >= 1 then 'lapsed' when max(case when category_name = {item_sql} then view_count_90d + cart_count_90d + favourite_count_90d end) >= 3 then 'potential' else 'none' end"
    values:
      - {code: fan, label_zh: 购买粉丝（一年购买2天及以上且近90天有购）, label_en: 'fan: bought on two or more days in a year, one of them in the last 90 days'}
      - {code: buyer, label_zh: 买家（近90天有购）, label_en: 'buyer: bought in the last 90 days'}
      - {code: lapsed, label_zh: 沉睡买家（一年内买过，近90天未购）, label_en: 'lapsed: bought in the year, not in the last 90 days'}
      - {code: potential, label_zh: 浏览潜客（近90天互动3次及以上且未购）, label_en: 'potential: three or more looks in 90 days, nothing bought'}
      - {code: none, label_zh: 无, label_en: none of these}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
