-- depends_on: {{ ref('member_tags') }}
{% set families = tag_families() %}

with declared as (

    {% for family in families %}
    {% set outer_last = loop.last %}
    {% for tag in compile_tags(family) %}
    select
        {{ text_literal(tag.code) }} as tag_code,
        {{ text_literal(tag.label_zh) }} as label_zh,
        {{ text_literal(tag.label_en) }} as label_en,
        {{ text_literal(family.code) }} as family_code,
        {{ text_literal(family.label_zh) }} as family_label_zh,
        {{ text_literal(family.label_en) }} as family_label_en,
        {{ text_literal(tag.type) }} as value_type,
        {{ text_literal(tag.unit) }} as unit,
        {{ text_literal(tag.goal) }} as business_goal,
        {{ text_literal(family.source) }} as source_models,
        {{ text_literal(tag.sql) }} as definition_sql,
        {{ text_literal(tag.owner) }} as owner,
        {{ text_literal(tag.pii_class) }} as pii_class,
        {{ tag.window_days if tag.window_days is not none else 'cast(null as integer)' }} as window_days,
        {{ tag.version }} as version
    {% if not (outer_last and loop.last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}

),

-- Coverage: one pass over the wide table, then one row per tag.
counted as (

    select
        {% for family in families %}
        {% for tag in compile_tags(family) %}
        count({{ tag.code }}) as {{ tag.code }},
        {% endfor %}
        {% endfor %}
        count(*) as member_count
    from {{ ref('member_tags') }}

),

coverage as (

    {% for family in families %}
    {% set outer_last = loop.last %}
    {% for tag in compile_tags(family) %}
    select {{ text_literal(tag.code) }} as tag_code, {{ tag.code }} as covered_member_count, member_count from counted
    {% if not (outer_last and loop.last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

final as (

    select
        declared.*,
        cast(coverage.covered_member_count as bigint) as covered_member_count,
        {{ ratio('coverage.covered_member_count', 'coverage.member_count') }} as coverage_rate,
        clocks.as_of_date
    from declared
    inner join coverage on declared.tag_code = coverage.tag_code
    cross join clocks

)

select * from final
