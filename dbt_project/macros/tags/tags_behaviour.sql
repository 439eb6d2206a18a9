{#
    Facts: days of behaviour summed by the window they fall into, at most nine rows a member; age_days is the window's upper edge,
    so {recent} holds for windows of tag_window_edges() and no others.
#}
{% macro tag_family_behaviour() %}
{% set declarations %}
code: behaviour
label_zh: 行为
label_en: Behaviour
subject: member
owner: growth
source: agg_member_days
needs: [events]
facts:
  age_days: agg_member_days.business_date
  active_day_count: agg_member_days.business_date
  weekend_day_count: agg_member_days.business_date
  session_count: agg_member_days.session_count
  session_seconds: agg_member_days.session_seconds
  event_count: agg_member_days.event_count
  page_view_count: agg_member_days.page_view_count
  interaction_count: agg_member_days.interaction_count
  product_view_count: agg_member_days.product_view_count
  search_count: agg_member_days.search_count
  favourite_count: agg_member_days.favourite_count
  cart_count: agg_member_days.cart_count
  uncart_count: agg_member_days.uncart_count
  checkout_count: agg_member_days.checkout_count
  click_count: agg_member_days.click_count
  night_session_count: agg_member_days.night_session_count
  morning_session_count: agg_member_days.morning_session_count
  afternoon_session_count: agg_member_days.afternoon_session_count
  evening_session_count: agg_member_days.evening_session_count
  most_page_view_count: agg_member_days.page_view_count
  first_date: agg_member_days.business_date
  last_date: agg_member_days.business_date
  last_cart_date: 'agg_member_days.business_date, agg_member_days.cart_count'
  last_search_date: 'agg_member_days.business_date, agg_member_days.search_count'
  last_favourite_date: 'agg_member_days.business_date, agg_member_days.favourite_count'
  last_checkout_date: 'agg_member_days.business_date, agg_member_days.checkout_count'
  last_product_view_date: 'agg_member_days.business_date, agg_member_days.product_view_count'
dimensions:
  often:
    - {code: session, label_zh: 访问, label_en: Sessions, sql: session_count}
    - {code: page_view, label_zh: 页面浏览, label_en: Pages opened, sql: page_view_count}
    - {code: product_view, label_zh: 商品浏览, label_en: Product pages opened, sql: product_view_count}
    - {code: search, label_zh: 搜索, label_en: Searches, sql: search_count}
    - {code: cart, label_zh: 加购, label_en: Times put into the cart, sql: cart_count}
    - {code: favourite, label_zh: 收藏, label_en: Favourites, sql: favourite_count}
    - {code: checkout, label_zh: 发起结算, label_en: Checkouts begun, sql: checkout_count}
  seldom:
    - {code: uncart, label_zh: 移出购物车, label_en: Times taken out of the cart, sql: uncart_count}
    - {code: click, label_zh: 点击, label_en: Clicks, sql: click_count}
    - {code: interaction, label_zh: 互动, label_en: Interactions, sql: interaction_count}
  lasts:
    - {code: cart, label_zh: 加购, label_en: Last put into the cart, sql: last_cart_date}
    - {code: search, label_zh: 搜索, label_en: Last search, sql: last_search_date}
    - {code: favourite, label_zh: 收藏, label_en: Last favourite, sql: last_favourite_date}
    - {code: checkout, label_zh: 发起结算, label_en: Last checkout begun, sql: last_checkout_date}
    - {code: product_view, label_zh: 浏览商品, label_en: Last product page, sql: last_product_view_date}
  dayparts:
    - {code: night, label_zh: 凌晨, label_en: at night (0 to 5), sql: night_session_count}
    - {code: morning, label_zh: 上午, label_en: in the morning (6 to 11), sql: morning_session_count}
    - {code: afternoon, label_zh: 下午, label_en: in the afternoon (12 to 17), sql: afternoon_session_count}
    - {code: evening, label_zh: 晚间, label_en: in the evening (18 to 23), sql: evening_session_count}
tags:
  - {code: '{item}_count_{window}d', kind: count, each: often, label_zh: '近{window}天{item_zh}次数', label_en: '{item_en} in the last {window} days', type: integer, default: 0, windows: [1, 7, 14, 30, 60, 90, 180, 365], unit: times, goal: 活跃与意向 / activity and intent, sql: 'sum(case when {recent} then {item_sql} else 0 end)'}
  - {code: '{item}_count_{window}d', kind: count, each: seldom, label_zh: '近{window}天{item_zh}次数', label_en: '{item_en} in the last {window} days', type: integer, default: 0, windows: [7, 30, 90], unit: times, goal: 活跃与意向 / activity and intent, sql: 'sum(case when {recent} then {item_sql} else 0 end)'}
  - {code: 'active_day_count_{window}d', kind: count, label_zh: '近{window}天活跃天数', label_en: 'Days with behaviour in the last {window}', type: integer, default: 0, windows: [7, 14, 30, 60, 90, 180, 365], unit: days, goal: 活跃度 / activity, sql: 'sum(case when {recent} then active_day_count else 0 end)'}
  - {code: 'is_active_{window}d', kind: flag, label_zh: '近{window}天是否活跃', label_en: 'Seen at a client in the last {window} days', type: boolean, default: 'false', windows: [1, 7, 30, 90], goal: 活跃度 / activity, sql: 'sum(case when {recent} then active_day_count else 0 end) > 0'}
  - {code: 'session_minutes_{window}d', kind: sum, label_zh: '近{window}天访问时长（分钟）', label_en: 'Minutes in sessions in the last {window} days', type: rate, default: 0, windows: [7, 30, 90, 365], unit: minutes, goal: 粘性 / stickiness, sql: 'cast(sum(case when {recent} then session_seconds else 0 end) as double) / 60'}
  - {code: 'pages_per_session_{window}d', kind: ratio, label_zh: '近{window}天访问深度（页/次）', label_en: 'Pages per session in the last {window} days', type: rate, windows: [30, 90, 365], unit: pages, goal: 访问深度 / depth, sql: 'cast(sum(case when {recent} then page_view_count end) as double) / nullif(sum(case when {recent} then session_count end), 0)'}
  - {code: 'minutes_per_session_{window}d', kind: ratio, label_zh: '近{window}天单次访问时长（分钟）', label_en: 'Minutes per session in the last {window} days', type: rate, windows: [30, 90], unit: minutes, goal: 粘性 / stickiness, sql: 'cast(sum(case when {recent} then session_seconds end) as double) / 60 / nullif(sum(case when {recent} then session_count end), 0)'}
  - {code: 'cart_rate_{window}d', kind: ratio, label_zh: '近{window}天加购率', label_en: 'Times put into the cart per product page in the last {window} days', type: rate, windows: [30, 90, 365], unit: share, goal: 购买意向 / intent, sql: 'cast(sum(case when {recent} then cart_count end) as double) / nullif(sum(case when {recent} then product_view_count end), 0)'}
  - {code: 'favourite_rate_{window}d', kind: ratio, label_zh: '近{window}天收藏率', label_en: 'Favourites per product page in the last {window} days', type: rate, windows: [30, 90, 365], unit: share, goal: 购买意向 / intent, sql: 'cast(sum(case when {recent} then favourite_count end) as double) / nullif(sum(case when {recent} then product_view_count end), 0)'}
  - {code: 'checkout_rate_{window}d', kind: ratio, label_zh: '近{window}天结算率', label_en: 'Checkouts begun per time something was put into the cart in the last {window} days', type: rate, windows: [30, 90, 365], unit: share, goal: 加购催付 / cart reminders, sql: 'cast(sum(case when {recent} then checkout_count end) as double) / nullif(sum(case when {recent} then cart_count end), 0)'}
  - {code: 'search_rate_{window}d', kind: ratio, label_zh: '近{window}天搜索依赖度', label_en: 'Searches per session in the last {window} days', type: rate, windows: [30, 90], unit: searches, goal: 导购方式 / how members find things, sql: 'cast(sum(case when {recent} then search_count end) as double) / nullif(sum(case when {recent} then session_count end), 0)'}
  - {code: 'weekend_share_{window}d', kind: distribution, label_zh: '近{window}天周末活跃占比', label_en: 'Share of active days at weekends in the last {window} days', type: rate, windows: [90, 365], unit: share, goal: 发送时段 / when to send, sql: 'cast(sum(case when {recent} then weekend_day_count end) as double) / nullif(sum(case when {recent} then active_day_count end), 0)'}
  - {code: 'session_share_{item}_90d', kind: distribution, each: dayparts, label_zh: '近90天{item_zh}访问占比', label_en: 'Share of sessions begun {item_en} in the last 90 days', type: rate, unit: share, goal: 发送时段 / when to send, sql: 'cast(sum(case when age_days <= 90 then {item_sql} end) as double) / nullif(sum(case when age_days <= 90 then session_count end), 0)'}
  - {code: most_pages_in_a_day_365d, kind: extreme, label_zh: 近365天单日最多页数, label_en: Most pages opened on one day in the last 365, type: integer, default: 0, unit: pages, goal: 访问深度 / depth, sql: 'max(case when age_days <= 365 then most_page_view_count else 0 end)'}
  - {code: first_active_date, kind: first_last, label_zh: 首次活跃日期, label_en: First seen at a client, type: date, goal: 新客识别 / new members, sql: min(first_date)}
  - {code: last_active_date, kind: first_last, label_zh: 最近活跃日期, label_en: Last seen at a client, type: date, goal: 沉默唤醒 / wake silent members, sql: max(last_date)}
  - {code: days_since_active, kind: recency, label_zh: 距最近活跃天数, label_en: Days since last seen at a client, type: integer, unit: days, goal: 沉默唤醒 / wake silent members, since: last_active_date}
  - {code: 'last_{item}_date', kind: first_last, each: lasts, label_zh: '最近{item_zh}日期', label_en: '{item_en}', type: date, goal: 意向时效 / how fresh the intent is, sql: 'max({item_sql})'}
  - {code: days_since_cart, kind: recency, label_zh: 距最近加购天数, label_en: Days since something was put into the cart, type: integer, unit: days, goal: 加购催付 / cart reminders, since: last_cart_date}
  - {code: days_since_product_view, kind: recency, label_zh: 距最近浏览商品天数, label_en: Days since a product page was opened, type: integer, unit: days, goal: 沉默唤醒 / wake silent members, since: last_product_view_date}
  - {code: active_day_trend_30d, kind: trend, label_zh: 近30天对前30天活跃天数之差, label_en: Active days of the last 30 less those of the 30 before, type: integer, default: 0, unit: days, goal: 升降预警 / rising and falling members, sql: 'sum(case when age_days <= 30 then active_day_count when age_days <= 60 then -active_day_count else 0 end)'}
  - {code: session_ratio_30d_90d, kind: trend, label_zh: 近30天访问占近90天比重, label_en: Share of the last 90 days’ sessions that fell in the last 30, type: rate, unit: share, goal: 升降预警 / rising and falling members, sql: 'cast(sum(case when age_days <= 30 then session_count else 0 end) as double) / nullif(sum(case when age_days <= 90 then session_count else 0 end), 0)'}
  - code: browsing_level_30d
    kind: tier
    label_zh: 近30天活跃等级
    label_en: Activity at clients in the last 30 days
    type: text
    default: "'none'"
    goal: 活跃分层 / activity tiers
    sql: "case when sum(case when age_days <= 30 then active_day_count else 0 end) >= 12 then 'high' when sum(case when age_days <= 30 then active_day_count else 0 end) >= 4 then 'medium' when sum(case when age_days <= 30 then active_day_count else 0 end) >= 1 then 'low' else 'none' end"
    values:
      - {code: high, label_zh: 高活跃（12天及以上）, label_en: 'high: twelve or more days'}
      - {code: medium, label_zh: 中活跃（4至11天）, label_en: 'medium: four to eleven days'}
      - {code: low, label_zh: 低活跃（1至3天）, label_en: 'low: one to three days'}
      - {code: none, label_zh: 不活跃, label_en: not seen}
  - code: deepest_step_30d
    kind: tier
    label_zh: 近30天最深行为
    label_en: Furthest step in the last 30 days
    type: text
    default: "'none'"
    goal: 漏斗运营 / where to pick members up
    sql: "case when sum(case when age_days <= 30 then checkout_count else 0 end) > 0 then 'checkout' when sum(case when age_days <= 30 then cart_count else 0 end) > 0 then 'cart' when sum(case when age_days <= 30 then favourite_count else 0 end) > 0 then 'favourite' when sum(case when age_days <= 30 then product_view_count else 0 end) > 0 then 'product' when sum(case when age_days <= 30 then event_count else 0 end) > 0 then 'visit' else 'none' end"
    values:
      - {code: checkout, label_zh: 发起结算, label_en: began a checkout}
      - {code: cart, label_zh: 加购, label_en: put something into the cart}
      - {code: favourite, label_zh: 收藏, label_en: marked a favourite}
      - {code: product, label_zh: 浏览商品, label_en: opened a product page}
      - {code: visit, label_zh: 到访, label_en: visited}
      - {code: none, label_zh: 未到访, label_en: not seen}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
