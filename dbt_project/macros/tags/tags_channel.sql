{#
    Facts, one row per member, channel and window (age_days = its upper edge): orders of a sales channel, messages of a contact channel
    or sessions of a client, told apart by fact_kind. open_rate is everybody's for the contact channel in 365 days.
#}
{% macro tag_family_channel() %}
{% set bought_through = text_list("case when fact_kind = 'order' and age_days <= 365 then channel end") %}
{% set visited_by = text_list("case when fact_kind = 'session' and age_days <= 90 then channel end") %}
{% set declarations %}
code: channel
label_zh: 渠道偏好
label_en: Channel preference
subject: member
owner: growth
source: fct_orders, fct_touches, agg_member_days
facts:
  fact_kind: 'fct_orders.channel, fct_touches.channel, agg_member_days.session_count'
  channel: 'fct_orders.channel, fct_touches.channel'
  channel_rank: 'fct_orders.channel, agg_member_days.session_count'
  fact_count: 'fct_orders.order_id, agg_member_days.session_count'
  gross_amount: fct_orders.gross_amount
  sent_count: fct_touches.touch_type
  opened_count: fct_touches.touch_type
  clicked_count: fct_touches.touch_type
  failed_count: fct_touches.touch_type
  unsubscribed_count: fct_touches.touch_type
  open_rate: fct_touches.touch_type
  last_date: 'fct_orders.business_date, agg_member_days.business_date'
  last_sent_date: fct_touches.business_date
  age_days: 'fct_orders.business_date, fct_touches.business_date, agg_member_days.business_date'
dimensions:
  sales_channels:
    - {code: tmall, label_zh: 天猫, label_en: Tmall}
    - {code: jd, label_zh: 京东, label_en: JD}
    - {code: mini_program, label_zh: 小程序, label_en: the mini-program}
    - {code: app, label_zh: App, label_en: the app}
    - {code: pos, label_zh: 门店, label_en: stores}
  clients:
    - {code: mini_program, label_zh: 小程序, label_en: the mini-program}
    - {code: app, label_zh: App, label_en: the app}
    - {code: web, label_zh: 网页, label_en: the web}
  contacts:
    - {code: sms, label_zh: 短信, label_en: text message}
    - {code: wechat, label_zh: 微信, label_en: WeChat}
    - {code: email, label_zh: 邮件, label_en: e-mail}
    - {code: app_push, label_zh: App推送, label_en: app push}
tags:
  - {code: '{item}_order_count_365d', kind: count, each: sales_channels, needs: [order_lines], label_zh: '近365天{item_zh}订单数', label_en: 'Orders through {item_en} in the last 365 days', type: integer, default: 0, unit: orders, goal: 渠道运营 / sales channels, sql: "sum(case when fact_kind = 'order' and channel = '{item}' and age_days <= 365 then fact_count else 0 end)"}
  - {code: '{item}_spend_share_365d', kind: ratio, each: sales_channels, needs: [order_lines], label_zh: '近365天{item_zh}消费占比', label_en: 'Share of spend through {item_en} in the last 365 days', type: rate, unit: share, goal: 渠道运营 / sales channels, sql: "cast(sum(case when fact_kind = 'order' and channel = '{item}' and age_days <= 365 then gross_amount else 0 end) as double) / nullif(cast(sum(case when fact_kind = 'order' and age_days <= 365 then gross_amount else 0 end) as double), 0)"}
  - {code: '{item}_last_order_date', kind: first_last, each: sales_channels, needs: [order_lines], label_zh: '{item_zh}最近下单日期', label_en: 'Last order through {item_en}', type: date, goal: 渠道运营 / sales channels, sql: "max(case when fact_kind = 'order' and channel = '{item}' then last_date end)"}
  - {code: preferred_sales_channel_365d, kind: preference, needs: [order_lines], label_zh: 近365天首选购买渠道, label_en: Sales channel with most orders in the last 365 days, type: text, goal: 渠道运营 / sales channels, sql: "max(case when fact_kind = 'order' and channel_rank = 1 then channel end)"}
  - {code: sales_channel_count_365d, kind: count, needs: [order_lines], label_zh: 近365天购买渠道数, label_en: Number of sales channels bought through in the last 365 days, type: integer, default: 0, unit: channels, goal: 全渠道会员 / omnichannel members, sql: "count(distinct case when fact_kind = 'order' and age_days <= 365 then channel end)"}
  - {code: sales_channels_365d, kind: list, needs: [order_lines], label_zh: 近365天购买渠道, label_en: Sales channels bought through in the last 365 days, type: list, goal: 全渠道会员 / omnichannel members, sql: "{{ bought_through }}"}
  - {code: private_domain_spend_share_365d, kind: ratio, needs: [order_lines], label_zh: 近365天私域消费占比, label_en: 'Share of spend in the brand’s own channels (mini-program, app, stores) in the last 365 days', type: rate, unit: share, goal: 私域运营 / own channels, sql: "cast(sum(case when fact_kind = 'order' and channel in ('mini_program', 'app', 'pos') and age_days <= 365 then gross_amount else 0 end) as double) / nullif(cast(sum(case when fact_kind = 'order' and age_days <= 365 then gross_amount else 0 end) as double), 0)"}
  - {code: is_omnichannel, kind: flag, needs: [order_lines], label_zh: 是否线上线下全渠道, label_en: Bought both in stores and online in the last 365 days, type: boolean, default: 'false', goal: 全渠道会员 / omnichannel members, sql: "count(case when fact_kind = 'order' and channel = 'pos' and age_days <= 365 then 1 end) > 0 and count(case when fact_kind = 'order' and channel <> 'pos' and age_days <= 365 then 1 end) > 0"}
  - {code: '{item}_session_count_{window}d', kind: count, each: clients, needs: [events], windows: [30, 90], label_zh: '近{window}天{item_zh}访问次数', label_en: 'Sessions in {item_en} in the last {window} days', type: integer, default: 0, unit: sessions, goal: 触点偏好 / where members are, sql: "sum(case when fact_kind = 'session' and channel = '{item}' and {recent} then fact_count else 0 end)"}
  - {code: '{item}_session_share_90d', kind: ratio, each: clients, needs: [events], label_zh: '近90天{item_zh}访问占比', label_en: 'Share of sessions in {item_en} in the last 90 days', type: rate, unit: share, goal: 触点偏好 / where members are, sql: "cast(sum(case when fact_kind = 'session' and channel = '{item}' and age_days <= 90 then fact_count else 0 end) as double) / nullif(sum(case when fact_kind = 'session' and age_days <= 90 then fact_count else 0 end), 0)"}
  - {code: preferred_client_365d, kind: preference, needs: [events], label_zh: 近365天首选访问端, label_en: Client with most sessions in the last 365 days, type: text, goal: 触点偏好 / where members are, sql: "max(case when fact_kind = 'session' and channel_rank = 1 then channel end)"}
  - {code: clients_90d, kind: list, needs: [events], label_zh: 近90天访问端, label_en: Clients visited in the last 90 days, type: list, goal: 触点偏好 / where members are, sql: "{{ visited_by }}"}
  - {code: is_wechat_active, kind: flag, needs: [events], label_zh: 是否微信生态活跃（近30天访问小程序或打开微信消息）, label_en: Visited the mini-program or opened a WeChat message in the last 30 days, type: boolean, default: 'false', goal: 私域运营 / own channels, sql: "sum(case when age_days <= 30 and fact_kind = 'session' and channel = 'mini_program' then fact_count when age_days <= 30 and fact_kind = 'touch' and channel = 'wechat' then opened_count else 0 end) > 0"}
  - {code: '{item}_sent_count_{window}d', kind: count, each: contacts, needs: [touches], windows: [7, 30, 90], label_zh: '近{window}天{item_zh}触达次数', label_en: 'Messages sent by {item_en} in the last {window} days', type: integer, default: 0, unit: messages, goal: 控制打扰频次 / limit contact frequency, sql: "sum(case when fact_kind = 'touch' and channel = '{item}' and {recent} then sent_count else 0 end)"}
  - {code: '{item}_opened_count_90d', kind: count, each: contacts, needs: [touches], label_zh: '近90天{item_zh}打开次数', label_en: 'Messages by {item_en} opened in the last 90 days', type: integer, default: 0, unit: messages, goal: 渠道响应 / which channel is answered, sql: "sum(case when fact_kind = 'touch' and channel = '{item}' and age_days <= 90 then opened_count else 0 end)"}
  - {code: '{item}_clicked_count_90d', kind: count, each: contacts, needs: [touches], label_zh: '近90天{item_zh}点击次数', label_en: 'Messages by {item_en} clicked in the last 90 days', type: integer, default: 0, unit: messages, goal: 渠道响应 / which channel is answered, sql: "sum(case when fact_kind = 'touch' and channel = '{item}' and age_days <= 90 then clicked_count else 0 end)"}
  - {code: '{item}_open_rate_365d', kind: ratio, each: contacts, needs: [touches], label_zh: '近365天{item_zh}打开率（收缩估计）', label_en: 'Share of messages by {item_en} opened in the last 365 days, drawn towards everybody’s by ten messages', type: rate, unit: share, goal: 渠道响应 / which channel is answered, sql: "(sum(case when fact_kind = 'touch' and channel = '{item}' and age_days <= 365 then opened_count end) + 10 * max(case when fact_kind = 'touch' and channel = '{item}' and age_days <= 365 then open_rate end)) / (sum(case when fact_kind = 'touch' and channel = '{item}' and age_days <= 365 then sent_count end) + cast(10 as double))"}
  - {code: 'has_unsubscribed_{item}', kind: flag, each: contacts, needs: [touches], label_zh: '是否退订{item_zh}', label_en: 'Has unsubscribed from {item_en}', type: boolean, default: 'false', allowed_uses: [analysis, suppression], goal: 合规触达 / lawful contact, sql: "sum(case when fact_kind = 'touch' and channel = '{item}' then unsubscribed_count else 0 end) > 0"}
  - {code: 'last_{item}_sent_date', kind: first_last, each: contacts, needs: [touches], label_zh: '最近{item_zh}触达日期', label_en: 'Last message by {item_en}', type: date, goal: 控制打扰频次 / limit contact frequency, sql: "max(case when fact_kind = 'touch' and channel = '{item}' then last_sent_date end)"}
  - {code: failed_message_count_90d, kind: count, needs: [touches], label_zh: 近90天触达失败次数, label_en: Messages that failed in the last 90 days, type: integer, default: 0, unit: messages, allowed_uses: [analysis, suppression], goal: 触达质量 / contact quality, sql: "sum(case when fact_kind = 'touch' and age_days <= 90 then failed_count else 0 end)"}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
