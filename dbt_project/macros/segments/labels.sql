{#
    Codes and labels of the segments' classes, 中文/English, each list in the order in which its page shows them
    (docs/segments.md). Who falls into which class is said in the models; nothing else may spell a label.
#}
{% macro segment_classes(scheme) -%}
    {%- set classes = {
        'rfm': [
            {'code': 'champion', 'label_zh': '高价值', 'label_en': 'High value'},
            {'code': 'keep', 'label_zh': '重点保持', 'label_en': 'Key to keep'},
            {'code': 'develop', 'label_zh': '重点发展', 'label_en': 'Key to develop'},
            {'code': 'win_back', 'label_zh': '重点挽留', 'label_en': 'Key to win back'},
            {'code': 'general_value', 'label_zh': '一般价值', 'label_en': 'General value'},
            {'code': 'general_keep', 'label_zh': '一般保持', 'label_en': 'General, keep'},
            {'code': 'general_develop', 'label_zh': '一般发展', 'label_en': 'General, develop'},
            {'code': 'potential', 'label_zh': '潜在', 'label_en': 'Potential'},
            {'code': 'none', 'label_zh': '窗口内无购买', 'label_en': 'No customer in the window'},
        ],
        'lifecycle': [
            {'code': 'prospect', 'label_zh': '潜客', 'label_en': 'Prospect'},
            {'code': 'new', 'label_zh': '新客', 'label_en': 'New'},
            {'code': 'active', 'label_zh': '活跃客', 'label_en': 'Active'},
            {'code': 'loyal', 'label_zh': '忠诚客', 'label_en': 'Loyal'},
            {'code': 'dormant', 'label_zh': '沉默客', 'label_en': 'Dormant'},
            {'code': 'lost', 'label_zh': '流失客', 'label_en': 'Lost'},
            {'code': 'returned', 'label_zh': '回流客', 'label_en': 'Returned'},
        ],
        'value': [
            {'code': 'gold', 'label_zh': '黄金', 'label_en': 'Gold'},
            {'code': 'potential', 'label_zh': '潜力', 'label_en': 'Potential'},
            {'code': 'needs_activation', 'label_zh': '需要激活', 'label_en': 'Needs activation'},
            {'code': 'edge', 'label_zh': '边缘', 'label_en': 'Edge'},
        ],
        'aipl': [
            {'code': 'none', 'label_zh': '未触达', 'label_en': 'None of them'},
            {'code': 'aware', 'label_zh': '认知', 'label_en': 'Aware'},
            {'code': 'interest', 'label_zh': '兴趣', 'label_en': 'Interest'},
            {'code': 'purchase', 'label_zh': '购买', 'label_en': 'Purchase'},
            {'code': 'loyal', 'label_zh': '忠诚', 'label_en': 'Loyal'},
        ],
    } -%}
    {{ return(classes[scheme]) }}
{%- endmacro %}

{# Label of the code in an expression; language is zh or en. NULL for a code that the scheme does not have. #}
{% macro segment_label(scheme, expression, language) -%}
    case {{ expression }}
        {%- for class in segment_classes(scheme) %}
        when {{ text_literal(class.code) }} then {{ text_literal(class['label_' ~ language]) }}
        {%- endfor %}
    end
{%- endmacro %}

{# Place of the code in its list, 0 for the first: the height of a stage where stages rise. #}
{% macro segment_position(scheme, expression) -%}
    cast(case {{ expression }}
        {%- for class in segment_classes(scheme) %}
        when {{ text_literal(class.code) }} then {{ loop.index0 }}
        {%- endfor %}
    end as integer)
{%- endmacro %}

{# The scheme's codes as rows, column `code`. #}
{% macro segment_codes(scheme) -%}
    ({% for class in segment_classes(scheme) %}select {{ text_literal(class.code) }} as code{% if not loop.last %} union all {% endif %}{% endfor %})
{%- endmacro %}
