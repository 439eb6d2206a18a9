{#
    Provinces, by the first two digits of their GB/T 2260 code. A region as sources write it begins with its province: in
    Chinese, in pinyin or as a code. Cities are looked up in the region table, behind staging.
#}

{# Provincial units: code, full name, pinyin (as standards and passports write it). A short name is the first two characters. #}
{% macro provinces() %}
    {{ return([
        ('11', '北京市', 'beijing'), ('12', '天津市', 'tianjin'), ('13', '河北省', 'hebei'), ('14', '山西省', 'shanxi'),
        ('15', '内蒙古自治区', 'neimenggu|innermongolia|neimongol'), ('21', '辽宁省', 'liaoning'), ('22', '吉林省', 'jilin'),
        ('23', '黑龙江省', 'heilongjiang'), ('31', '上海市', 'shanghai'), ('32', '江苏省', 'jiangsu'),
        ('33', '浙江省', 'zhejiang'), ('34', '安徽省', 'anhui'), ('35', '福建省', 'fujian'), ('36', '江西省', 'jiangxi'),
        ('37', '山东省', 'shandong'), ('41', '河南省', 'henan'), ('42', '湖北省', 'hubei'), ('43', '湖南省', 'hunan'),
        ('44', '广东省', 'guangdong'), ('45', '广西壮族自治区', 'guangxi'), ('46', '海南省', 'hainan'),
        ('50', '重庆市', 'chongqing'), ('51', '四川省', 'sichuan'), ('52', '贵州省', 'guizhou'), ('53', '云南省', 'yunnan'),
        ('54', '西藏自治区', 'xizang|tibet'), ('61', '陕西省', 'shaanxi'), ('62', '甘肃省', 'gansu'), ('63', '青海省', 'qinghai'),
        ('64', '宁夏回族自治区', 'ningxia'), ('65', '新疆维吾尔自治区', 'xinjiang'), ('71', '台湾省', 'taiwan'),
        ('81', '香港特别行政区', 'xianggang|hongkong'), ('82', '澳门特别行政区', 'aomen|macau|macao')
    ]) }}
{% endmacro %}

{# In lower case, without white space, signs and the country's name in front. #}
{% macro region_text(region) -%}
    {{ text_remove('lower(' ~ half_width(region) ~ ')', "^\\s*(中国|中华人民共和国|china|cn\\b)|[\\s,·'-]") }}
{%- endmacro %}

{#
    What of a region names its province: two characters, two digits of a code, or pinyin. Looked up in province_words by a
    join: a `case` with a branch per province would compute its text once for each.
#}
{% macro region_word(region_text) -%}
    case
        {#- Places elsewhere whose names begin like a province. #}
        when {{ text_matches(region_text, '^(?:海南藏族|海南州|河南蒙古)') }} then '青海'
        when {{ text_matches(region_text, '^海南区') }} then '内蒙'
        when {{ text_matches(region_text, '^河北区') }} then '天津'
        when {{ text_matches(region_text, '^[a-z]') }}
            then {{ text_extract(region_text, '^(?:' ~ (provinces() | map(attribute=2) | join('|')) ~ ')', 0) }}
        when {{ text_matches(region_text, '^[0-9]') }}
            then case when {{ text_matches(region_text, '^[1-8][0-9]{5}(?:[0-9]{6})?$') }} then substr({{ region_text }}, 1, 2) end
        else substr({{ region_text }}, 1, 2)
    end
{%- endmacro %}

{# Every word for a province as a row: region_word, province_code, province_name. #}
{% macro province_words() -%}
    (
        {%- for code, name, pinyin in provinces() %}
        {%- for word in [code, name[:2]] + pinyin.split('|') %}
        select '{{ word }}' as region_word, '{{ code }}0000' as province_code, '{{ name }}' as province_name
        {%- if not loop.last %} union all {% endif %}
        {%- endfor %}
        {%- if not loop.last %} union all {% endif %}
        {%- endfor %}
    )
{%- endmacro %}

{% macro region_rule(region, region_text, province_name) -%}
    case
        when coalesce({{ region_text }}, '') = '' then 'missing'
        when {{ province_name }} is null then 'region_unreadable'
        when {{ region }} = {{ province_name }} then 'unchanged'
        else 'region_coded'
    end
{%- endmacro %}
