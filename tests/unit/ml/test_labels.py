"""Labels: the half-open window, its edges, and the refusal to label what is not yet known."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.common.labels import ImmatureLabelError, build_labels, in_population

DAY0 = pd.Timestamp("2024-03-01")


def day(offset: int) -> pd.Timestamp:
    return DAY0 + pd.Timedelta(days=offset)


def frame(column: str, pairs) -> pd.DataFrame:
    pairs = list(pairs)
    return pd.DataFrame(
        {
            "member_id": pd.Series([member for member, _ in pairs], dtype="str"),
            column: pd.Series([day(offset) for _, offset in pairs], dtype="datetime64[ns]"),
        }
    )


events = st.sets(st.tuples(st.sampled_from("abc"), st.integers(-20, 40)), max_size=25)


@given(purchases=events, cuts=events, horizon=st.integers(1, 15))
def test_labels_equal_brute_force(purchases, cuts, horizon) -> None:
    labelled = build_labels(frame("business_date", purchases), frame("as_of_date", cuts), horizon, day(100))
    expected = [
        int(any(member == buyer and cut <= bought < cut + horizon for buyer, bought in purchases))
        for member, cut in sorted(cuts)
    ]
    assert labelled["label"].tolist() == expected
    assert list(zip(labelled["member_id"], labelled["as_of_date"], strict=True)) == [
        (member, day(cut)) for member, cut in sorted(cuts)
    ]


@pytest.mark.parametrize(("bought", "label"), [(-1, 0), (0, 1), (27, 1), (28, 0)])
def test_the_cut_itself_is_inside_and_the_horizon_day_is_outside(bought: int, label: int) -> None:
    labelled = build_labels(frame("business_date", [("a", bought)]), frame("as_of_date", [("a", 0)]), 28, day(28))
    assert labelled["label"].tolist() == [label]


def test_a_window_that_is_one_day_short_of_known_is_refused() -> None:
    purchases, cut = frame("business_date", [("a", 0)]), frame("as_of_date", [("a", 0)])
    build_labels(purchases, cut, 28, day(28))
    with pytest.raises(ImmatureLabelError, match="2024-03-01"):
        build_labels(purchases, cut, 28, day(27))


def test_a_horizon_below_one_day_is_refused() -> None:
    with pytest.raises(ValueError, match="horizon_days is 0"):
        build_labels(frame("business_date", []), frame("as_of_date", [("a", 0)]), 0, day(1))


def test_population_counts_the_day_active_days_ago_and_leaves_out_unknown() -> None:
    features = pd.DataFrame({"recency_days": [1.0, 28.0, 29.0, None]})
    assert in_population(features, 28).tolist() == [True, True, False, False]
    assert in_population(features, None).tolist() == [True, True, True, False]
