{#
    The steps that journeys are made of: seven kinds of what members do, so that a journey is told by pairs of them. What is
    only shown or closed (exposure, page_leave), sessions' own events and names that nobody planned are no steps.
#}
{% macro journey_steps() %}{{ return(['browse', 'search', 'view', 'content', 'want', 'buy', 'service']) }}{% endmacro %}

{% macro journey_step(source_event_name) -%}
    case
        when {{ source_event_name }} in ('page_view', 'click', 'coupon_claim') then 'browse'
        when {{ source_event_name }} = 'search' then 'search'
        when {{ source_event_name }} = 'view' then 'view'
        when {{ source_event_name }} in ('content_view', 'content_like', 'live_enter', 'share') then 'content'
        when {{ source_event_name }} in ('favourite', 'cart') then 'want'
        when {{ source_event_name }} in ('checkout', 'purchase') then 'buy'
        when {{ source_event_name }} = 'service_contact' then 'service'
    end
{%- endmacro %}
