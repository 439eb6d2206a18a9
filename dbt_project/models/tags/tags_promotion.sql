{% set family = tag_family_promotion() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

touches as (

    -- One message is one contact, however many receipts and clicks come back of it.
    select * from {{ ref('fct_touches') }}
    where touch_type in ('sent', 'opened', 'clicked')

),

coupon_receipts as (

    select * from {{ ref('fct_coupon_receipts') }}

),

coupon_redemptions as (

    select * from {{ ref('fct_coupon_redemptions') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

unioned as (

    select
        member_id, touch_type as fact_kind, campaign_id, false as has_coupon, false as has_store_discount,
        cast(0 as decimal(18, 2)) as discount_amount, cast(0 as decimal(18, 2)) as list_amount,
        cast(0 as decimal(18, 2)) as gross_amount, business_date
    from touches
    union all
    select
        member_id, 'receipt' as fact_kind, campaign_id, false as has_coupon, false as has_store_discount,
        cast(0 as decimal(18, 2)) as discount_amount, cast(0 as decimal(18, 2)) as list_amount,
        cast(0 as decimal(18, 2)) as gross_amount, business_date
    from coupon_receipts
    where member_id is not null
    union all
    select
        member_id, 'redemption' as fact_kind, campaign_id, false as has_coupon, false as has_store_discount,
        cast(0 as decimal(18, 2)) as discount_amount, cast(0 as decimal(18, 2)) as list_amount,
        cast(0 as decimal(18, 2)) as gross_amount, business_date
    from coupon_redemptions
    union all
    select
        member_id, 'order' as fact_kind, cast(null as {{ dbt.type_string() }}) as campaign_id, has_coupon, has_store_discount,
        store_discount_amount as discount_amount, list_amount, gross_amount, business_date
    from orders

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
