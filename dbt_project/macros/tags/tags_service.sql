{# Facts, one row each: a service ticket or a refund, told apart by fact_kind. #}
{% macro tag_family_service() %}
{% set declarations %}
code: service
label_zh: 服务与售后
label_en: Service and after-sales
subject: member
owner: service
source: fct_service_tickets, fct_refunds
facts:
  fact_kind: 'fct_service_tickets.ticket_id, fct_refunds.refund_id'
  fact_id: 'fct_service_tickets.ticket_id, fct_refunds.refund_id'
  channel: fct_service_tickets.channel
  topic: fct_service_tickets.topic
  priority: fct_service_tickets.priority
  satisfaction_score: fct_service_tickets.satisfaction_score
  first_response_seconds: fct_service_tickets.first_response_seconds
  is_open: fct_service_tickets.closed_at
  refund_kind: fct_refunds.refund_kind
  business_date: 'fct_service_tickets.business_date, fct_refunds.business_date'
  age_days: 'fct_service_tickets.business_date, fct_refunds.business_date'
tags:
  - {code: 'ticket_count_{window}d', kind: count, needs: [service_tickets], label_zh: '近{window}天工单数', label_en: 'Service tickets in the last {window} days', type: integer, default: 0, windows: [7, 30, 90, 365], unit: tickets, goal: 服务关怀 / care, sql: "count(case when fact_kind = 'ticket' and {recent} then fact_id end)"}
  - {code: 'urgent_ticket_count_{window}d', kind: count, needs: [service_tickets], label_zh: '近{window}天高优先级工单数', label_en: 'Service tickets of high priority in the last {window} days', type: integer, default: 0, windows: [30, 90, 365], unit: tickets, allowed_uses: [analysis, service, suppression], goal: 服务关怀 / care, sql: "count(case when fact_kind = 'ticket' and priority in ('high', 'urgent') and {recent} then fact_id end)"}
  - {code: has_open_ticket, kind: flag, needs: [service_tickets], label_zh: 是否有未结工单, label_en: Has an open service ticket, type: boolean, default: 'false', allowed_uses: [analysis, service, suppression], goal: 暂缓营销 / no marketing while a complaint is open, sql: "count(case when fact_kind = 'ticket' and is_open and age_days <= 90 then fact_id end) > 0"}
  - {code: average_satisfaction_365d, kind: average, needs: [service_tickets], label_zh: 近365天服务满意度, label_en: Mean satisfaction with service in the last 365 days, type: rate, unit: score, goal: 服务关怀 / care, sql: 'avg(case when age_days <= 365 then cast(satisfaction_score as double) end)'}
  - {code: lowest_satisfaction_90d, kind: extreme, needs: [service_tickets], label_zh: 近90天最低满意度, label_en: Lowest satisfaction with service in the last 90 days, type: integer, unit: score, allowed_uses: [analysis, service, suppression], goal: 服务关怀 / care, sql: min(case when age_days <= 90 then satisfaction_score end)}
  - {code: average_first_response_minutes_365d, kind: average, needs: [service_tickets], label_zh: 近365天平均首响时长（分钟）, label_en: Mean minutes to the first answer in the last 365 days, type: rate, unit: minutes, goal: 服务关怀 / care, sql: 'avg(case when age_days <= 365 then cast(first_response_seconds as double) end) / 60'}
  - {code: last_ticket_date, kind: first_last, needs: [service_tickets], label_zh: 最近工单日期, label_en: Last service ticket, type: date, goal: 服务关怀 / care, sql: "max(case when fact_kind = 'ticket' then business_date end)"}
  - {code: days_since_ticket, kind: recency, needs: [service_tickets], label_zh: 距最近工单天数, label_en: Days since the last service ticket, type: integer, unit: days, goal: 服务关怀 / care, since: last_ticket_date}
  - {code: ticket_topics_365d, kind: list, needs: [service_tickets], label_zh: 近365天工单主题, label_en: Topics of service tickets in the last 365 days, type: list, goal: 服务关怀 / care, sql: "{{ text_list('case when age_days <= 365 then topic end') }}"}
  - {code: ticket_channels_365d, kind: list, needs: [service_tickets], label_zh: 近365天咨询渠道, label_en: Channels of service tickets in the last 365 days, type: list, goal: 服务关怀 / care, sql: "{{ text_list('case when age_days <= 365 then channel end') }}"}
  - {code: 'return_count_{window}d', kind: count, needs: [refunds], label_zh: '近{window}天退货退款次数', label_en: 'Returns in the last {window} days', type: integer, default: 0, windows: [30, 90, 365], unit: returns, goal: 售后风险 / after-sales risk, sql: "count(distinct case when refund_kind = 'return_and_refund' and {recent} then fact_id end)"}
  - {code: exchange_count_365d, kind: count, needs: [refunds], label_zh: 近365天换货次数, label_en: Exchanges in the last 365 days, type: integer, default: 0, unit: exchanges, goal: 售后风险 / after-sales risk, sql: "count(distinct case when refund_kind = 'exchange' and age_days <= 365 then fact_id end)"}
  - {code: is_frequent_returner, kind: flag, needs: [refunds], label_zh: 是否高频退货（近180天3次及以上）, label_en: Three or more returns in the last 180 days, type: boolean, default: 'false', allowed_uses: [analysis, service, suppression], goal: 售后风险 / after-sales risk, sql: "count(distinct case when refund_kind = 'return_and_refund' and age_days <= 180 then fact_id end) >= 3"}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
