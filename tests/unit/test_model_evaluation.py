"""Which cuts teach and who is asked when a model is judged at a past cut."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.brands import load_brand
from orchestration.evaluation import EvaluationError, evaluate, task_of, training_cuts
from orchestration.settings import load_settings


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


@pytest.mark.parametrize(
    ("cut", "horizon", "first", "expected"),
    [
        # The protocols of the reference figures: 90 days on Online Retail, 30 days there, 28 on complete journey.
        ("2011-09-10", 90, "2010-12-01", days("2011-03-14", "2011-04-13", "2011-05-13", "2011-06-12")),
        (
            "2011-11-09",
            30,
            "2010-12-01",
            days("2011-05-13", "2011-06-12", "2011-07-12", "2011-08-11", "2011-09-10", "2011-10-10"),
        ),
        (
            "2017-12-03",
            28,
            "2017-01-01",
            days("2017-06-18", "2017-07-16", "2017-08-13", "2017-09-10", "2017-10-08", "2017-11-05"),
        ),
        ("2024-03-01", 28, "2024-01-01", days("2024-02-02")),  # short history: a horizon behind a cut must do
        ("2024-02-01", 28, "2024-01-01", []),
    ],
)
def test_cuts_to_learn_from(cut: str, horizon: int, first: str, expected: list[date]) -> None:
    assert training_cuts(date.fromisoformat(cut), horizon, date.fromisoformat(first)) == expected


@given(st.integers(1, 400), st.integers(1, 20), st.integers(0, 1000))
def test_every_outcome_is_known_at_the_cut(horizon: int, count: int, history: int) -> None:
    cut = date(2024, 6, 1)
    cuts = training_cuts(cut, horizon, cut - timedelta(days=history), count)
    assert cuts == sorted(set(cuts)) and len(cuts) <= count
    assert all(day + timedelta(days=horizon) <= cut for day in cuts)


def test_who_is_asked_follows_from_the_brand() -> None:
    retail, grocery = (load_brand(load_settings(name)) for name in ("online_retail", "complete_journey"))
    assert task_of(retail, "churn", 90).active_days == 180
    assert task_of(retail, "purchase", 30).active_days is None
    assert task_of(grocery, "churn", 28).active_days == 28
    assert task_of(grocery, "purchase", 7).active_days == 90
    assert task_of(grocery, "purchase", 7, active_days=14).active_days == 14


def test_a_brand_that_was_never_built_is_told_how(tmp_path) -> None:
    settings = load_settings("cdnow", {"TESSERA_HOME": str(tmp_path)})
    brand = load_brand(settings)
    with pytest.raises(EvaluationError, match="run `tessera run --brand cdnow` first"):
        evaluate(settings, brand, task_of(brand, "purchase", 30), date(1998, 1, 1))
