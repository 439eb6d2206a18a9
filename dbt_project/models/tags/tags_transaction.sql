{% set family = tag_family_transaction() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

refunds as (

    -- Orders leave services out of what is spent, so their refunds stay out of what is given back.
    select * from {{ ref('fct_refunds') }}
    where member_id is not null and product_kind <> 'service' and is_counted

),

unioned as (

    select
        member_id,
        order_id,
        order_kind,
        gross_amount,
        list_amount,
        store_discount_amount as discount_amount,
        cast(0 as decimal(18, 4)) as refund_amount,
        unit_count,
        line_count,
        cast(null as {{ dbt.type_string() }}) as refund_id,
        business_date
    from orders
    union all
    select
        member_id,
        cast(null as {{ dbt.type_string() }}) as order_id,
        cast(null as {{ dbt.type_string() }}) as order_kind,
        cast(0 as decimal(18, 2)) as gross_amount,
        cast(0 as decimal(18, 2)) as list_amount,
        cast(0 as decimal(18, 2)) as discount_amount,
        refund_amount,
        cast(0 as decimal(18, 4)) as unit_count,
        0 as line_count,
        refund_id,
        business_date
    from refunds

),

facts as (

    select
        unioned.*,
        {{ days_between('unioned.business_date', 'clocks.as_of_date') }} as age_days
    from unioned
    inner join clocks on unioned.business_date < clocks.as_of_date

),

aggregated as (

    select
        {{- tag_expressions(tags) }}
        member_id
    from facts
    group by member_id

),

final as (

    select
        members.member_id,
        {{- tag_columns(tags, 'aggregated') }}
        clocks.as_of_date
    from members
    cross join clocks
    left join aggregated on members.member_id = aggregated.member_id

)

select * from final
