{% set family = tag_family_behaviour() %}
{% set tags = compile_tags(family) %}

with members as (

    select * from {{ ref('dim_members') }}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

member_days as (

    select * from {{ ref('agg_member_days') }}

),

-- Summed by window first: a member has at most nine rows, however long the history.
facts as (

    select
        member_days.member_id,
        {{ window_edge(days_between('member_days.business_date', 'clocks.as_of_date')) }} as age_days,
        count(*) as active_day_count,
        count(case when {{ weekday_number('member_days.business_date') }} >= 6 then 1 end) as weekend_day_count,
        sum(member_days.session_count) as session_count,
        sum(member_days.session_seconds) as session_seconds,
        sum(member_days.event_count) as event_count,
        sum(member_days.page_view_count) as page_view_count,
        sum(member_days.interaction_count) as interaction_count,
        sum(member_days.product_view_count) as product_view_count,
        sum(member_days.search_count) as search_count,
        sum(member_days.favourite_count) as favourite_count,
        sum(member_days.cart_count) as cart_count,
        sum(member_days.uncart_count) as uncart_count,
        sum(member_days.checkout_count) as checkout_count,
        sum(member_days.click_count) as click_count,
        sum(member_days.night_session_count) as night_session_count,
        sum(member_days.morning_session_count) as morning_session_count,
        sum(member_days.afternoon_session_count) as afternoon_session_count,
        sum(member_days.evening_session_count) as evening_session_count,
        max(member_days.page_view_count) as most_page_view_count,
        min(member_days.business_date) as first_date,
        max(member_days.business_date) as last_date,
        max(case when member_days.cart_count > 0 then member_days.business_date end) as last_cart_date,
        max(case when member_days.search_count > 0 then member_days.business_date end) as last_search_date,
        max(case when member_days.favourite_count > 0 then member_days.business_date end) as last_favourite_date,
        max(case when member_days.checkout_count > 0 then member_days.business_date end) as last_checkout_date,
        max(case when member_days.product_view_count > 0 then member_days.business_date end) as last_product_view_date
    from member_days
    inner join clocks on member_days.business_date < clocks.as_of_date
    group by member_days.member_id, {{ window_edge(days_between('member_days.business_date', 'clocks.as_of_date')) }}

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
