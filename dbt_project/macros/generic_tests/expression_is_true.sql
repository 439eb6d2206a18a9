{# Returns rows for which the expression is false or unknown. #}
{% test expression_is_true(model, expression) %}
select * from {{ model }}
where not coalesce({{ expression }}, false)
{% endtest %}
