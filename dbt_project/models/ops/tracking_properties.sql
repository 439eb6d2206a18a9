{#- How often a planned property is filled, and filled with its type. One pass over the events, whatever the plan. -#}
{% set properties = planned_property_names() %}

with events as (

    select * from {{ ref('stg_events') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

planned_events as (

    select * from {{ ref('stg_planned_events') }}

),

planned_properties as (

    select * from {{ ref('stg_planned_properties') }}

),

valued as (

    select
        events.event_name,
        {% for property in properties %}
        {{ event_property(property) }} as value_{{ loop.index }},
        {% endfor %}
        events.source_system
    from events
    cross join clocks
    where
        events.business_date < clocks.as_of_date
        and events.business_date >= {{ add_days('clocks.as_of_date', -brand_tracking_window_days()) }}

),

counted as (

    select
        event_name,
        source_system,
        {% for property in properties %}
        count(value_{{ loop.index }}) as filled_{{ loop.index }},
        count(try_cast(value_{{ loop.index }} as double)) as number_{{ loop.index }},
        count(try_cast(value_{{ loop.index }} as boolean)) as boolean_{{ loop.index }},
        count(try_cast(value_{{ loop.index }} as {{ type_instant() }})) as timestamp_{{ loop.index }},
        {% endfor %}
        count(*) as event_count
    from valued
    group by event_name, source_system

),

long as (

    {% for property in properties %}
    select
        event_name, source_system, '{{ property.name }}' as property_name, event_count,
        filled_{{ loop.index }} as filled_count, number_{{ loop.index }} as number_count,
        boolean_{{ loop.index }} as boolean_count, timestamp_{{ loop.index }} as timestamp_count
    from counted
    {% if not loop.last %}union all{% endif %}
    {% else %}
    select
        event_name, source_system, cast(null as {{ dbt.type_string() }}) as property_name, event_count,
        0 as filled_count, 0 as number_count, 0 as boolean_count, 0 as timestamp_count
    from counted
    where false
    {% endfor %}

),

typed as (

    select
        planned_properties.event_name,
        planned_properties.property_name,
        planned_events.source_system,
        planned_properties.value_type,
        planned_properties.label_zh,
        planned_properties.label_en,
        planned_properties.is_required,
        coalesce(long.event_count, 0) as event_count,
        coalesce(long.filled_count, 0) as filled_count,
        coalesce(
            case planned_properties.value_type
                when 'number' then long.number_count
                when 'boolean' then long.boolean_count
                when 'timestamp' then long.timestamp_count
                else long.filled_count
            end, 0
        ) as typed_count
    from planned_properties
    inner join planned_events on planned_properties.event_name = planned_events.event_name
    left join long
        on planned_properties.event_name = long.event_name
        and planned_properties.property_name = long.property_name
        and planned_events.source_system = long.source_system

),

final as (

    select
        event_name,
        property_name,
        source_system,
        value_type,
        label_zh,
        label_en,
        case
            when event_count = 0 then 'event_absent'
            when filled_count = 0 then 'absent'
            when typed_count < filled_count then 'mistyped'
            when is_required and filled_count < event_count then 'incomplete'
            else 'good'
        end as status,
        cast(event_count as bigint) as event_count,
        cast(filled_count as bigint) as filled_count,
        cast(typed_count as bigint) as typed_count,
        {{ ratio('filled_count', 'event_count') }} as filled_rate,
        is_required
    from typed

)

select * from final
