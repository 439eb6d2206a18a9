{#
    Gender, birthday, kind of account and robots in one coding, step by step as with contacts: <field>_text, standard_<field>,
    <field>_rule.
#}

{# A word for looking up: half-width, trimmed, in lower case. #}
{% macro word_text(text) -%}
    lower(trim({{ half_width(text) }}))
{%- endmacro %}

{#
    Whether a text is one of the words, which `|` keeps apart. Not `in (…)`: DuckDB makes a join of a longer list, and a join
    is computed even where nobody asks for the column.
#}
{% macro _is_one_of(text, words) -%}
    {{ text_matches(text, '^(?:' ~ words ~ ')$') }}
{%- endmacro %}

{#
    female, male or unknown (the source says that it does not know, or must not tell); NULL where it says nothing readable.
    1 and 2 as GB/T 2261.1 and WeChat have them: a source with another coding maps it in its YAML.
#}
{% macro standard_gender(gender_text) -%}
    case
        when {{ _is_one_of(gender_text, 'female|f|w|woman|women|girl|女|女性|女士|女生|小姐|2') }} then 'female'
        when {{ _is_one_of(gender_text, 'male|m|man|men|boy|男|男性|男士|男生|先生|1') }} then 'male'
        when {{ _is_one_of(gender_text, 'unknown|u|other|secret|none|n/a|-|0|9|-1|未知|保密|其他|不详|未填写|未设置|未说明|未说明的性别') }} then 'unknown'
    end
{%- endmacro %}

{% macro gender_rule(gender, gender_text, standard_gender) -%}
    case
        when coalesce({{ gender_text }}, '') = '' then 'missing'
        when {{ gender }} = {{ standard_gender }} then 'unchanged'
        when {{ standard_gender }} = 'unknown' then 'gender_not_told'
        when {{ standard_gender }} is not null then 'gender_coded'
        else 'gender_unreadable'
    end
{%- endmacro %}

{# Without white space, and without a time of day behind the date. #}
{% macro birthday_text(birthday) -%}
    {{ text_remove('trim(' ~ half_width(birthday) ~ ')', '[ T]+[0-9]{1,2}:[0-9]{2}.*$|\\s') }}
{%- endmacro %}

{% macro _birthday_part(birthday_text, number) -%}
    coalesce(
        {{ text_extract(birthday_text, '^([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?$', number) }},
        {{ text_extract(birthday_text, '^([0-9]{4})([0-9]{2})([0-9]{2})$', number) }}
    )
{%- endmacro %}

{# Year, month, day as ISO text, whether there is such a day or not: this order alone needs no guessing. #}
{% macro birthday_iso(birthday_text) -%}
    {{ _birthday_part(birthday_text, 1) }} || '-' || lpad({{ _birthday_part(birthday_text, 2) }}, 2, '0')
    || '-' || lpad({{ _birthday_part(birthday_text, 3) }}, 2, '0')
{%- endmacro %}

{# What systems write for "not given". #}
{% macro _birthday_is_placeholder(birthday_text, birthday_iso) -%}
    coalesce({{ _is_one_of(birthday_iso, '1900-01-01|1970-01-01|0001-01-01|0000-00-00|9999-12-31') }}, {{ text_matches(birthday_text, '^0+$') }})
{%- endmacro %}

{# Nobody alive is older than 120 years (43 830 days). #}
{% macro _oldest_birthday(known_date) -%}
    {{ add_days(known_date, -43830) }}
{%- endmacro %}

{# A date; NULL for what is none, is a placeholder, or lies behind `known_date`, the business date on which it was landed. #}
{% macro standard_birthday(birthday_text, birthday_iso, known_date) -%}
    case
        when {{ _birthday_is_placeholder(birthday_text, birthday_iso) }} then null
        when
            try_cast({{ birthday_iso }} as date) between {{ _oldest_birthday(known_date) }} and {{ known_date }}
            then try_cast({{ birthday_iso }} as date)
    end
{%- endmacro %}

{% macro birthday_rule(birthday, birthday_text, birthday_iso, known_date) -%}
    case
        when coalesce({{ birthday_text }}, '') = '' then 'missing'
        when {{ _birthday_is_placeholder(birthday_text, birthday_iso) }} then 'birthday_placeholder'
        when try_cast({{ birthday_iso }} as date) > {{ known_date }} then 'birthday_in_the_future'
        when try_cast({{ birthday_iso }} as date) < {{ _oldest_birthday(known_date) }} then 'birthday_too_old'
        when try_cast({{ birthday_iso }} as date) is not null and {{ birthday }} = {{ birthday_iso }} then 'unchanged'
        when try_cast({{ birthday_iso }} as date) is not null then 'birthday_dated'
        when {{ text_matches(birthday_text, '^[0-9]{2,4}(年|年代|后|s)?$|^[0-9]{4}[-/.年][0-9]{1,2}月?$|^[0-9]{1,2}[-/.月][0-9]{1,2}日?$') }} then 'birthday_partial'
        else 'birthday_unreadable'
    end
{%- endmacro %}

{#
    normal, test, internal or robot: by what the source says of the account, then by the name and the address that testers
    give themselves. Never NULL.
#}
{% macro account_flag(account_text, name_text, email_text) -%}
    case
        when {{ _is_one_of(account_text, 'test|tester|qa|demo|测试|测试账号|测试帐号|测试账户|测试用户') }} then 'test'
        when {{ _is_one_of(account_text, 'internal|employee|staff|内部|内部账号|内部员工|内部账户|员工|内购') }} then 'internal'
        when {{ _is_one_of(account_text, 'robot|bot|crawler|spider|fake|机器人|机器人账号|爬虫|水军|刷单|虚拟账号') }} then 'robot'
        when {{ text_matches(name_text, '^(测试|test|demo|qa)([ _-]?[0-9]{0,4})$|^(test|demo|qa)[ _-]|测试(账号|帐号|账户|用户|数据|会员)') }} then 'test'
        when {{ text_matches(email_text, '^(test|qa|demo)[0-9_.+-]*@|@(.+[.])?(example[.][a-z]+|test)$') }} then 'test'
        else 'normal'
    end
{%- endmacro %}

{# The flag is named once: an engine may compute it anew for every branch that names it. #}
{% macro account_rule(account_flag, account_text) -%}
    coalesce(
        'account_' || nullif({{ account_flag }}, 'normal'),
        case when coalesce({{ account_text }}, '') = '' then 'missing' else 'unchanged' end
    )
{%- endmacro %}

{#
    Clients that call themselves a program: crawlers, monitors, scripts. CUBOT is a telephone, hence no `u` before "bot".
    Who behaves like a program without saying so is found by its rate, behind staging.
#}
{% macro is_bot(user_agent) -%}
    coalesce({{ text_matches(
        'lower(' ~ user_agent ~ ')',
        '(^|[^u])bot(s|$|[^a-z])|spider|crawl|slurp|headless|phantomjs|selenium|puppeteer|playwright|scrapy|python-requests|python-urllib|aiohttp|^curl|^wget|go-http-client|libwww|apache-httpclient|monitor'
    ) }}, false)
{%- endmacro %}
