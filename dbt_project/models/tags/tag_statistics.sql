-- depends_on: {{ ref('member_tags') }}
{% set tags = all_tags() %}

with clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

-- One scan of one column a tag.
counted as (

    {% for tag in tags %}
    select
        {{ text_literal(tag.code) }} as tag_code,
        count(*) as member_count,
        count({{ tag.code }}) as covered_member_count,
        count(distinct {{ tag.code }}) as distinct_value_count,
        -- Sums of doubles depend on their order in the last digits, and the order on the threads.
        round(avg({{ tag_number(tag) }}), 9) as mean_value,
        min({{ tag_number(tag) }}) as min_value,
        max({{ tag_number(tag) }}) as max_value
    from {{ ref('member_tags') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        counted.tag_code,
        cast(counted.member_count as bigint) as member_count,
        cast(counted.covered_member_count as bigint) as covered_member_count,
        cast(counted.distinct_value_count as bigint) as distinct_value_count,
        {{ ratio('counted.covered_member_count', 'counted.member_count') }} as coverage_rate,
        counted.mean_value,
        counted.min_value,
        counted.max_value,
        clocks.as_of_date
    from counted
    cross join clocks

)

select * from final
