{% set new_days = brand_lifecycle_new_days() %}
{% set active_days = brand_lifecycle_active_days() %}
{% set dormant_days = brand_lifecycle_dormant_days() %}

with members as (

    select * from {{ ref('dim_members') }}
    {% if not brand_has_orders() %}
    -- Without orders nobody is at any stage.
    where false
    {% endif %}

),

clocks as (

    select * from {{ ref('int_clocks_resolved') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where member_id is not null and is_valid

),

products as (

    select
        product_id,
        coalesce(category_l2_name, category_l1_name, category_l2_code, category_l1_code) as category_name
    from {{ ref('dim_products') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where line_kind = 'sale' and product_kind not in ('service', 'gift') and not is_void

),

purchase_days as (

    select distinct
        orders.member_id,
        orders.business_date
    from orders
    inner join clocks on orders.business_date < clocks.as_of_date

),

category_days as (

    select
        orders.member_id,
        orders.business_date,
        products.category_name,
        sum(order_lines.gross_amount) as gross_amount
    from order_lines
    inner join orders on order_lines.order_id = orders.order_id
    inner join products on order_lines.product_id = products.product_id
    inner join clocks on orders.business_date < clocks.as_of_date
    where products.category_name is not null
    group by orders.member_id, orders.business_date, products.category_name

),

-- A category's cycle: the days from one purchase day with it to the same member's next.
category_gaps as (

    select
        category_name,
        {{ days_between(
            'lag(business_date) over (partition by member_id, category_name order by business_date nulls last)', 'business_date'
        ) }} as gap_days
    from category_days

),

category_cycles as (

    select
        category_name,
        median(cast(gap_days as double)) as cycle_days
    from category_gaps
    where gap_days is not null
    group by category_name
    having count(*) >= greatest({{ brand_lifecycle_category_min_gaps() }}, 1)

),

typical_cycle as (

    select median(cast(gap_days as double)) as cycle_days
    from category_gaps
    where gap_days is not null

),

-- The brand's windows are for its typical category. One that is bought half or twice as often has them doubled or halved, and
-- never more: windows stay what the brand thinks of them.
category_paces as (

    select
        category_cycles.category_name,
        greatest(0.5, least(2.0, coalesce({{ ratio('category_cycles.cycle_days', 'typical_cycle.cycle_days') }}, 1.0))) as pace
    from category_cycles
    cross join typical_cycle
    where {{ brand_lifecycle_category_min_gaps() }} > 0

),

-- What most of the day's money went to; of equals the first by name.
main_categories as (

    select
        member_id,
        business_date,
        category_name,
        row_number() over (
            partition by member_id, business_date order by gross_amount desc nulls last, category_name asc nulls last
        ) as position
    from category_days

),

-- new <= active < dormant, as with the brand's own windows.
windowed as (

    select
        purchase_days.member_id,
        purchase_days.business_date,
        greatest({{ new_days }}, cast(round({{ active_days }} * coalesce(category_paces.pace, 1.0)) as integer)) as active_days,
        greatest(
            {{ new_days }} + 1,
            cast(round({{ active_days }} * coalesce(category_paces.pace, 1.0)) as integer) + 1,
            cast(round({{ dormant_days }} * coalesce(category_paces.pace, 1.0)) as integer)
        ) as dormant_days
    from purchase_days
    left join main_categories
        on purchase_days.member_id = main_categories.member_id
        and purchase_days.business_date = main_categories.business_date
        and main_categories.position = 1
    left join category_paces on main_categories.category_name = category_paces.category_name

),

sequenced as (

    select
        windowed.*,
        min(business_date) over (partition by member_id) as first_date,
        {{ days_between('lag(business_date) over (partition by member_id order by business_date nulls last)', 'business_date') }}
        > lag(active_days) over (partition by member_id order by business_date nulls last) as is_return,
        lag(business_date, {{ brand_lifecycle_loyal_purchase_days() - 1 }}) over (
            partition by member_id order by business_date nulls last
        ) as loyal_since_date,
        lead(business_date) over (partition by member_id order by business_date nulls last) as next_date
    from windowed

),

-- From one purchase day to the next: until when which condition holds, were it alone.
bounded as (

    select
        sequenced.member_id,
        sequenced.business_date,
        coalesce(sequenced.next_date, clocks.as_of_date) as until_date,
        sequenced.business_date < {{ add_days('sequenced.first_date', new_days) }} as is_new,
        greatest(
            {{ add_days('sequenced.first_date', new_days) }},
            coalesce(
                {{ add_days(
                    'max(case when sequenced.is_return then sequenced.business_date end) over (partition by sequenced.member_id '
                    ~ 'order by sequenced.business_date nulls last rows between unbounded preceding and current row)',
                    brand_lifecycle_returned_days()
                ) }},
                sequenced.business_date
            ),
            sequenced.business_date
        ) as arrival_ends_date,
        greatest(
            coalesce({{ add_days('sequenced.loyal_since_date', brand_lifecycle_loyal_window_days()) }}, sequenced.business_date),
            sequenced.business_date
        ) as loyal_ends_date,
        {{ add_days('sequenced.business_date', 'sequenced.active_days') }} as active_ends_date,
        {{ add_days('sequenced.business_date', 'sequenced.dormant_days') }} as dormant_ends_date
    from sequenced
    cross join clocks

),

-- The first condition that holds counts, so each begins where the one before it has ended.
ended as (

    select
        member_id,
        business_date,
        until_date,
        is_new,
        least(until_date, active_ends_date, arrival_ends_date) as arrival_until_date,
        least(until_date, active_ends_date, greatest(arrival_ends_date, loyal_ends_date)) as loyal_until_date,
        least(until_date, active_ends_date) as active_until_date,
        least(until_date, dormant_ends_date) as dormant_until_date
    from bounded

),

first_days as (

    select
        member_id,
        min(business_date) as business_date
    from purchase_days
    group by member_id

),

stretches as (

    select
        members.member_id,
        'prospect' as state,
        case
            when members.first_seen_date is null or members.first_seen_date >= clocks.as_of_date then {{ add_days('clocks.as_of_date', -1) }}
            else members.first_seen_date
        end as valid_from,
        coalesce(first_days.business_date, clocks.as_of_date) as valid_to
    from members
    cross join clocks
    left join first_days on members.member_id = first_days.member_id
    union all
    select
        member_id,
        case when is_new then 'new' else 'returned' end as state,
        business_date as valid_from,
        arrival_until_date as valid_to
    from ended
    union all
    select
        member_id,
        'loyal' as state,
        arrival_until_date as valid_from,
        loyal_until_date as valid_to
    from ended
    union all
    select
        member_id,
        'active' as state,
        loyal_until_date as valid_from,
        active_until_date as valid_to
    from ended
    union all
    select
        member_id,
        'dormant' as state,
        active_until_date as valid_from,
        dormant_until_date as valid_to
    from ended
    union all
    select
        member_id,
        'lost' as state,
        dormant_until_date as valid_from,
        until_date as valid_to
    from ended

),

-- A purchase that leaves somebody where they were makes no new row.
begun as (

    select
        *,
        case
            when state = lag(state) over (partition by member_id order by valid_from nulls last) then 0
            else 1
        end as is_change
    from stretches
    where valid_from < valid_to

),

numbered as (

    select
        *,
        sum(is_change) over (
            partition by member_id order by valid_from nulls last rows between unbounded preceding and current row
        ) as state_number
    from begun

),

merged as (

    select
        member_id,
        state,
        state_number,
        min(valid_from) as valid_from,
        max(valid_to) as valid_to
    from numbered
    group by member_id, state, state_number

),

final as (

    select
        merged.member_id,
        merged.state as lifecycle_state,
        cast(merged.state_number as integer) as state_number,
        merged.valid_to = clocks.as_of_date as is_current,
        merged.valid_from,
        case when merged.valid_to < clocks.as_of_date then merged.valid_to end as valid_to
    from merged
    cross join clocks

)

select * from final
