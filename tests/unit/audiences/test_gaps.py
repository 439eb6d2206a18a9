"""Goods and content gaps: wanted, met and offered, against pandas on random members; deleted goods are no offer."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest

from orchestration.audiences.gaps import Kind, gaps
from orchestration.audiences.insight import InsightError

MEMBERS, DAYS = 400, 90
AS_OF = pd.Timestamp("2026-01-01")


@pytest.fixture
def frames() -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(5)
    products = pd.DataFrame({"number": range(30)})
    products["category"] = np.where(products["number"] < 20, "SK1", np.where(products["number"] < 27, "SK2", "SK3"))
    rows = 3000
    facts = pd.DataFrame(
        {
            "member_id": [f"m{number}" for number in random.integers(0, MEMBERS, rows)],
            "number": random.integers(0, 30, rows),
            "age_days": random.integers(-2, 100, rows),  # some at the cut and after it, some older than the window
            "what": random.choice(["seen", "bought", "read"], rows, p=[0.6, 0.1, 0.3]),
        }
    )
    facts["business_date"] = AS_OF - facts["age_days"].to_numpy().astype("timedelta64[D]")
    return {"products": products, "facts": facts.merge(products, on="number")}


@pytest.fixture
def connection(frames: dict[str, pd.DataFrame]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("products", frames["products"])
    connection.register("facts", frames["facts"])
    connection.execute(f"""
        create schema tags; create schema segments; create schema marts; create schema metrics;
        create table tags.member_tags as select 'm' || i as member_id, i >= 395 as is_staff_or_test from range({MEMBERS}) as r(i);
        create table tags.tag_catalogue as select date '2026-01-01' as as_of_date;
        create table segments.audience_catalogue as select unnest(['aud_some', 'aud_few']) as audience_id;
        create table segments.fct_audience_members as
            select 'aud_some' as audience_id, 'm' || i as member_id, null::date as valid_to from range(0, 200) as r(i)
            union all select 'aud_few', 'm' || i, null from range(0, 3) as r(i);
        create table marts.dim_products as
            select 'p' || number as product_id, 'c' || number as product_code, 'goods' as product_kind, 'SK' as category_l1_code,
                '护肤' as category_l1_name, category as category_l2_code, '类' || category as category_l2_name, number >= 27 as is_deleted
            from products;
        create table marts.fct_order_lines as
            select member_id, 'p' || number as product_id, 'sale' as line_kind, false as is_void, business_date::date as business_date
            from facts where what = 'bought';
        create table metrics.agg_member_product_days as
            select member_id, 'p' || number as product_id, business_date::date as business_date from facts where what = 'seen';
        create table marts.dim_content_items as
            select 'k' || number as content_code, category as category_code, number = 1 as is_deleted,
                case when number = 2 then timestamptz '2025-12-01' end as ended_at from products where number < 25;
        create table marts.fct_events as
            select member_id, 'app:k' || number as content_id, 'app' as source_system, true as is_behaviour,
                business_date::date as business_date
            from facts
            where what = 'read'
    """)
    return connection


def pairs(facts: pd.DataFrame, *kinds: str) -> set[tuple[str, str]]:
    inside = facts[facts["what"].isin(kinds) & facts["age_days"].between(1, DAYS)]
    return set(zip(inside["member_id"].tolist(), inside["category"].tolist(), strict=True))


@pytest.mark.parametrize("kind", ["goods", "content"])
def test_counts_are_those_of_sets(
    connection: duckdb.DuckDBPyConnection, frames: dict[str, pd.DataFrame], kind: Kind
) -> None:
    found = gaps(connection, "aud_some", kind, None, DAYS).set_index("category_code")
    facts = frames["facts"]
    wanted = {(member, category) for member, category in pairs(facts, "seen", "bought") if int(member[1:]) < 395}
    taken = pairs(facts, "bought") if kind == "goods" else pairs(facts.loc[facts["number"] < 25], "read")
    offered = {"goods": {"SK1": 20, "SK2": 7, "SK3": 0}, "content": {"SK1": 18, "SK2": 5, "SK3": 0}}[kind]
    group = {pair for pair in wanted if int(pair[0][1:]) < 200}
    for category in ("SK1", "SK2", "SK3"):
        row = found.loc[category]
        assert row["wanting_members"] == sum(c == category for _, c in group)
        assert row["unmet_members"] == sum(c == category for _, c in group - taken)
        assert row["base_members"] == sum(c == category for _, c in wanted - taken)
        assert row["offer_count"] == offered[category]
        if offered[category]:
            demand = sum(c == category for _, c in group) / len(group)
            assert row["gap_index"] == pytest.approx(100 * demand / (offered[category] / sum(offered.values())))
    assert found.index[0] == "SK3" and np.isnan(found.loc["SK3", "gap_index"]), "what is not offered at all comes first"
    assert found["category_name"].to_dict() == {code: f"类{code}" for code in ("SK1", "SK2", "SK3")}


def test_another_audience_as_the_base(connection: duckdb.DuckDBPyConnection) -> None:
    found = gaps(connection, "aud_some", "goods", "aud_few", DAYS)
    assert found["base_members"].tolist() == found["unmet_members"].tolist(), "the few are some of the group"


def test_there_must_be_something_to_say(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(InsightError, match="no category was wanted by 20 members of aud_few"):
        gaps(connection, "aud_few", "goods", None, DAYS)
    with pytest.raises(ValueError, match="at least one day"):
        gaps(connection, "aud_some", "goods", None, 0)
    connection.execute("delete from marts.dim_content_items")
    with pytest.raises(InsightError, match="no source of content"):
        gaps(connection, "aud_some", "content", None, DAYS)
