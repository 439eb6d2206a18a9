"""RFM figure by figure beside published tables, and the top tenth of spend beside numpy's percentile.

The library (openretailscience 0.48.1) brings another DuckDB than the pinned one, so what it gave is kept here as figures.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered_models import model_sql

AS_OF = date(2026, 7, 1)
ORDERS = "member_id varchar, is_valid boolean, gross_amount decimal(18, 2), business_date date"
PARAMETERS: dict[str, Any] = {
    "brand_rfm_window_days": 3660,
    "brand_rfm_recency_limits": [114, 180, 296, 481],
    "brand_rfm_frequency_limits": [4, 5, 6, 8],
    "brand_rfm_monetary_limits": [256, 382, 506, 666],
    "brand_rfm_high_score": 4,
    "brand_rfm_migration_days": [30],
}
# Ten customers as the README of R's package rfm (rsquaredacademy/rfm) prints them: recency_days, transaction_count, amount and
# the three scores. The limits are those of its documentation of rfm_table_order for the same data; its bins are open above.
PUBLISHED = [
    (205, 6, 472, 3, 4, 3), (140, 3, 340, 4, 1, 2), (194, 4, 405, 3, 2, 3), (132, 5, 448, 4, 3, 3), (90, 9, 843, 5, 5, 5),
    (84, 9, 763, 5, 5, 5), (281, 8, 699, 3, 5, 5), (246, 4, 157, 3, 2, 1), (349, 3, 363, 2, 1, 2), (619, 4, 196, 1, 2, 1),
]  # fmt: skip


def rows(sql: str, orders: list[tuple[str, Decimal, date]], **tables: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute("create table int_clocks_resolved as select ?::date as as_of_date", [AS_OF])
        connection.execute(f"create table fct_orders ({ORDERS})")
        if orders:
            connection.executemany("insert into fct_orders values (?, true, ?, ?)", orders)
        for name, text in tables.items():
            connection.execute(f"create table {name} as {text}")
        return connection.execute(sql).fetchall()


def test_threshold_scores_are_those_of_the_published_sample() -> None:
    orders = [
        (f"m{number}", Decimal(amount) if n == 0 else Decimal(0), AS_OF - timedelta(recency + n))
        for number, (recency, count, amount, *_) in enumerate(PUBLISHED)
        for n in range(count)
    ]
    sql = model_sql("segments/seg_rfm_history", **PARAMETERS)
    found = rows(
        f"select recency_days, purchase_day_count, spend_amount, recency_threshold_score, frequency_threshold_score, "
        f"monetary_threshold_score from ({sql}) where days_before = 0 order by member_id",
        orders,
    )
    assert found == [tuple(row) for row in PUBLISHED]


# Fourteen customers with equals in every dimension: recency_days, frequency, monetary, and r_score, f_score, m_score as
# openretailscience.segmentation.rfm.RFMSegmentation(df, current_date, r_segments=5, f_segments=5, m_segments=5) gave them.
# Its bins count from 0, ours from 1. Whole of demo (15,682 buyers): no figure differs.
LIBRARY = [
    (31, 2, 50, 2, 1, 0), (90, 2, 80, 0, 2, 1), (10, 1, 50, 3, 0, 0), (90, 3, 80, 0, 3, 1), (3, 1, 120, 4, 0, 3),
    (45, 2, 80, 1, 2, 1), (10, 2, 80, 3, 2, 2), (3, 5, 80, 4, 4, 2), (45, 1, 80, 1, 0, 2), (45, 2, 300, 1, 3, 4),
    (45, 1, 120, 2, 1, 3), (45, 5, 120, 2, 4, 4), (31, 1, 80, 3, 1, 3), (200, 2, 50, 0, 3, 0),
]  # fmt: skip


def test_quintiles_are_those_of_the_library() -> None:
    orders = [
        (f"m{number:02d}", Decimal(amount) if n == 0 else Decimal(0), AS_OF - timedelta(recency + n))
        for number, (recency, count, amount, *_) in enumerate(LIBRARY)
        for n in range(count)
    ]
    sql = model_sql("segments/seg_rfm_history", **PARAMETERS)
    found = rows(
        f"select recency_days, purchase_day_count, spend_amount, recency_score, frequency_score, monetary_score "
        f"from ({sql}) where days_before = 0 order by member_id",
        orders,
    )
    assert found == [(*figures, r + 1, f + 1, m + 1) for *figures, r, f, m in LIBRARY]


def test_the_mean_tier_compares_with_the_mean_exactly() -> None:
    # Means: 20 days, 2 purchase days, 100.00. Whoever is at the mean is not above it.
    orders = [
        ("at-mean", Decimal(50), AS_OF - timedelta(20)), ("at-mean", Decimal(50), AS_OF - timedelta(25)),
        ("above", Decimal("100.01"), AS_OF - timedelta(10)), ("above", Decimal(0), AS_OF - timedelta(11)),
        ("above", Decimal(0), AS_OF - timedelta(12)),
        ("below", Decimal("99.99"), AS_OF - timedelta(30)),
    ]  # fmt: skip
    sql = model_sql("segments/seg_rfm_history", **PARAMETERS)
    found = rows(f"select member_id, mean_tier from ({sql}) where days_before = 0 order by 1", orders)
    assert found == [("above", "champion"), ("at-mean", "potential"), ("below", "potential")]


spends = st.lists(st.integers(0, 40).map(lambda cents: Decimal(cents) * 25 / 100), min_size=1, max_size=60)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(amounts=spends)
def test_the_top_tenth_is_that_of_numpys_percentile(amounts: list[Decimal]) -> None:
    sql = model_sql("segments/seg_value_tiers", brand_value_high_rate=0.3)
    found = rows(
        f"select spend_amount_365d, is_top_10pct_spend_365d from ({sql}) order by member_id",
        [(f"m{number:03d}", amount, AS_OF - timedelta(1 + number % 365)) for number, amount in enumerate(amounts)],
        dim_members="select distinct member_id from fct_orders",
        tags_prediction="select distinct member_id, 0.5 as purchase_propensity_score from fct_orders",
    )
    spent = [float(amount) for amount in amounts if amount > 0]
    limit = np.percentile(spent, 90) if spent else float("inf")
    # Quarters are exact in binary, interpolated limits nearly so.
    assert found == [(amount, amount > 0 and float(amount) >= limit - 1e-9) for amount in amounts]


def test_value_tiers_keep_equals_together_and_need_a_prediction() -> None:
    sql = model_sql("segments/seg_value_tiers", brand_value_high_rate=0.4)
    orders = [(name, Decimal(amount), AS_OF - timedelta(days)) for name, amount, days in (
        ("gold", 100, 5), ("slow", 100, 5), ("rising", 10, 5), ("edge", 10, 5), ("past", 100, 400), ("unscored", 5, 5))]  # fmt: skip
    scores = "values ('gold', 0.9), ('slow', 0.01), ('rising', 0.95), ('edge', 0.02), ('past', 0.9), ('unscored', null::double)"
    found = rows(
        f"select member_id, value_tier, is_high_now from ({sql}) order by 1",
        orders,
        dim_members="select distinct member_id from fct_orders",
        tags_prediction=f"select * from ({scores}) as t(member_id, purchase_propensity_score)",
    )
    assert found == [
        ("edge", "edge", False), ("gold", "gold", True), ("past", "potential", False),
        ("rising", "edge", False), ("slow", "needs_activation", True), ("unscored", None, False),
    ]  # fmt: skip


def test_a_brand_without_orders_has_no_rows_and_no_error() -> None:
    empty = {
        "dim_members": "select 'm1' as member_id",
        "tags_prediction": "select 'm1' as member_id, cast(null as double) as purchase_propensity_score",
        "seg_rfm_history": "select '' as member_id, 0 as days_before, '' as rfm_tier, '' as threshold_tier, '' as mean_tier where false",
    }
    for path in ("segments/seg_rfm_history", "segments/seg_value_tiers", "metrics/agg_rfm_migrations"):
        sql = model_sql(path, **PARAMETERS, brand_value_high_rate=0.3, brand_has_orders=False)
        assert rows(sql, [], **empty) == [], path
