{#
    What members did with products, by date: agg_member_product_days is compared with fct_events as agg_member_days is with its sources
    (visits.sql): dates whose sums differ are forgotten, then members whose sums differ, and the body builds what is not there.
#}

{# Which events say what somebody did with a product. #}
{% macro is_product_interaction(events) -%}
    {{ counts_for_a_member(events) }}
    and {{ events }}.is_behaviour
    and {{ events }}.product_id is not null
    and {{ events }}.source_event_name in ('view', 'favourite', 'cart', 'share')
{%- endmacro %}

{% macro _interaction_sums(key, condition='true') -%}
    select events.{{ key }}, count(*) as event_count, max(events.loaded_at) as loaded_at
    from {{ ref('fct_events') }} as events
    where {{ is_product_interaction('events') }} and {{ condition }}
    group by events.{{ key }}
{%- endmacro %}

{% macro _kept_interaction_sums(key) -%}
    select
        days.{{ key }},
        sum(days.view_count + days.favourite_count + days.cart_count + days.share_count) as event_count,
        max(days.loaded_at) as loaded_at
    from {{ this }} as days
    group by days.{{ key }}
{%- endmacro %}

{# First pre-hook of agg_member_product_days. #}
{% macro delete_changed_interaction_dates() -%}
    {%- if is_incremental() -%}
    {% set told %}{{ _interaction_sums('business_date') }}{% endset %}
    {% set kept %}{{ _kept_interaction_sums('business_date') }}{% endset %}
    delete from {{ this }} where business_date in ({{ _differing_dates(told, kept, ['event_count', 'loaded_at']) }})
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}

{# Second pre-hook of agg_member_product_days. #}
{% macro delete_changed_interaction_members() -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where member_id in (
        select coalesce(kept.member_id, told.member_id)
        from ({{ _kept_interaction_sums('member_id') }}) as kept
        full outer join (
            {{ _interaction_sums('member_id', 'events.business_date in (select present.business_date from ' ~ this ~ ' as present)') }}
        ) as told
            on kept.member_id = told.member_id
        where
            kept.member_id is null
            or told.member_id is null
            or kept.event_count is distinct from told.event_count
            or kept.loaded_at is distinct from told.loaded_at
    )
    {%- else -%}
    select 1 as nothing_to_delete
    {%- endif -%}
{%- endmacro %}
