{#
    The two clocks of a build. Both come from the environment, not from --vars: a changed --vars makes dbt parse the
    whole project again.
#}

{# UTC timestamp as text, or none: rows loaded after it are not known to this build. #}
{% macro known_at() %}{{ return(env_var('TESSERA_KNOWN_AT', '') or none) }}{% endmacro %}

{# ISO date as text, or none: the cut asked for; without one the brand's clock decides (int_clocks_resolved). #}
{% macro requested_as_of_date() %}{{ return(env_var('TESSERA_AS_OF_DATE', '') or none) }}{% endmacro %}

{# First and last business date that a backfill rebuilds whatever has changed; none when this is no backfill. #}
{% macro window_start() %}{{ return(env_var('TESSERA_WINDOW_START', '') or none) }}{% endmacro %}
{% macro window_end() %}{{ return(env_var('TESSERA_WINDOW_END', '') or none) }}{% endmacro %}

{# The cuts that features are asked for in place of the build's own, oldest first: a model is evaluated at any cut. #}
{% macro cuts_asked_for() %}{{ return(env_var('TESSERA_CUTS', '').split()) }}{% endmacro %}

{#
    Whether a business date lies within the brand's calendar. What lies outside is kept and told apart: a device whose clock
    is wrong must move neither the clock of the build nor the first day on which a member was seen.
#}
{% macro is_within_calendar(date_expression) -%}
    coalesce(
        {{ date_expression }} >= cast('{{ brand_calendar_start() }}' as date)
        {%- if brand_calendar_end() %}
        and {{ date_expression }} <= cast('{{ brand_calendar_end() }}' as date)
        {%- endif %}, false
    )
{%- endmacro %}
