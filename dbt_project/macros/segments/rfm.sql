{# The score of a value by the four limits from which on it is 2, 3, 4 and 5. #}
{% macro score_from(expression, limits) -%}
    case
        {%- for limit in limits | reverse %}
        when {{ expression }} >= {{ limit }} then {{ 6 - loop.index }}
        {%- endfor %}
        else 1
    end
{%- endmacro %}

{# The score of a value of which less is better, by the four limits up to which it is 5, 4, 3 and 2. #}
{% macro score_up_to(expression, limits) -%}
    case
        {%- for limit in limits %}
        when {{ expression }} <= {{ limit }} then {{ 6 - loop.index }}
        {%- endfor %}
        else 1
    end
{%- endmacro %}

{# Code of the classic tier, one of eight, by which of the three dimensions are high. #}
{% macro rfm_tier_of(is_recent, is_frequent, is_high_spend) -%}
    case
        when {{ is_recent }} and {{ is_frequent }} and {{ is_high_spend }} then 'champion'
        when not {{ is_recent }} and {{ is_frequent }} and {{ is_high_spend }} then 'keep'
        when {{ is_recent }} and not {{ is_frequent }} and {{ is_high_spend }} then 'develop'
        when not {{ is_recent }} and not {{ is_frequent }} and {{ is_high_spend }} then 'win_back'
        when {{ is_recent }} and {{ is_frequent }} then 'general_value'
        when not {{ is_recent }} and {{ is_frequent }} then 'general_keep'
        when {{ is_recent }} then 'general_develop'
        else 'potential'
    end
{%- endmacro %}
