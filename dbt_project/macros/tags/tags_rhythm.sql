{# Facts, one row each: a valid order with the hour, weekday and festival it fell on, on the brand's clocks. #}
{% macro tag_family_rhythm() %}
{% set declarations %}
code: rhythm
label_zh: 购买时间习惯
label_en: When a member buys
subject: member
owner: growth
source: fct_orders, ref_calendar_days
needs: [order_lines]
facts:
  order_id: fct_orders.order_id
  gross_amount: fct_orders.gross_amount
  daypart: fct_orders.ordered_at
  order_hour: fct_orders.ordered_at
  weekday_number: fct_orders.business_date
  day_of_month: fct_orders.business_date
  festival_code: ref_calendar_days.festival_code
  is_holiday: ref_calendar_days.is_holiday
  business_date: fct_orders.business_date
  age_days: fct_orders.business_date
dimensions:
  dayparts:
    - {code: night, label_zh: 凌晨（0至5点）, label_en: at night (0 to 5)}
    - {code: morning, label_zh: 上午（6至11点）, label_en: in the morning (6 to 11)}
    - {code: afternoon, label_zh: 下午（12至17点）, label_en: in the afternoon (12 to 17)}
    - {code: evening, label_zh: 晚间（18至23点）, label_en: in the evening (18 to 23)}
  weekdays:
    - {code: monday, label_zh: 周一, label_en: Mondays, sql: 1}
    - {code: tuesday, label_zh: 周二, label_en: Tuesdays, sql: 2}
    - {code: wednesday, label_zh: 周三, label_en: Wednesdays, sql: 3}
    - {code: thursday, label_zh: 周四, label_en: Thursdays, sql: 4}
    - {code: friday, label_zh: 周五, label_en: Fridays, sql: 5}
    - {code: saturday, label_zh: 周六, label_en: Saturdays, sql: 6}
    - {code: sunday, label_zh: 周日, label_en: Sundays, sql: 7}
  festivals:
    - {code: mid_year_618, label_zh: 618, label_en: the 618 festival}
    - {code: double_11, label_zh: 双11, label_en: Double 11}
    - {code: double_12, label_zh: 双12, label_en: Double 12}
    - {code: womens_day_38, label_zh: 38节, label_en: Women’s Day (38)}
    - {code: new_year_goods, label_zh: 年货节, label_en: the New Year goods festival}
    - {code: love_day_520, label_zh: 520, label_en: 520}
    - {code: qixi, label_zh: 七夕, label_en: Qixi}
tags:
  - {code: 'order_share_{item}_365d', kind: distribution, each: dayparts, label_zh: '近365天{item_zh}下单占比', label_en: 'Share of orders made {item_en} in the last 365 days', type: rate, unit: share, goal: 发送时段 / when to send, sql: "cast(count(case when age_days <= 365 and daypart = '{item}' then order_id end) as double) / nullif(count(case when age_days <= 365 then order_id end), 0)"}
  - {code: 'order_count_{item}_365d', kind: distribution, each: weekdays, label_zh: '近365天{item_zh}订单数', label_en: 'Orders on {item_en} in the last 365 days', type: integer, default: 0, unit: orders, goal: 发送时段 / when to send, sql: 'count(case when age_days <= 365 and weekday_number = {item_sql} then order_id end)'}
  - {code: 'order_count_{item}_365d', kind: count, each: festivals, label_zh: '近365天{item_zh}期间订单数', label_en: 'Orders during {item_en} in the last 365 days', type: integer, default: 0, unit: orders, goal: 大促人群 / festival buyers, sql: "count(case when age_days <= 365 and festival_code = '{item}' then order_id end)"}
  - {code: 'is_{item}_buyer', kind: flag, each: festivals, label_zh: '是否{item_zh}买家', label_en: 'Has bought during {item_en}', type: boolean, default: 'false', goal: 大促人群 / festival buyers, sql: "count(case when festival_code = '{item}' then order_id end) > 0"}
  - {code: festivals_bought, kind: list, label_zh: 买过的大促, label_en: Festivals bought at, type: list, goal: 大促人群 / festival buyers, sql: "{{ text_list('festival_code') }}"}
  - {code: festival_spend_share_365d, kind: ratio, label_zh: 近365天大促消费占比, label_en: Share of spend made during festivals in the last 365 days, type: rate, unit: share, goal: 大促依赖识别 / who waits for festivals, sql: 'cast(sum(case when age_days <= 365 and festival_code is not null then gross_amount else 0 end) as double) / nullif(cast(sum(case when age_days <= 365 then gross_amount else 0 end) as double), 0)'}
  - {code: holiday_order_share_365d, kind: ratio, label_zh: 近365天节假日下单占比, label_en: Share of orders on public holidays in the last 365 days, type: rate, unit: share, goal: 节日营销 / holiday campaigns, sql: 'cast(count(case when age_days <= 365 and is_holiday then order_id end) as double) / nullif(count(case when age_days <= 365 then order_id end), 0)'}
  - {code: weekend_order_share_365d, kind: ratio, label_zh: 近365天周末下单占比, label_en: Share of orders at weekends in the last 365 days, type: rate, unit: share, goal: 发送时段 / when to send, sql: 'cast(count(case when age_days <= 365 and weekday_number >= 6 then order_id end) as double) / nullif(count(case when age_days <= 365 then order_id end), 0)'}
  - {code: month_start_order_share_365d, kind: ratio, label_zh: 近365天月初（1至10日）下单占比, label_en: Share of orders from the 1st to the 10th in the last 365 days, type: rate, unit: share, goal: 发薪周期 / pay days, sql: 'cast(count(case when age_days <= 365 and day_of_month <= 10 then order_id end) as double) / nullif(count(case when age_days <= 365 then order_id end), 0)'}
  - {code: average_order_hour_365d, kind: average, label_zh: 近365天平均下单时刻, label_en: Mean hour of day of orders in the last 365 days, type: rate, unit: hour, goal: 发送时段 / when to send, sql: 'avg(case when age_days <= 365 then cast(order_hour as double) end)'}
  - code: preferred_daypart_365d
    kind: preference
    label_zh: 近365天偏好下单时段
    label_en: Part of the day with most orders in the last 365 days
    type: text
    goal: 发送时段 / when to send
    sql: "case when count(case when age_days <= 365 then order_id end) = 0 then null when count(case when age_days <= 365 and daypart = 'evening' then 1 end) >= greatest(count(case when age_days <= 365 and daypart = 'afternoon' then 1 end), count(case when age_days <= 365 and daypart = 'morning' then 1 end), count(case when age_days <= 365 and daypart = 'night' then 1 end)) then 'evening' when count(case when age_days <= 365 and daypart = 'afternoon' then 1 end) >= greatest(count(case when age_days <= 365 and daypart = 'morning' then 1 end), count(case when age_days <= 365 and daypart = 'night' then 1 end)) then 'afternoon' when count(case when age_days <= 365 and daypart = 'morning' then 1 end) >= count(case when age_days <= 365 and daypart = 'night' then 1 end) then 'morning' else 'night' end"
    values:
      - {code: evening, label_zh: 晚间, label_en: 'evening (of equals, the later part of the day)'}
      - {code: afternoon, label_zh: 下午, label_en: afternoon}
      - {code: morning, label_zh: 上午, label_en: morning}
      - {code: night, label_zh: 凌晨, label_en: night}
  - {code: is_night_owl, kind: flag, label_zh: 是否夜猫子买家, label_en: 'Three or more orders at night in 365 days, and a third of all', type: boolean, default: 'false', goal: 发送时段 / when to send, sql: "count(case when age_days <= 365 and daypart = 'night' then order_id end) >= 3 and 3 * count(case when age_days <= 365 and daypart = 'night' then order_id end) >= count(case when age_days <= 365 then order_id end)"}
  - {code: is_festival_only_buyer, kind: flag, label_zh: 是否仅大促购买, label_en: 'Bought in 365 days, and only during festivals', type: boolean, default: 'false', goal: 大促依赖识别 / who waits for festivals, sql: 'count(case when age_days <= 365 then order_id end) > 0 and count(case when age_days <= 365 and festival_code is null then order_id end) = 0'}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
