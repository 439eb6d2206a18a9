{#
    Phones, e-mails and other identifiers in one form. Each field is brought there in three steps, each a column of its own,
    so that none is spelled out twice: <field>_text takes away what is not meant, standard_<field> gives the value or NULL,
    <field>_rule names the one rule that decided (standardising_rules).
#}

{# Half-width, without separators; `.0` at the end is what a spreadsheet makes of a number. #}
{% macro phone_text(phone) -%}
    {{ text_remove(half_width(phone), '[.]0$|[\\s\u00a0\u200b\u202c\u202d().·_–—-]') }}
{%- endmacro %}

{# A mainland country code or the trunk 0, as people write them before a number. #}
{% macro _mainland_prefix() %}{{ return('^(?:[+]?86|0086)?0?') }}{% endmacro %}

{# Given by people and tills that have to enter something; 13800138000 is an operator's service number. #}
{% macro _phone_placeholder() %}{{ return(_mainland_prefix() ~ '(?:1[3-9][0-9]0{8}|13800138000|13[89]12345678)$') }}{% endmacro %}

{#
    E.164, such as +8613912340000; NULL for what cannot be called. Mainland mobiles are 1, then 3 to 9, then nine digits: which
    third digits are in use is not asked, because operators get new ones every year and a list would turn away tomorrow's
    members. A number of another country is known by its + or 00, and has 7 to 15 digits.
#}
{% macro standard_phone(phone_text) -%}
    case
        when {{ text_matches(phone_text, _phone_placeholder()) }} then null
        else coalesce(
            '+86' || {{ text_extract(phone_text, _mainland_prefix() ~ '(1[3-9][0-9]{9})$') }},
            '+' || {{ text_extract(phone_text, '^(?:[+]|00)([1-79][0-9]{6,14}|8[0-57-9][0-9]{5,13})$') }}
        )
    end
{%- endmacro %}

{% macro phone_rule(phone, phone_text, standard_phone) -%}
    case
        when coalesce({{ phone_text }}, '') = '' then 'missing'
        when {{ phone }} = {{ standard_phone }} then 'unchanged'
        when {{ standard_phone }} is not null then 'phone_e164'
        when {{ text_matches(phone_text, '[*●•]|[0-9][xX]{2,}') }} then 'phone_masked'
        when {{ text_matches(phone_text, _phone_placeholder()) }} then 'phone_placeholder'
        when {{ text_matches(phone_text, '^(?:[+]?86|0086)?0[1-9][0-9]{8,10}$') }} then 'phone_landline'
        else 'phone_unreadable'
    end
{%- endmacro %}

{# Lower case, half-width, no white space, an ideographic full stop as the dot it was to be. #}
{% macro email_text(email) -%}
    lower({{ text_remove('replace(' ~ half_width(email) ~ ", '。', '.')", '[\\s\u00a0\u200b]') }})
{%- endmacro %}

{# RFC 5322's dot-atom of the signs in use, at a name with a top-level domain. #}
{% macro _email_pattern() %}{{ return("^[a-z0-9!#$%&'*+=?^_`{|}~-]+([.][a-z0-9!#$%&'*+=?^_`{|}~-]+)*@([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z]{2,}$") }}{% endmacro %}
{# example.* and the like belong to nobody (RFC 2606). #}
{% macro _email_placeholder() %}{{ return('@(.+[.])?(example[.][a-z]+|test|test[.](com|cn)|invalid|localhost)$|^(null|none|noemail|no-email|unknown|na|n/a)@') }}{% endmacro %}

{# The address in lower case; NULL for what is none. #}
{% macro standard_email(email_text) -%}
    case
        when {{ text_matches(email_text, '[*]{2,}') }} or {{ text_matches(email_text, _email_placeholder()) }} then null
        when {{ text_matches(email_text, _email_pattern()) }} then {{ email_text }}
    end
{%- endmacro %}

{% macro email_rule(email, email_text, standard_email) -%}
    case
        when coalesce({{ email_text }}, '') = '' then 'missing'
        when {{ email }} = {{ standard_email }} then 'unchanged'
        when {{ standard_email }} is not null then 'email_normalised'
        when {{ text_matches(email_text, '[*]{2,}') }} then 'email_masked'
        when {{ text_matches(email_text, _email_placeholder()) }} then 'email_placeholder'
        else 'email_unreadable'
    end
{%- endmacro %}

{# ---- identifiers --------------------------------------------------------------------------------------------------- #}

{# Names under which sources send the same kind of identifier. Any other code stays, in lower case. #}
{% macro standard_identifier_type(identifier_type) -%}
    case lower(trim({{ half_width(identifier_type) }}))
        when 'mobile' then 'phone' when 'tel' then 'phone' when 'telephone' then 'phone' when '手机号' then 'phone'
        when 'mail' then 'email' when 'e-mail' then 'email' when '邮箱' then 'email'
        when 'union_id' then 'unionid' when 'open_id' then 'openid'
        when 'deviceid' then 'device_id' when 'cookie' then 'cookie_id' when 'cookieid' then 'cookie_id'
        else lower(trim({{ half_width(identifier_type) }}))
    end
{%- endmacro %}

{# Only device ids come in either case; openids are told apart by it. #}
{% macro identifier_text(standard_type, identifier_value) -%}
    case {{ standard_type }}
        when 'phone' then {{ phone_text(identifier_value) }}
        when 'email' then {{ email_text(identifier_value) }}
        when 'device_id' then lower(trim({{ half_width(identifier_value) }}))
        else trim({{ half_width(identifier_value) }})
    end
{%- endmacro %}

{# What devices answer when they may not tell who they are. #}
{% macro _identifier_placeholder() %}{{ return('^[0-]+$|^(null|none|unknown|undefined|nan|n/a)$') }}{% endmacro %}

{% macro standard_identifier(standard_type, identifier_text) -%}
    case
        when {{ standard_type }} = 'phone' then {{ standard_phone(identifier_text) }}
        when {{ standard_type }} = 'email' then {{ standard_email(identifier_text) }}
        when {{ text_matches('lower(' ~ identifier_text ~ ')', _identifier_placeholder()) }} then null
        else nullif({{ identifier_text }}, '')
    end
{%- endmacro %}

{% macro identifier_rule(standard_type, identifier_value, identifier_text, standard_identifier) -%}
    case
        when {{ standard_type }} = 'phone' then {{ phone_rule(identifier_value, identifier_text, standard_identifier) }}
        when {{ standard_type }} = 'email' then {{ email_rule(identifier_value, identifier_text, standard_identifier) }}
        when coalesce({{ identifier_text }}, '') = '' then 'missing'
        when {{ standard_identifier }} is null then 'identifier_placeholder'
        when {{ identifier_value }} = {{ standard_identifier }} then 'unchanged'
        else 'identifier_normalised'
    end
{%- endmacro %}

{#
    sha256 of a standardised identifier together with its type, so that a number that is a phone in one place and a member
    number in another is not taken for one. The same wherever the identifier was seen.
#}
{% macro identifier_hash(standard_type, standard_value) -%}
    {{ sha256_hex(standard_type ~ " || ':' || " ~ standard_value) }}
{%- endmacro %}
