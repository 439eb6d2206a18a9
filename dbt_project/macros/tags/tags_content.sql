{# Facts: days with content or live broadcasts summed by window, as in tags_behaviour. #}
{% macro tag_family_content() %}
{% set declarations %}
code: content
label_zh: 内容
label_en: Content
subject: member
owner: content
source: agg_member_days
needs: [events]
facts:
  age_days: agg_member_days.business_date
  content_day_count: 'agg_member_days.business_date, agg_member_days.content_view_count'
  content_view_count: agg_member_days.content_view_count
  content_like_count: agg_member_days.content_like_count
  live_count: agg_member_days.live_count
  live_seconds: agg_member_days.live_seconds
  page_view_count: agg_member_days.page_view_count
  last_content_date: 'agg_member_days.business_date, agg_member_days.content_view_count'
  last_live_date: 'agg_member_days.business_date, agg_member_days.live_count'
tags:
  - {code: 'content_view_count_{window}d', kind: count, label_zh: '近{window}天内容阅读次数', label_en: 'Articles, notes and videos opened in the last {window} days', type: integer, default: 0, windows: [7, 30, 90, 365], unit: times, goal: 内容运营 / content, sql: 'sum(case when {recent} then content_view_count else 0 end)'}
  - {code: 'content_like_count_{window}d', kind: count, label_zh: '近{window}天内容点赞次数', label_en: 'Likes of content in the last {window} days', type: integer, default: 0, windows: [30, 90, 365], unit: times, goal: 内容运营 / content, sql: 'sum(case when {recent} then content_like_count else 0 end)'}
  - {code: 'live_count_{window}d', kind: count, label_zh: '近{window}天进入直播次数', label_en: 'Live broadcasts entered in the last {window} days', type: integer, default: 0, windows: [7, 30, 90, 365], unit: times, goal: 直播运营 / live broadcasts, sql: 'sum(case when {recent} then live_count else 0 end)'}
  - {code: 'live_minutes_{window}d', kind: sum, label_zh: '近{window}天观看直播时长（分钟）', label_en: 'Minutes in live broadcasts in the last {window} days', type: rate, default: 0, windows: [30, 90, 365], unit: minutes, goal: 直播运营 / live broadcasts, sql: 'cast(sum(case when {recent} then live_seconds else 0 end) as double) / 60'}
  - {code: 'content_day_count_{window}d', kind: count, label_zh: '近{window}天看内容天数', label_en: 'Days with content in the last {window}', type: integer, default: 0, windows: [30, 90, 365], unit: days, goal: 内容运营 / content, sql: 'sum(case when {recent} then content_day_count else 0 end)'}
  - {code: content_like_rate_365d, kind: ratio, label_zh: 近365天内容点赞率, label_en: Likes per content opened in the last 365 days, type: rate, unit: share, goal: 内容偏好 / taste in content, sql: 'cast(sum(case when age_days <= 365 then content_like_count end) as double) / nullif(sum(case when age_days <= 365 then content_view_count end), 0)'}
  - {code: minutes_per_live_365d, kind: ratio, label_zh: 近365天单场直播停留（分钟）, label_en: Minutes per live broadcast in the last 365 days, type: rate, unit: minutes, goal: 直播运营 / live broadcasts, sql: 'cast(sum(case when age_days <= 365 then live_seconds end) as double) / 60 / nullif(sum(case when age_days <= 365 then live_count end), 0)'}
  - {code: last_content_date, kind: first_last, label_zh: 最近看内容日期, label_en: Last content opened, type: date, goal: 内容运营 / content, sql: max(last_content_date)}
  - {code: days_since_content, kind: recency, label_zh: 距最近看内容天数, label_en: Days since content was opened, type: integer, unit: days, goal: 内容运营 / content, since: last_content_date}
  - {code: last_live_date, kind: first_last, label_zh: 最近看直播日期, label_en: Last live broadcast entered, type: date, goal: 直播运营 / live broadcasts, sql: max(last_live_date)}
  - {code: days_since_live, kind: recency, label_zh: 距最近看直播天数, label_en: Days since a live broadcast was entered, type: integer, unit: days, goal: 直播运营 / live broadcasts, since: last_live_date}
  - code: reader_level_90d
    kind: tier
    label_zh: 近90天内容用户等级
    label_en: Reader of content in the last 90 days
    type: text
    default: "'none'"
    goal: 内容人群 / audiences of content
    sql: "case when sum(case when age_days <= 90 then content_view_count else 0 end) >= 15 then 'heavy' when sum(case when age_days <= 90 then content_view_count else 0 end) >= 5 then 'regular' when sum(case when age_days <= 90 then content_view_count else 0 end) >= 1 then 'light' else 'none' end"
    values:
      - {code: heavy, label_zh: 重度（15次及以上）, label_en: 'heavy: fifteen or more'}
      - {code: regular, label_zh: 常看（5至14次）, label_en: 'regular: five to fourteen'}
      - {code: light, label_zh: 偶看（1至4次）, label_en: 'light: one to four'}
      - {code: none, label_zh: 不看, label_en: none}
  - code: viewer_level_90d
    kind: tier
    label_zh: 近90天直播观众等级
    label_en: Viewer of live broadcasts in the last 90 days
    type: text
    default: "'none'"
    goal: 直播人群 / audiences of live broadcasts
    sql: "case when sum(case when age_days <= 90 then live_count else 0 end) >= 4 then 'heavy' when sum(case when age_days <= 90 then live_count else 0 end) >= 2 then 'regular' when sum(case when age_days <= 90 then live_count else 0 end) >= 1 then 'light' else 'none' end"
    values:
      - {code: heavy, label_zh: 铁粉（4场及以上）, label_en: 'heavy: four or more'}
      - {code: regular, label_zh: 常看（2至3场）, label_en: 'regular: two or three'}
      - {code: light, label_zh: 偶看（1场）, label_en: 'light: one'}
      - {code: none, label_zh: 不看, label_en: none}
  - code: content_preference_90d
    kind: preference
    label_zh: 近90天内容形式偏好
    label_en: Form of content seen most in the last 90 days
    type: text
    default: "'none'"
    goal: 内容形式 / which form to offer
    sql: "case when sum(case when age_days <= 90 then content_view_count + live_count else 0 end) = 0 then 'none' when 3 * sum(case when age_days <= 90 then live_count else 0 end) > sum(case when age_days <= 90 then content_view_count else 0 end) then 'live' else 'reading' end"
    values:
      - {code: live, label_zh: 直播（多于图文短视频的三分之一）, label_en: 'live: more than one broadcast per three articles or videos'}
      - {code: reading, label_zh: 图文短视频, label_en: articles and videos}
      - {code: none, label_zh: 无, label_en: none}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
