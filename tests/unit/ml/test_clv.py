"""Customer value: published parameters and likelihoods of CDNOW, simulated customers, and what a degenerate fit says of itself."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from benchmarks.evaluate_clv import CDNOW, cdnow_days, cdnow_rows
from ml.clv.gamma_gamma import GammaGamma
from ml.clv.measuring import value_metrics
from ml.clv.repeats import BgNbd, MbgNbd, Nbd, ParetoNbd, RepeatModel
from ml.clv.revenue import fit_revenue, spend_after
from ml.clv.summary import customer_summary

# Fader, Hardie and Lee 2005 (BG/NBD) and the BTYD walkthrough (Pareto/NBD), both on CDNOW.
PUBLISHED: dict[type[RepeatModel], dict[str, float]] = {
    BgNbd: {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    ParetoNbd: {"r": 0.5534, "alpha": 10.5802, "s": 0.6061, "beta": 11.6562},
    MbgNbd: {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    Nbd: {"r": 0.385, "alpha": 12.072},
}


@pytest.mark.skipif(not CDNOW.exists(), reason="CDNOW_sample.txt is not beside the project (../shared/data/cdnow)")
def test_every_figure_of_cdnow_is_held() -> None:
    rows = list(cdnow_rows(cdnow_days()))
    assert len([row for row in rows if row.is_held is not None]) >= 24
    assert [(row.figure, row.measured) for row in rows if row.is_held is False] == []


def test_summary_by_hand() -> None:
    days = pd.DataFrame(
        [
            ("a", "2024-01-01", 10.0),
            ("a", "2024-01-08", 4.0),
            ("a", "2024-01-08", 6.0),  # the same day: one purchase of 10
            ("a", "2024-01-15", 20.0),
            ("b", "2024-01-10", 5.0),
            ("a", "2024-01-29", 99.0),  # at the cut: not known
        ],
        columns=["member_id", "business_date", "amount"],
    )
    summary = customer_summary(days, date(2024, 1, 29))
    assert summary.to_dict("list") == {
        "member_id": ["a", "b"],
        "frequency": [2, 0],
        "recency": [2.0, 0.0],
        "age": [27 / 7, 18 / 7],
        "mean_amount": [15.0, pytest.approx(np.nan, nan_ok=True)],
    }


@pytest.mark.parametrize("kind", list(PUBLISHED))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_whoever_came_later_is_likelier_still_there(kind: type[RepeatModel], data: st.DataObject) -> None:
    model = kind(PUBLISHED[kind])
    x = data.draw(st.integers(1, 60))
    age = data.draw(st.floats(1, 200))
    t_x = np.sort(np.array(data.draw(st.lists(st.floats(0, age), min_size=2, max_size=8))))
    known = np.full(len(t_x), float(x)), t_x, np.full(len(t_x), age)
    alive = model.probability_alive(*known)
    assert ((alive >= 0) & (alive <= 1)).all() and (np.diff(alive) >= -1e-12).all()
    expected = np.column_stack([model.expected_repeats(weeks, *known) for weeks in (1.0, 10.0, 52.0)])
    assert np.isfinite(expected).all() and (np.diff(expected, axis=1) >= -1e-9).all() and (expected >= 0).all()
    any_ = model.probability_any(10.0, *known)
    assert (any_ <= np.minimum(alive, 1) + 1e-12).all()
    assert (any_ <= expected[:, 1] * 1.0 + 1e-6).all() or kind is not BgNbd, "P(any) is at most E(number)"


@pytest.mark.parametrize(("x", "t_x", "age"), [(0, 0.0, 30.0), (2, 12.0, 30.0), (7, 29.0, 31.0)])
def test_pareto_nbd_likelihood_is_its_integral(x: int, t_x: float, age: float) -> None:
    """Over rates of buying and of leaving, numerically, for one customer."""
    r, alpha, s, beta = (PUBLISHED[ParetoNbd][name] for name in ("r", "alpha", "s", "beta"))

    def of_leaving_rate(mu: float) -> float:
        def of_buying_rate(rate: float) -> float:
            stayed = np.exp(-(rate + mu) * age)
            left = mu / (rate + mu) * (np.exp(-(rate + mu) * t_x) - np.exp(-(rate + mu) * age))
            return rate**x * (stayed + left) * rate ** (r - 1) * np.exp(-alpha * rate) * alpha**r

        return (
            quad(of_buying_rate, 0, 5, limit=800, points=[1e-6, 1e-4, 1e-2, 0.1])[0]
            * mu ** (s - 1)
            * np.exp(-beta * mu)
            * beta**s
        )

    from scipy.special import gamma

    expected = quad(of_leaving_rate, 0, 5, limit=800, points=[1e-9, 1e-6, 1e-4, 1e-2, 0.1])[0] / gamma(r) / gamma(s)
    found = ParetoNbd(PUBLISHED[ParetoNbd]).log_likelihoods([x], [t_x], [age])[0]
    assert found == pytest.approx(np.log(expected), abs=2e-3)


def simulated(count: int, *, leaves: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    age = rng.uniform(20, 60, count)
    rate, stay = rng.gamma(0.8, 1 / 6.0, count), np.full(count, np.inf)
    if leaves:
        stay = rng.exponential(1 / rng.gamma(0.7, 1 / 10.0, count))
    times = [
        np.sort(rng.uniform(0, min(T, s), rng.poisson(r * min(T, s)))) for r, s, T in zip(rate, stay, age, strict=True)
    ]
    x = np.array([len(t) for t in times], dtype=float)
    return x, np.array([t[-1] if len(t) else 0.0 for t in times]), age


def test_simulated_customers_are_recovered() -> None:
    known = simulated(6000, leaves=True)
    model = ParetoNbd().fit(*known)
    truth = ParetoNbd({"r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 10.0})
    assert model.problems(*known) == []
    assert model.log_likelihood >= truth.log_likelihoods(*known).sum() - 1e-6, (
        "no parameters are likelier than the fitted ones"
    )
    ours, right = (m.expected_repeats(52.0, *known) for m in (model, truth))
    assert ours.sum() == pytest.approx(right.sum(), rel=0.06)
    assert np.abs(model.probability_alive(*known) - truth.probability_alive(*known)).mean() < 0.02


@pytest.mark.parametrize("kind", [BgNbd, MbgNbd, ParetoNbd])
def test_where_nobody_leaves_the_fit_says_so(kind: type[RepeatModel]) -> None:
    known = simulated(2000, leaves=False)
    problems = kind().fit(*known).problems(*known)
    assert any("no drop-out to be seen" in problem for problem in problems)
    assert Nbd().fit(*known).problems(*known) == [], "what is left when the others cannot"


def test_impossible_customers_are_refused() -> None:
    for x, t_x, age in ([1.0], [5.0], [4.0]), ([-1.0], [0.0], [4.0]), ([], [], []), ([1.0], [np.nan], [4.0]):
        with pytest.raises(ValueError, match="every customer needs"):
            BgNbd().fit(x, t_x, age)
    with pytest.raises(ValueError, match="not fitted"):
        BgNbd().expected_repeats(1.0, [1], [1], [2])
    with pytest.raises(ValueError, match="20 are needed"):
        GammaGamma().fit([1, 2], [3.0, 4.0])


def test_the_unit_of_money_changes_nothing_but_the_money() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(1, 9, 800)
    mean = rng.gamma(6.0 * x, 1 / (6.0 * x)) * (1 / rng.gamma(3.7, 1 / 60.0, 800)) * 60
    yuan, fen = GammaGamma().fit(x, mean), GammaGamma().fit(x, mean * 100)
    assert (fen.p, fen.q) == (pytest.approx(yuan.p, rel=1e-3), pytest.approx(yuan.q, rel=1e-3))
    np.testing.assert_allclose(fen.expected_amount(x, mean * 100), 100 * yuan.expected_amount(x, mean), rtol=1e-3)
    assert yuan.problems() == [] and GammaGamma(1.0, 0.9, 1.0).problems() == [
        "q is 0.90: the mean value of a purchase is not finite"
    ]


def test_value_metrics_by_hand() -> None:
    found = value_metrics([3.0, 1.0, 2.0, 0.0], [4.0, 0.0, 0.0, 0.0])
    assert (found.member_count, found.actual_sum, found.bias, found.mean_absolute_error) == (4, 4.0, 0.5, 1.0)
    assert found.normalised_gini == 1.0
    assert value_metrics([0.0, 1.0], [1.0, 0.0]).normalised_gini == -1.0
    assert value_metrics([1.0, 1.0], [1.0, 0.0]).normalised_gini == 0.0, "equal ranks share"
    assert np.isnan(value_metrics([1.0], [0.0]).bias)


def test_spend_after_a_cut_counts_its_days(shop) -> None:
    days = shop.purchase_days.assign(amount=1.0)
    rows = shop.features.loc[:, ["member_id", "as_of_date"]].sample(200, random_state=1)
    stamps = pd.to_datetime(days["business_date"])
    expected = [
        int(((days["member_id"] == member) & (stamps >= cut) & (stamps < cut + pd.Timedelta(days=28))).sum())
        for member, cut in rows.itertuples(index=False, name=None)
    ]
    assert spend_after(days, rows, 28).tolist() == expected


def test_revenue_is_learnt_from_earlier_cuts_alone(shop) -> None:
    days = shop.purchase_days.assign(amount=10.0)
    at = shop.now - pd.Timedelta(days=28)
    found = fit_revenue(shop.features, days, at, 28)
    rows = shop.features.loc[shop.features["as_of_date"] == at].sort_values("member_id")
    figures = value_metrics(found.to_numpy(), spend_after(days, rows, 28))
    assert figures.normalised_gini > 0.4 and abs(figures.bias) < 0.35
    past = days.loc[days["business_date"] < at]
    pd.testing.assert_series_equal(fit_revenue(shop.features, past, at, 28), found)
    with pytest.raises(ValueError, match="nothing to learn from"):
        fit_revenue(rows, days, at, 28)
