-- depends_on: {{ ref('member_tags') }}
{{ config(
    materialized=order_keyed_materialization(),
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    pre_hook="{{ forget_as_of_date() }}"
) }}
{% set tags = all_tags() %}

with clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

-- How often each value of each tag comes: short enough to be planned 600 times, and mostly few rows.
counted as (

    {% for tag in tags %}
    select
        {{ text_literal(tag.code) }} as tag_code,
        '{{ tag_bin_kind(tag) }}' as bin_kind,
        {{ tag_binned_number(tag) }} as number_value,
        {{ tag_binned_word(tag) }} as word_value,
        count(*) as member_count
    from {{ ref('member_tags') }}
    group by {{ tag_binned_word(tag) if tag_bin_kind(tag) == 'word' else tag_binned_number(tag) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

binned as (

    select
        tag_code,
        {{ value_bin('bin_kind', 'number_value', 'word_value') }} as value_bin,
        sum(member_count) as member_count
    from counted
    group by tag_code, {{ value_bin('bin_kind', 'number_value', 'word_value') }}

),

final as (

    select
        binned.tag_code,
        binned.value_bin,
        cast(binned.member_count as bigint) as member_count,
        clocks.as_of_date
    from binned
    cross join clocks

)

select * from final
