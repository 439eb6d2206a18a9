"""Customer value beside the references (CLV-1 to CLV-3): `python -m benchmarks.evaluate_clv`, and part of `make evaluate`.

CDNOW's sample is read from the data beside the project; without it its rows are left out and that is said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.reference import ReferenceRow
from ml.clv.gamma_gamma import GammaGamma
from ml.clv.measuring import ValueMetrics, value_metrics
from ml.clv.repeats import BgNbd, MbgNbd, Nbd, ParetoNbd, RepeatModel, summary_arrays
from ml.clv.revenue import fit_revenue, spend_after
from ml.clv.summary import customer_summary
from orchestration import warehouse
from orchestration.evaluation import features_at
from orchestration.settings import PROJECT_ROOT, Settings, load_settings

CDNOW = PROJECT_ROOT.parent / "shared" / "data" / "cdnow" / "CDNOW_sample.txt"
CALIBRATION_END, HOLDOUT_WEEKS = date(1997, 10, 1), 39.0
AMOUNTS_SQL = """
    select member_id, business_date, cast(sum(gross_amount) as double) as amount
    from marts.fct_orders where member_id is not null and is_valid group by all order by member_id, business_date
"""


def cdnow_days(file: Path = CDNOW) -> pd.DataFrame:
    """member_id, business_date, amount of the 2,357 customers of the sample."""
    names = ["master_id", "member_id", "day", "cd_count", "amount"]
    kinds: Any = {"day": str, "member_id": str}
    rows = pd.read_csv(file, sep=r"\s+", header=None, names=names, dtype=kinds, usecols=["member_id", "day", "amount"])
    rows["business_date"] = pd.to_datetime(rows["day"], format="%Y%m%d")
    return rows.drop(columns="day")


def cdnow_rows(days: pd.DataFrame) -> Iterator[ReferenceRow]:
    """CLV-1 and CLV-2 on CDNOW."""
    subject = "CDNOW sample, calibration to 1997-09-30"
    summary = customer_summary(days, CALIBRATION_END)
    x, t_x, age = summary_arrays(summary)
    later = days.loc[days["business_date"] >= pd.Timestamp(CALIBRATION_END)].drop_duplicates(
        ["member_id", "business_date"]
    )
    holdout = later.groupby("member_id").size().reindex(summary["member_id"]).fillna(0).to_numpy()
    counts = {
        "customers": (len(summary), 2357),
        "calibration repeats": (x.sum(), 2457),
        "holdout purchases": (holdout.sum(), 1882),
        "active in the holdout": ((holdout > 0).sum(), 684),
        "repeat buyers": ((x > 0).sum(), 946),
    }
    for name, (found, told) in counts.items():
        yield ReferenceRow("CLV-1", subject, name, f"{told:,}", float(found), told, told)
    models = {
        name: model.fit(x, t_x, age)
        for name, model in (("BG/NBD", BgNbd()), ("Pareto/NBD", ParetoNbd()), ("MBG/NBD", MbgNbd()))
    }
    likelihoods = {"BG/NBD": -9582.429, "Pareto/NBD": -9594.976}
    for name, told in likelihoods.items():
        yield ReferenceRow(
            "CLV-1",
            subject,
            f"{name} log likelihood",
            f"{told:.3f}",
            models[name].log_likelihood,
            told - 0.01,
            told + 0.01,
        )
    for name, told in zip(("r", "alpha", "a", "b"), (0.2426, 4.4136, 0.7929, 2.4259), strict=True):
        yield ReferenceRow(
            "CLV-1", subject, f"BG/NBD {name}", f"{told}", models["BG/NBD"].parameters[name], told - 0.002, told + 0.002
        )
    value = GammaGamma().fit(x, summary["mean_amount"])
    for name, told in (("p", 6.249), ("q", 3.745), ("v", 15.448)):
        yield ReferenceRow(
            "CLV-1", subject, f"Gamma-Gamma {name}", f"{told}", getattr(value, name), told - 0.02, told + 0.02
        )
    yield ReferenceRow(
        "CLV-1", subject, "Gamma-Gamma log likelihood", "-4055.923", value.log_likelihood, -4055.933, -4055.913
    )
    yield from _holdout_rows(models, (x, t_x, age), holdout)


def _holdout_rows(models: dict[str, RepeatModel], known: tuple, holdout: np.ndarray) -> Iterator[ReferenceRow]:
    subject = "CDNOW sample, 39 weeks of holdout"
    limits = {"BG/NBD": (".7855", 0.79), "Pareto/NBD": (".7545", 0.76), "MBG/NBD": (".7648", None)}
    for name, (told, high) in limits.items():
        expected = models[name].expected_repeats(HOLDOUT_WEEKS, *known)
        yield ReferenceRow(
            "CLV-2", subject, f"{name} MAE, purchases", told, float(np.abs(expected - holdout).mean()), high=high
        )
        active = roc_auc_score(holdout > 0, models[name].probability_any(HOLDOUT_WEEKS, *known))
        yield ReferenceRow("CLV-2", subject, f"{name} AUC, active", "", float(active))
    walkthrough = BgNbd({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
    published = GammaGamma(6.25, 3.74, 15.44)
    pareto, bg = models["Pareto/NBD"], models["BG/NBD"]
    points = [
        ("Pareto/NBD E(X(52)), x 26 t_x 30.86 T 31", 25.4553, pareto.expected_repeats(52, [26], [30.86], [31])[0], 2e-3),
        ("Pareto/NBD P(alive), x 26 t_x 30.86 T 31", 0.99792, pareto.probability_alive([26], [30.86], [31])[0], 1e-3),
        ("BG/NBD E(X(52)), x 26 t_x 30.86 T 31", 25.7591, bg.expected_repeats(52, [26], [30.86], [31])[0], 1e-3),
        ("BG/NBD P(alive), x 26 t_x 30.86 T 31", 0.96892, bg.probability_alive([26], [30.86], [31])[0], 1e-3),
        ("BG/NBD E(X(39)), x 2 t_x 30.43 T 38.86", 1.2259, bg.expected_repeats(39, [2], [30.43], [38.86])[0], 1e-3),
        ("Gamma-Gamma E(value), x 2 m 22.35, published parameters", 24.6637, published.expected_amount([2], [22.35])[0], 1e-3),
    ]  # fmt: skip
    for name, told, found, within in points:
        yield ReferenceRow("CLV-2", "point oracles", name, f"{told}", float(found), told - within, told + within)
    at_published = float(walkthrough.log_likelihoods(*known).sum())
    yield ReferenceRow(
        "CLV-2",
        subject,
        "BG/NBD log likelihood at the published three decimals",
        "-9582.430",
        at_published,
        -9582.44,
        -9582.42,
    )


def degenerate_rows() -> Iterator[ReferenceRow]:
    """CLV-2: a fit without visible drop-out is found out. Customers who never leave, from a seed."""
    rng = np.random.default_rng(20260101)
    age = rng.uniform(10, 40, 3000)
    rates = rng.gamma(1.0, 0.2, 3000)
    times = [np.sort(rng.uniform(0, T, rng.poisson(rate * T))) for rate, T in zip(rates, age, strict=True)]
    x = np.array([len(t) for t in times], dtype=float)
    t_x = np.array([t[-1] if len(t) else 0.0 for t in times])
    for name, model in (("BG/NBD", BgNbd()), ("MBG/NBD", MbgNbd()), ("Pareto/NBD", ParetoNbd())):
        found = model.fit(x, t_x, age).problems(x, t_x, age)
        yield ReferenceRow(
            "CLV-2", "3,000 simulated customers of whom nobody leaves", f"{name}: reasons not to ship it", "degenerate",
            float(len(found)), low=1, note="; ".join(found),
        )  # fmt: skip


def revenue_rows(settings: Settings, cut: date, horizon: int = 90) -> Iterator[ReferenceRow]:
    """CLV-3: revenue of the next 90 days of all known customers, six cuts 15 days apart to learn from."""
    cuts = [cut - timedelta(days=horizon + 15 * number) for number in range(6)][::-1]
    features = features_at(settings, [*cuts, cut])
    with warehouse.read_only(settings.build_file) as connection:
        days = connection.execute(AMOUNTS_SQL).df()
    at: Any = pd.Timestamp(cut)
    now = features.loc[pd.to_datetime(features["as_of_date"]) == at].sort_values("member_id")
    actual = spend_after(days, now, horizon)
    summary = customer_summary(days, at).set_index("member_id").reindex(now["member_id"]).reset_index()
    known = summary_arrays(summary)
    value = GammaGamma().fit(known[0], summary["mean_amount"])
    amounts = value.expected_amount(known[0], summary["mean_amount"])
    expected: dict[str, tuple[np.ndarray, str]] = {"spend of the last 90 d": (now["spend_amount_90d"].to_numpy(), "")}
    for name, model in (("Pareto/NBD + Gamma-Gamma", ParetoNbd()), ("MBG/NBD + Gamma-Gamma", MbgNbd())):
        problems = model.fit(*known).problems(*known)
        if problems:
            model, name = Nbd().fit(*known), f"{name} (degenerate: NBD instead)"
        expected[name] = (model.expected_repeats(horizon / 7, *known) * amounts, "; ".join(problems))
    expected["boosting, poisson"] = (fit_revenue(features, days, at, horizon).reindex(now["member_id"]).to_numpy(), "")
    references = {
        "spend of the last 90 d": ".849",
        "Pareto/NBD + Gamma-Gamma": ".839",
        "MBG/NBD + Gamma-Gamma": ".839",
        "boosting, poisson": ".859",
    }
    subject = f"{settings.brand}, 90 d from {cut}, n {len(now):,}, {actual.sum():,.0f}"
    for name, (amount, note) in expected.items():
        figures: ValueMetrics = value_metrics(amount, actual)
        low = 0.85 if name == "boosting, poisson" else None
        yield ReferenceRow(
            "CLV-3",
            subject,
            f"normalised Gini, {name}",
            references.get(name, ""),
            figures.normalised_gini,
            low=low,
            note=note,
        )
        yield ReferenceRow("CLV-3", subject, f"bias, {name}", "", figures.bias)
        yield ReferenceRow("CLV-3", subject, f"MAE, {name}", "", figures.mean_absolute_error)


def rows(grocery: Settings) -> Iterator[ReferenceRow]:
    """Every figure of CLV-1 to CLV-3; `grocery` is complete journey's home, built."""
    if CDNOW.exists():
        yield from cdnow_rows(cdnow_days())
    else:
        print(
            f"CDNOW is not there ({CDNOW.name} beside the project): CLV-1 and most of CLV-2 are left out",
            file=sys.stderr,
        )
    yield from degenerate_rows()
    yield from revenue_rows(grocery, date(2017, 10, 3))


def main() -> int:
    from benchmarks.evaluate import show

    found = list(rows(load_settings("complete_journey")))
    show(found, "Customer value beside references")
    return 0 if all(row.is_held is not False for row in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
