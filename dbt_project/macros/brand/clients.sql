{# Which client of the brand's own a visit came through: what events call a platform, in three kinds. #}
{% macro client_of(platform) -%}
    case
        when {{ platform }} = 'mini_program' then 'mini_program'
        when {{ platform }} in ('ios', 'android', 'app') then 'app'
        when {{ platform }} in ('h5', 'web', 'pc') then 'web'
    end
{%- endmacro %}
