{% set families = tag_families() %}

with declared as (

    {% for family in families %}
    {% set outer_last = loop.last %}
    {% set tags = compile_tags(family) if execute else [] %}
    {% for tag in tags %}
    select
        {{ text_literal(tag.code) }} as tag_code,
        {{ text_literal(tag.label_zh) }} as label_zh,
        {{ text_literal(tag.label_en) }} as label_en,
        {{ text_literal(family.code) }} as family_code,
        {{ text_literal(family.label_zh) }} as family_label_zh,
        {{ text_literal(family.label_en) }} as family_label_en,
        {{ text_literal(family.subject) }} as subject,
        {{ text_literal(tag.kind) }} as kind,
        {{ text_literal(tag.type) }} as value_type,
        {{ text_literal(tag.unit) }} as unit,
        {{ text_literal(tag.goal) }} as business_goal,
        {{ text_literal(family.source) }} as source_models,
        {{ text_literal(tag_source_columns(family, tag, tags) | join(', ')) }} as source_columns,
        {{ text_literal(tag_rule(tag)) }} as definition_sql,
        {{ text_literal(tag.owner) }} as owner,
        {{ text_literal(tag.pii_class) }} as pii_class,
        {{ text_literal(tag.refresh) }} as refresh_cadence,
        {{ text_literal(tag.allowed_uses | join(', ')) }} as allowed_uses,
        {{ text_literal(tag.drift) }} as drift,
        {{ text_literal(tag.declaration) }} as declared_as,
        {{ text_literal(tag.item) if tag.item is not none else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as item_code,
        {{ tag.window_days if tag.window_days is not none else 'cast(null as integer)' }} as window_days,
        {{ tag.half_life_days if tag.half_life_days else 'cast(null as integer)' }} as half_life_days,
        {{ tag.version }} as version,
        {{ 'true' if tag.is_supplied else 'false' }} as is_supplied,
        {{ "cast('" ~ tag.expires ~ "' as date)" if tag.expires else 'cast(null as date)' }} as expires_on
    {% if not (outer_last and loop.last) %}union all{% endif %}
    {% endfor %}
    {% endfor %}

),

statistics as (

    select * from {{ ref('tag_statistics') }}

),

distributions as (

    select * from {{ ref('tag_distributions') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

-- What is compared with: the cut before this one, and the newest that is thirty days old, or the oldest there is.
compared as (

    select
        clocks.as_of_date,
        max(case when distributions.as_of_date < clocks.as_of_date then distributions.as_of_date end) as previous_date,
        coalesce(
            max(case when distributions.as_of_date <= {{ add_days('clocks.as_of_date', -30) }} then distributions.as_of_date end),
            min(case when distributions.as_of_date < clocks.as_of_date then distributions.as_of_date end)
        ) as reference_date
    from clocks
    left join distributions on clocks.as_of_date > distributions.as_of_date
    group by clocks.as_of_date

),

shares as (

    select
        distributions.tag_code,
        distributions.value_bin,
        distributions.as_of_date,
        distributions.member_count,
        distributions.member_count
        / cast(sum(distributions.member_count) over (partition by distributions.tag_code, distributions.as_of_date) as double) as member_share
    from distributions

),

kinds as (

    select 'previous' as kind
    union all
    select 'reference' as kind

),

-- One row per tag, bin and what it is compared with. Where a bin has nobody on one of the two days, a ten-thousandth stands for it, or
-- the logarithm would have no value.
paired as (

    select
        shares.tag_code,
        shares.value_bin,
        kinds.kind,
        max(case when shares.as_of_date = compared.as_of_date then shares.member_share end) as share_now,
        max(case when shares.as_of_date <> compared.as_of_date then shares.member_share end) as share_then
    from shares
    cross join compared
    inner join kinds
        on shares.as_of_date = compared.as_of_date
        or (kinds.kind = 'previous' and shares.as_of_date = compared.previous_date)
        or (kinds.kind = 'reference' and shares.as_of_date = compared.reference_date)
    group by shares.tag_code, shares.value_bin, kinds.kind

),

shifts as (

    select
        tag_code,
        kind,
        sum(
            (coalesce(share_now, 0.0001) - coalesce(share_then, 0.0001))
            * ln(coalesce(share_now, 0.0001) / coalesce(share_then, 0.0001))
        ) as population_stability_index,
        sum(abs(coalesce(share_now, 0) - coalesce(share_then, 0))) / 2 as moved_share
    from paired
    group by tag_code, kind
    -- A tag that was not there then has not moved.
    having count(share_then) > 0 and count(share_now) > 0

),

final as (

    select
        declared.*,
        statistics.member_count,
        statistics.covered_member_count,
        statistics.distinct_value_count,
        statistics.coverage_rate,
        statistics.mean_value,
        statistics.min_value,
        statistics.max_value,
        stability.population_stability_index,
        moves.moved_share as changed_share,
        cast(null as double) as experimental_lift,
        compared.previous_date,
        compared.reference_date,
        clocks.as_of_date
    from declared
    inner join statistics on declared.tag_code = statistics.tag_code
    cross join clocks
    cross join compared
    left join shifts as stability on declared.tag_code = stability.tag_code and stability.kind = 'reference'
    left join shifts as moves on declared.tag_code = moves.tag_code and moves.kind = 'previous'

)

select * from final
