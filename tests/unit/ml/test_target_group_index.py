"""TGI and its significance, against scipy's own tables and Benjamini and Hochberg by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml.insight.target_group_index import target_group_index


def frame(*pairs: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["group_members", "base_members"])


def test_by_hand() -> None:
    figures = target_group_index(frame((30, 100), (10, 100)), group_count=100, base_count=1000)
    assert figures["tgi"].tolist() == [300.0, 100.0]
    assert figures["group_rate"].tolist() == [0.3, 0.1]
    assert figures["p_value"][1] == 1.0
    assert figures["is_significant"].tolist() == [True, False]


@given(
    st.integers(1, 60),
    st.integers(1, 200),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6),
)
def test_p_values_are_scipys(group_count: int, rest_count: int, shares: list[tuple[float, float]]) -> None:
    rows = [(round(a * group_count), round(a * group_count) + round(b * rest_count)) for a, b in shares]
    figures = target_group_index(frame(*rows), group_count, group_count + rest_count)
    for (group, base), p in zip(rows, figures["p_value"], strict=True):
        table = np.array([[group, group_count - group], [base - group, rest_count - base + group]])
        if (table.sum(axis=0) == 0).any():
            assert p == 1.0
            continue
        least = stats.contingency.expected_freq(table).min()
        expected = (
            stats.fisher_exact(table).pvalue if least < 5 else stats.chi2_contingency(table, correction=False).pvalue
        )
        assert p == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_q_values_are_those_of_the_step_up_procedure(groups: list[int]) -> None:
    figures = target_group_index(frame(*((g, g + 100) for g in groups)), 40, 1000)
    p = figures["p_value"].to_numpy()
    order = np.argsort(p)
    expected, running = np.empty(len(p)), 1.0
    for rank in range(len(p), 0, -1):
        index = order[rank - 1]
        running = min(running, p[index] * len(p) / rank)
        expected[index] = running
    np.testing.assert_allclose(figures["q_value"], expected, rtol=1e-12)


def test_false_discoveries_are_held_where_nothing_is_there() -> None:
    """400 experiments with 40 values that the group has like everybody: some false discovery in about 5 % of them."""
    generator = np.random.default_rng(20260101)
    found = 0
    for _ in range(400):
        rates = generator.uniform(0.05, 0.6, 40)
        group, rest = generator.binomial(500, rates), generator.binomial(5_000, rates)
        found += target_group_index(frame(*zip(group, group + rest, strict=True)), 500, 5_500)["is_significant"].any()
    assert 0.02 <= found / 400 <= 0.08


@pytest.mark.parametrize("row", [(11, 20), (5, 4), (1, 100)])
def test_counts_that_no_group_can_have_are_refused(row: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no part of the base"):
        target_group_index(frame(row), group_count=10, base_count=50)


def test_nothing_to_compare_is_no_error() -> None:
    assert target_group_index(frame(), 10, 50).empty
    nobody = target_group_index(frame((0, 0)), 10, 50)
    assert np.isnan(nobody["tgi"][0]) and nobody["p_value"][0] == 1.0 and not nobody["is_significant"][0]
