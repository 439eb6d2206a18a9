{# Returns keys that are NULL or occur more than once. Where a contract already forbids NULL, `unique` is enough. #}
{% test primary_key(model, column_name) %}
select {{ column_name }}
from {{ model }}
group by {{ column_name }}
having count(*) > 1 or {{ column_name }} is null
{% endtest %}
