{# Facts: one row per member and channel of consent that was asked for; what the profile says stands on each of them. #}
{% macro tag_family_base() %}
{% set declarations %}
code: base
label_zh: 基础属性
label_en: Base attributes
subject: member
owner: crm
source: dim_members, dim_consents_history
facts:
  gender: dim_members.gender
  gender_origin: dim_members.gender_origin
  age_band: dim_members.age_band
  age_band_origin: dim_members.age_band_origin
  income_band: dim_members.income_band
  income_band_origin: dim_members.income_band_origin
  marital_status: dim_members.marital_status
  home_ownership: dim_members.home_ownership
  household_size: dim_members.household_size
  household_composition: dim_members.household_composition
  kids_count: dim_members.kids_count
  province_code: dim_members.province_code
  province_name: dim_members.province_name
  country_name: dim_members.country_name
  tier_name: dim_members.tier_name
  registration_channel: dim_members.registration_channel
  store_id: dim_members.store_id
  account_flag: dim_members.account_flag
  account_count: dim_members.account_count
  has_profile: dim_members.has_profile
  first_seen_date: dim_members.first_seen_date
  registered_at: dim_members.registered_at
  consent_channel: dim_consents_history.channel
  is_granted: dim_consents_history.is_granted
dimensions:
  consents:
    - {code: sms, label_zh: 短信, label_en: text messages}
    - {code: wechat, label_zh: 微信, label_en: WeChat}
    - {code: email, label_zh: 邮件, label_en: e-mail}
    - {code: app_push, label_zh: App推送, label_en: app push}
    - {code: phone, label_zh: 电话, label_en: phone calls}
tags:
  - {code: gender, kind: declared, label_zh: 性别, label_en: Gender, type: text, pii_class: quasi, goal: 人群画像 / profiles, sql: max(gender), values: [{code: female, label_zh: 女, label_en: female}, {code: male, label_zh: 男, label_en: male}, {code: unknown, label_zh: 未知, label_en: unknown}]}
  - {code: gender_origin, kind: declared, label_zh: 性别来源, label_en: Where the gender comes from, type: text, goal: 可信度 / how far to trust it, sql: max(gender_origin), values: [{code: declared, label_zh: 本人填写, label_en: declared}, {code: observed, label_zh: 观察所得, label_en: observed}, {code: inferred, label_zh: 推断, label_en: inferred}, {code: external, label_zh: 外部数据, label_en: external}]}
  - {code: age_band, kind: declared, label_zh: 年龄段, label_en: Age band, type: text, pii_class: quasi, goal: 人群画像 / profiles, sql: max(age_band)}
  - {code: age_band_origin, kind: declared, label_zh: 年龄段来源, label_en: Where the age band comes from, type: text, goal: 可信度 / how far to trust it, sql: max(age_band_origin), values: [{code: declared, label_zh: 本人填写, label_en: declared}, {code: observed, label_zh: 观察所得, label_en: observed}, {code: inferred, label_zh: 推断, label_en: inferred}, {code: external, label_zh: 外部数据, label_en: external}]}
  - {code: income_band, kind: declared, label_zh: 收入段, label_en: Income band, type: text, pii_class: quasi, goal: 人群画像 / profiles, sql: max(income_band)}
  - {code: income_band_origin, kind: declared, label_zh: 收入段来源, label_en: Where the income band comes from, type: text, goal: 可信度 / how far to trust it, sql: max(income_band_origin)}
  - {code: marital_status, kind: declared, label_zh: 婚姻状况, label_en: Marital status, type: text, pii_class: quasi, goal: 人群画像 / profiles, sql: max(marital_status)}
  - {code: home_ownership, kind: declared, label_zh: 住房情况, label_en: Home ownership, type: text, pii_class: quasi, goal: 人群画像 / profiles, sql: max(home_ownership)}
  - {code: household_size, kind: declared, label_zh: 家庭人数, label_en: Household size, type: text, pii_class: quasi, goal: 人群画像 / profiles, sql: max(household_size)}
  - {code: household_composition, kind: declared, label_zh: 家庭构成, label_en: Household composition, type: text, pii_class: quasi, goal: 人群画像 / profiles, sql: max(household_composition)}
  - {code: kids_count, kind: declared, label_zh: 子女数, label_en: Children in the household, type: text, pii_class: quasi, goal: 人群画像 / profiles, sql: max(kids_count)}
  - {code: province_code, kind: declared, label_zh: 省级行政区划代码, label_en: Province (GB/T 2260 code), type: text, pii_class: quasi, goal: 区域运营 / regional campaigns, sql: max(province_code)}
  - {code: province_name, kind: declared, label_zh: 省份, label_en: Province, type: text, pii_class: quasi, goal: 区域运营 / regional campaigns, sql: max(province_name)}
  - code: region_group
    kind: tier
    label_zh: 大区
    label_en: Part of the country
    type: text
    pii_class: quasi
    goal: 区域运营 / regional campaigns
    sql: "case substr(max(province_code), 1, 1) when '1' then 'north' when '2' then 'north_east' when '3' then 'east' when '4' then 'south_central' when '5' then 'south_west' when '6' then 'north_west' when '7' then 'overseas' when '8' then 'overseas' end"
    values:
      - {code: north, label_zh: 华北, label_en: North}
      - {code: north_east, label_zh: 东北, label_en: Northeast}
      - {code: east, label_zh: 华东, label_en: East}
      - {code: south_central, label_zh: 中南, label_en: South central}
      - {code: south_west, label_zh: 西南, label_en: Southwest}
      - {code: north_west, label_zh: 西北, label_en: Northwest}
      - {code: overseas, label_zh: 港澳台, label_en: 'Hong Kong, Macao and Taiwan'}
  - {code: is_municipality, kind: flag, label_zh: 是否直辖市会员, label_en: 'Lives in Beijing, Shanghai, Tianjin or Chongqing', type: boolean, default: 'false', pii_class: quasi, goal: 区域运营 / regional campaigns, sql: "coalesce(max(province_code) in ('110000', '120000', '310000', '500000'), false)"}
  - {code: country_name, kind: declared, label_zh: 国家, label_en: Country, type: text, pii_class: quasi, goal: 跨境运营 / cross-border sales, sql: max(country_name)}
  - {code: tier_name, kind: declared, label_zh: 会员等级, label_en: Loyalty tier, type: text, goal: 等级权益 / tier benefits, sql: max(tier_name)}
  - {code: has_tier, kind: flag, label_zh: 是否有会员等级, label_en: Has a loyalty tier, type: boolean, default: 'false', goal: 等级权益 / tier benefits, sql: max(tier_name) is not null}
  - {code: registration_channel, kind: declared, label_zh: 注册渠道, label_en: Registration channel, type: text, goal: 渠道质量 / channel quality, sql: max(registration_channel)}
  - {code: registration_store_id, kind: declared, label_zh: 注册门店, label_en: Store of registration, type: text, goal: 门店运营 / stores, sql: max(store_id)}
  - {code: has_registration_store, kind: flag, label_zh: 是否门店入会, label_en: Joined in a store, type: boolean, default: 'false', goal: 门店运营 / stores, sql: max(store_id) is not null}
  - {code: has_profile, kind: flag, label_zh: 是否有会员档案, label_en: Has a member profile, type: boolean, default: 'false', goal: 资料完善 / completing profiles, sql: max(case when has_profile then 1 else 0 end) = 1}
  - {code: profile_field_count, kind: count, label_zh: 已知资料项数, label_en: Known profile fields (of nine), type: integer, default: 0, unit: fields, goal: 资料完善 / completing profiles, sql: "case when max(gender) in ('female', 'male') then 1 else 0 end + case when max(age_band) is not null then 1 else 0 end + case when max(income_band) is not null then 1 else 0 end + case when max(marital_status) is not null then 1 else 0 end + case when max(household_size) is not null then 1 else 0 end + case when max(kids_count) is not null then 1 else 0 end + case when max(province_code) is not null then 1 else 0 end + case when max(registration_channel) is not null then 1 else 0 end + case when max(tier_name) is not null then 1 else 0 end"}
  - {code: account_count, kind: count, label_zh: 账号数, label_en: Accounts joined in One-ID, type: integer, default: 1, unit: accounts, goal: 全渠道识别 / omnichannel members, sql: max(account_count)}
  - {code: has_several_accounts, kind: flag, label_zh: 是否多账号会员, label_en: More than one account, type: boolean, default: 'false', goal: 全渠道识别 / omnichannel members, sql: max(account_count) > 1}
  - {code: is_staff_or_test, kind: flag, label_zh: 是否内部或测试账号, label_en: Internal or test account, type: boolean, default: 'false', allowed_uses: [analysis, suppression], goal: 排除内部账号 / leaving staff out, sql: "coalesce(max(case when account_flag in ('test', 'internal') then 1 else 0 end), 0) = 1"}
  - {code: first_seen_date, kind: first_last, label_zh: 首次出现日期, label_en: First seen, type: date, goal: 新客识别 / new members, sql: max(first_seen_date)}
  - {code: days_since_first_seen, kind: recency, label_zh: 首次出现至今天数, label_en: Days since first seen, type: integer, unit: days, goal: 会龄 / tenure, since: first_seen_date}
  - {code: registered_date, kind: first_last, label_zh: 注册日期, label_en: Registered on, type: date, goal: 新客识别 / new members, sql: "max({{ business_date('registered_at') | trim }})"}
  - {code: days_since_registration, kind: recency, label_zh: 注册至今天数, label_en: Days since registration, type: integer, unit: days, goal: 会龄 / tenure, since: registered_date}
  - {code: 'has_consent_{item}', kind: flag, each: consents, label_zh: '是否同意{item_zh}营销', label_en: 'Agrees to marketing by {item_en}', type: boolean, default: 'false', needs: [consents], allowed_uses: [analysis, targeting, suppression], goal: 合规触达 / lawful contact, sql: "coalesce(max(case when consent_channel = '{item}' then is_granted end), 0) = 1"}
  - {code: 'has_refused_{item}', kind: flag, each: consents, label_zh: '是否拒绝{item_zh}营销', label_en: 'Has refused marketing by {item_en}', type: boolean, default: 'false', needs: [consents], allowed_uses: [analysis, suppression], goal: 合规触达 / lawful contact, sql: "coalesce(min(case when consent_channel = '{item}' then is_granted end), 1) = 0"}
  - {code: consent_channel_count, kind: count, label_zh: 同意营销的渠道数, label_en: Number of channels with consent to marketing, type: integer, default: 0, unit: channels, needs: [consents], goal: 合规触达 / lawful contact, sql: 'coalesce(sum(is_granted), 0)'}
  - {code: consent_channels, kind: list, label_zh: 同意营销的渠道, label_en: Channels with consent to marketing, type: list, needs: [consents], goal: 合规触达 / lawful contact, sql: "{{ text_list('case when is_granted = 1 then consent_channel end') }}"}
  - {code: is_reachable, kind: flag, label_zh: 是否可触达, label_en: Agrees to marketing by some channel, type: boolean, default: 'false', needs: [consents], goal: 合规触达 / lawful contact, sql: 'coalesce(max(is_granted), 0) = 1'}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}
