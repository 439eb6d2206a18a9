"""Members × categories at several cuts, in one pass over the order lines: what each bought of each before the cut, and after it.

The category of a product is its second level, where the brand has one. What is learnt of it is `ml.propensity.category`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from ml.propensity.category import NUMBERS

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

# age_days is 1 for the day before the cut. Everything but `label` is a sum over days before the cut.
_SQL = """
    with cuts as (select unnest(cast($cuts as date[])) as as_of_date),
    categories as (
        select product_id, coalesce(category_l2_code, category_l2_name, category_l1_code, category_l1_name) as category_code
        from marts.dim_products where product_kind = 'goods'
    ),
    days as (
        select distinct lines.member_id, categories.category_code, lines.business_date
        from marts.fct_order_lines as lines
        inner join categories on lines.product_id = categories.product_id
        where lines.member_id is not null and lines.line_kind = 'sale' and not lines.is_void and categories.category_code is not null
    ),
    -- Known at the oldest cut, so that which categories are asked about does not depend on what came later.
    largest as (
        select category_code from days where business_date < (select min(as_of_date) from cuts)
        group by 1 order by count(distinct member_id) desc, category_code limit $categories
    ),
    member_days as (select distinct member_id, business_date from days),
    members as (
        select member_days.member_id, cuts.as_of_date,
            min(cuts.as_of_date - member_days.business_date) as recency_days,
            count(*) filter (where cuts.as_of_date - member_days.business_date <= 30) as purchase_day_count_30d,
            count(*) filter (where cuts.as_of_date - member_days.business_date <= 90) as purchase_day_count_90d
        from member_days inner join cuts on member_days.business_date < cuts.as_of_date
        group by all
    ),
    spread as (
        select days.member_id, cuts.as_of_date, count(distinct days.category_code) as category_count_90d
        from days inner join cuts on days.business_date < cuts.as_of_date and days.business_date >= cuts.as_of_date - 90
        group by all
    ),
    bought as (
        select days.member_id, days.category_code, cuts.as_of_date,
            min(cuts.as_of_date - days.business_date) as recency,
            max(cuts.as_of_date - days.business_date) filter (where cuts.as_of_date - days.business_date <= 365) as oldest,
            count(*) filter (where cuts.as_of_date - days.business_date <= 30) as days_30,
            count(*) filter (where cuts.as_of_date - days.business_date <= 90) as days_90,
            count(*) filter (where cuts.as_of_date - days.business_date <= 180) as days_180,
            count(*) filter (where cuts.as_of_date - days.business_date <= 365) as days_365
        from days inner join cuts on days.business_date < cuts.as_of_date
        where days.category_code in (select category_code from largest)
        group by all
    ),
    popularity as (
        select category_code, as_of_date, count(*) filter (where days_30 > 0) as buyers from bought group by all
    ),
    sizes as (select as_of_date, count(*) as member_count from members group by 1),
    labels as (
        select distinct days.member_id, days.category_code, cuts.as_of_date
        from days inner join cuts on days.business_date >= cuts.as_of_date and days.business_date < cuts.as_of_date + $horizon
    )
    select members.member_id, largest.category_code, members.as_of_date,
        bought.recency as category_recency_days,
        coalesce(bought.days_30, 0) as category_day_count_30d,
        coalesce(bought.days_90, 0) as category_day_count_90d,
        coalesce(bought.days_180, 0) as category_day_count_180d,
        coalesce(bought.days_365, 0) as category_day_count_365d,
        case when bought.days_365 > 1 then (bought.oldest - bought.recency) / (bought.days_365 - 1) end as category_gap_days_mean_365d,
        case when bought.days_365 > 1 and bought.oldest > bought.recency
            then bought.recency * (bought.days_365 - 1) / (bought.oldest - bought.recency) end as category_overdue_ratio,
        coalesce(popularity.buyers, 0) / sizes.member_count as category_buyer_rate_30d,
        members.recency_days, members.purchase_day_count_30d, members.purchase_day_count_90d,
        coalesce(spread.category_count_90d, 0) as category_count_90d,
        cast(labels.member_id is not null as integer) as label
    from members
    cross join largest
    inner join sizes on members.as_of_date = sizes.as_of_date
    left join spread on members.member_id = spread.member_id and members.as_of_date = spread.as_of_date
    left join bought on members.member_id = bought.member_id and members.as_of_date = bought.as_of_date
        and largest.category_code = bought.category_code
    left join popularity on largest.category_code = popularity.category_code and members.as_of_date = popularity.as_of_date
    left join labels on members.member_id = labels.member_id and members.as_of_date = labels.as_of_date
        and largest.category_code = labels.category_code
    where members.recency_days <= $active_days
    order by members.as_of_date, members.member_id, largest.category_code
"""


def category_purchases(
    connection: DuckDBPyConnection, cuts: Sequence[date], horizon_days: int, active_days: int, category_count: int = 40
) -> pd.DataFrame:
    """One row per cut, member who bought in the last `active_days`, and category: the `category_count` with most
    buyers before the oldest cut.

    Columns: member_id, category_code, as_of_date, those of `ml.propensity.category.NUMBERS`, and label: 1 = bought of the category in
    [as_of_date, as_of_date + horizon_days). The caller sees to it that the windows of the labels are known.
    """
    parameters = {"cuts": [day.isoformat() for day in cuts], "horizon": horizon_days, "categories": category_count}
    frame = connection.execute(_SQL, parameters | {"active_days": active_days}).df()
    return frame.astype(dict.fromkeys(NUMBERS, "float64"))
