{{ config(materialized='table') }}

{% set asked = cuts_asked_for() %}
{% set horizons = [brand_churn_horizon_days(), brand_purchase_horizon_days()] | unique | list %}

{% if asked %}
with unioned as (

    {% for cut in asked %}
    select cast('{{ cut }}' as date) as as_of_date, {{ loop.last | lower }} as is_scoring_date
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

{% else %}
with clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

steps as {{ integers(brand_training_cut_count()) }},

scoring as (

    select as_of_date, true as is_scoring_date from clocks

),

-- The newest training cut of a horizon is the last one whose outcome is known: its label ends where scoring begins.
training as (

    {% for horizon in horizons %}
    select
        {{ add_days('clocks.as_of_date', '-(' ~ horizon ~ ' + steps.n * ' ~ brand_training_cut_step_days() ~ ')') }} as as_of_date,
        false as is_scoring_date
    from clocks
    cross join steps
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

unioned as (

    select * from scoring
    union all
    select * from training

),

{% endif %}
final as (

    select
        as_of_date,
        bool_or(is_scoring_date) as is_scoring_date
    from unioned
    group by as_of_date

)

select * from final
