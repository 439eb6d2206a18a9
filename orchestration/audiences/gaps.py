"""Goods and content gaps: what the members of an audience want, beside what the brand offers and they have taken up.

Wanting, per category: a member looked at, saved, put into the cart or bought a product of it in the last days. Goods take it up when the
member bought of the category, content when the member read or watched a piece about it. The counting is SQL on a published or
build file; significance is `ml.insight`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ml.insight.target_group_index import target_group_index
from orchestration.audiences.insight import LEAST_MEMBERS, InsightError, compare

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

Kind = Literal["goods", "content"]  # what is offered

# The category of a product is its second level, where the brand has one: the first says too little of what somebody wants.
_CATEGORY = "coalesce(category_l2_code, category_l2_name, category_l1_code, category_l1_name)"
_WANTED = f"""
    create or replace temp table wanted as
    with clock as (select max(as_of_date) as as_of_date from tags.tag_catalogue),
    categories as (
        select product_id, {_CATEGORY} as category_code
        from marts.dim_products where product_kind = 'goods'
    ),
    bought as (
        select distinct lines.member_id, categories.category_code
        from marts.fct_order_lines as lines
        inner join categories on lines.product_id = categories.product_id
        where lines.line_kind = 'sale' and not lines.is_void
            and lines.business_date < (select as_of_date from clock) and lines.business_date >= (select as_of_date - $days from clock)
    ),
    seen as (
        select distinct days.member_id, categories.category_code
        from metrics.agg_member_product_days as days
        inner join categories on days.product_id = categories.product_id
        where days.business_date < (select as_of_date from clock) and days.business_date >= (select as_of_date - $days from clock)
    ),
    either as (select * from bought union select * from seen)
    select either.member_id, either.category_code, compared.is_in_group, bought.member_id is not null as has_bought
    from either
    inner join compared on either.member_id = compared.member_id
    left join bought on either.member_id = bought.member_id and either.category_code = bought.category_code
    where either.category_code is not null
"""  # noqa: S608, a text of our own

_GOODS = f"""
    offer as (
        select {_CATEGORY} as category_code,
            count(distinct product_code) as offer_count
        from marts.dim_products where product_kind = 'goods' and not is_deleted group by 1
    ),
    taken as (select member_id, category_code from wanted where has_bought)
"""  # noqa: S608, a text of our own

_CONTENT = """
    offer as (
        select category_code, count(*) as offer_count from marts.dim_content_items
        where not is_deleted and (ended_at is null or ended_at >= (select max(as_of_date) from tags.tag_catalogue)) group by 1
    ),
    taken as (
        select distinct events.member_id, content.category_code
        from marts.fct_events as events
        -- An id is `<source_system>:<code>`: a system that shows a piece is seldom the one that wrote it.
        inner join marts.dim_content_items as content
            on substr(events.content_id, length(events.source_system) + 2) = content.content_code
        where events.is_behaviour
            and events.business_date < (select max(as_of_date) from tags.tag_catalogue)
            and events.business_date >= (select max(as_of_date) - $days from tags.tag_catalogue)
    )
"""


def gaps(connection: DuckDBPyConnection, audience_id: str, kind: Kind, base_id: str | None, days: int) -> pd.DataFrame:
    """One row per category that members of the audience want, the widest gap first.

    Columns: category_code, category_name; wanting_members and unmet_members of the audience (unmet: wanted in the last `days` days and
    not taken up), unmet_rate; offer_count (products on sale, or pieces of content), demand_rate and offer_rate (of all wanting
    and of all offers), gap_index = 100 × demand_rate ÷ offer_rate (above 100 the audience wants more than its share of what is
    offered; NaN where nothing is offered); base_members, the unmet of the base (all members, or another audience together with this
    one), and the figures of `target_group_index` on the unmet. Categories that fewer than twenty members want are left out.
    Raises InsightError, ValueError for fewer days than one.
    """
    if days < 1:
        raise ValueError(f"days is {days}: at least one day is needed")
    group_count, base_count = compare(connection, audience_id, base_id)
    if kind == "content" and not connection.execute("select 1 from marts.dim_content_items limit 1").fetchone():
        raise InsightError("the brand has no source of content: there is nothing that members could have read")
    connection.execute(_WANTED, {"days": days})
    counts = connection.execute(
        f"""
        with {_GOODS if kind == "goods" else _CONTENT},
        names as (
            select {_CATEGORY} as category_code,
                min(coalesce(category_l2_name, category_l2_code, category_l1_name, category_l1_code)) as category_name
            from marts.dim_products group by 1
        )
        select wanted.category_code, names.category_name,
            count(*) filter (where wanted.is_in_group) as wanting_members,
            count(*) filter (where wanted.is_in_group and taken.member_id is null) as group_members,
            count(*) filter (where taken.member_id is null) as base_members,
            coalesce(any_value(offer.offer_count), 0) as offer_count
        from wanted
        left join taken on wanted.member_id = taken.member_id and wanted.category_code = taken.category_code
        left join offer on wanted.category_code = offer.category_code
        left join names on wanted.category_code = names.category_code
        group by wanted.category_code, names.category_name
        having count(*) filter (where wanted.is_in_group) >= {LEAST_MEMBERS}
        order by wanted.category_code
        """,  # noqa: S608, texts of our own
        {"days": days} if kind == "content" else {},
    ).df()
    if counts.empty:
        raise InsightError(
            f"no category was wanted by {LEAST_MEMBERS} members of {audience_id} in {days} days: ask for more days"
        )
    figures = target_group_index(counts, group_count, base_count)
    wanting, offered = figures["wanting_members"], figures["offer_count"]
    figures["unmet_rate"] = figures["group_members"] / wanting
    figures["demand_rate"] = wanting / wanting.sum()
    figures["offer_rate"] = offered / max(offered.sum(), 1)
    figures["gap_index"] = (100 * figures["demand_rate"] / figures["offer_rate"]).where(offered > 0)
    return figures.rename(columns={"group_members": "unmet_members"}).sort_values(
        ["gap_index", "category_code"], ascending=[False, True], na_position="first", ignore_index=True
    )
