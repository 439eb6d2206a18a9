{#
    Every rule of standardising: what it does to a value and how it is called. `missing` and `unchanged` are rules too, so
    that the rows before and after add up.

    outcome  missing       the source gives nothing
             unchanged     it is in the standard form already
             standardised  it was brought there
             rejected      it cannot be, or must not count: the value is NULL, or the row is flagged
#}
{% macro standardising_rules() %}
{% set declarations %}
- {code: missing, outcome: missing, label_zh: 未提供, label_en: Not given}
- {code: unchanged, outcome: unchanged, label_zh: 已是标准格式, label_en: In standard form already}
- {code: phone_e164, outcome: standardised, label_zh: 手机号统一为 E.164, label_en: 'Phone brought to E.164: full-width digits, separators, country code'}
- {code: phone_masked, outcome: rejected, label_zh: 手机号已脱敏, label_en: Phone is masked}
- {code: phone_placeholder, outcome: rejected, label_zh: 手机号为占位号码, label_en: Phone is a placeholder}
- {code: phone_landline, outcome: rejected, label_zh: 固定电话，不作为个人标识, label_en: Landline; it belongs to a household or an office and gets no message}
- {code: phone_unreadable, outcome: rejected, label_zh: 手机号无法识别, label_en: Phone cannot be read}
- {code: email_normalised, outcome: standardised, label_zh: 邮箱统一为小写半角, label_en: E-mail brought to lower case and half width}
- {code: email_masked, outcome: rejected, label_zh: 邮箱已脱敏, label_en: E-mail is masked}
- {code: email_placeholder, outcome: rejected, label_zh: 邮箱为占位地址, label_en: E-mail is a placeholder}
- {code: email_unreadable, outcome: rejected, label_zh: 邮箱格式错误, label_en: E-mail is no address}
- {code: gender_coded, outcome: standardised, label_zh: 性别统一编码, label_en: Gender brought to one coding}
- {code: gender_not_told, outcome: standardised, label_zh: 性别未知或保密, label_en: Gender that the source does not know or tell}
- {code: gender_unreadable, outcome: rejected, label_zh: 性别无法识别, label_en: Gender cannot be read}
- {code: birthday_dated, outcome: standardised, label_zh: 生日统一为日期, label_en: Birthday brought to a date}
- {code: birthday_partial, outcome: rejected, label_zh: 生日不完整（如 90后）, label_en: 'Birthday is not a whole date, such as a decade'}
- {code: birthday_placeholder, outcome: rejected, label_zh: 生日为占位日期, label_en: 'Birthday is a placeholder, such as 1970-01-01'}
- {code: birthday_in_the_future, outcome: rejected, label_zh: 生日在未来, label_en: Birthday lies in the future}
- {code: birthday_too_old, outcome: rejected, label_zh: 年龄超过120岁, label_en: Older than 120 years}
- {code: birthday_unreadable, outcome: rejected, label_zh: 生日无法识别, label_en: Birthday cannot be read}
- {code: region_coded, outcome: standardised, label_zh: 地区统一到省级行政区划代码, label_en: Region brought to its province's code}
- {code: region_unreadable, outcome: rejected, label_zh: 地区无法识别省份, label_en: Region that names no province}
- {code: account_test, outcome: rejected, label_zh: 测试账号, label_en: Test account}
- {code: account_internal, outcome: rejected, label_zh: 内部账号, label_en: Internal account}
- {code: account_robot, outcome: rejected, label_zh: 机器人账号, label_en: Robot account}
- {code: identifier_normalised, outcome: standardised, label_zh: 标识统一为半角、去空格, label_en: Identifier brought to half width without spaces}
- {code: identifier_placeholder, outcome: rejected, label_zh: 标识为占位值, label_en: Identifier is a placeholder}
- {code: bot_user_agent, outcome: rejected, label_zh: 爬虫或脚本访问, label_en: Client calls itself a program}
{% endset %}
{{ return(fromyaml(declarations)) }}
{% endmacro %}

{# The rules as rows: rule_code, outcome, label_zh, label_en. #}
{% macro standardising_rules_relation() -%}
    (
        {%- for rule in standardising_rules() %}
        select {{ sql_text(rule.code) }} as rule_code, {{ sql_text(rule.outcome) }} as outcome, {{ sql_text(rule.label_zh) }} as label_zh, {{ sql_text(rule.label_en) }} as label_en
        {%- if not loop.last %} union all {% endif %}
        {%- endfor %}
    )
{%- endmacro %}
