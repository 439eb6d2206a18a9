"""The card: its numbers are those of the evaluation, its pictures stand by themselves, and nothing in it can break the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve

from ml.common.card import write_html_card
from ml.common.evidence import collect, cumulative_gain, permutation_importance, reliability
from ml.common.pipeline import TrainResult, train_and_score
from ml.common.plots import gain_chart, importance_chart, reliability_chart
from ml.propensity.model import propensity_task


@pytest.fixture(scope="module")
def result(shop) -> TrainResult:
    task = propensity_task(28, candidate_names=("recency_rule", "rfm_logistic"))
    return train_and_score(shop.features, shop.purchase_days, task, shop.now)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_reliability_is_scikit_learns_curve_with_wilsons_interval() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(1000)
    labels = (rng.random(1000) < scores).astype(float)
    found = pd.DataFrame(reliability(labels, scores))
    rates, means = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(found["rate"], rates, atol=0.011)  # a row more or less in a bin
    np.testing.assert_allclose(found["mean_score"], means, atol=0.002)
    assert (
        found["row_count"].sum() == 1000 and ((found["low"] <= found["rate"]) & (found["rate"] <= found["high"])).all()
    )
    # Wilson's interval of 0 of 10: [0, .2775] (Agresti and Coull 1998).
    (none,) = reliability(np.zeros(10), np.full(10, 0.1), bins=1)
    assert (none["low"], none["high"]) == (pytest.approx(0, abs=1e-6), pytest.approx(0.2775, abs=1e-4))


def test_gain_of_a_perfect_of_a_constant_and_of_a_reversed_score() -> None:
    labels = np.r_[np.ones(20), np.zeros(80)]
    by_share = lambda scores: {row["share"]: row["reached"] for row in cumulative_gain(labels, scores)}  # noqa: E731
    assert by_share(labels)[0.2] == 1 and by_share(labels)[0.1] == pytest.approx(0.5)
    constant = by_share(np.full(100, 0.3))
    assert all(reached == pytest.approx(share) for share, reached in constant.items()), "ties share their rate"
    assert by_share(1 - labels)[0.75] == 0


def test_importance_finds_the_column_that_matters_and_repeats_itself() -> None:
    rng = np.random.default_rng(2)
    inputs = pd.DataFrame(rng.normal(size=(800, 3)), columns=["noise", "signal", "nothing"])
    labels = (rng.random(800) < 1 / (1 + np.exp(-2 * inputs["signal"]))).to_numpy(dtype=float)
    scorer = lambda rows: 1 / (1 + np.exp(-rows["signal"].to_numpy()))  # noqa: E731
    found = permutation_importance(scorer, inputs, labels)
    assert found == permutation_importance(scorer, inputs, labels)
    weights = {row["feature"]: row["lost_auc"] for row in found}
    assert found[0]["feature"] == "signal" and weights["signal"] > 0.25 and weights["noise"] == weights["nothing"] == 0


def test_one_class_gives_no_curves_and_still_a_page(result: TrainResult) -> None:
    empty = collect(lambda rows: np.zeros(len(rows)), pd.DataFrame({"a": [1.0, 2.0]}), np.zeros(2), np.zeros(2))
    assert empty == {"reliability": [], "gain": [], "importance": []}
    page = write_html_card({**result.metadata, "evidence": empty}, result.evaluation)
    assert "<svg" not in page and result.model_version in page


def test_charts_are_well_formed_and_say_their_numbers() -> None:
    bins = [{"mean_score": 0.1, "rate": 0.12, "low": 0.08, "high": 0.2, "row_count": 50}]
    assert {"0%", "20%"} <= set(texts(reliability_chart(bins)))  # the axis ends where the data do
    assert "100%" in texts(reliability_chart([{**bins[0], "high": 0.95}]))
    assert "100%" in texts(gain_chart([{"share": 0.0, "reached": 0.0}, {"share": 1.0, "reached": 1.0}], 0.3))
    drawn = importance_chart([{"feature": "a<b & c", "lost_auc": 0.02}, {"feature": "d", "lost_auc": -0.001}])
    assert texts(drawn)[0] == "a<b & c" and "-0.0010" in texts(drawn)
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', drawn)]
    assert widths[0] > 100 and widths[1] == 0
    assert importance_chart([]).startswith("<svg")


def test_the_page_stands_by_itself_in_two_languages(result: TrainResult) -> None:
    page = result.card_html

    names: list[str] = []
    links: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            names.append(tag)
            links.extend(value or "" for name, value in attrs if name in ("src", "href"))

    Tags().feed(page)
    assert names.count("svg") == 3 and "script" not in names and links == []
    for heading in ("问题 <small>Question", "检验期表现", "图示 <small>Plots", "使用限制 <small>Limits"):
        assert heading in page
    champion = result.evaluation[result.evaluation["is_champion"]].iloc[0]
    assert f"<td>{champion['auc']:.4f}</td>" in page and f"{champion['population_count']:,}" in page
    assert page == write_html_card(result.metadata, result.evaluation)


def test_text_from_outside_cannot_break_the_page(result: TrainResult) -> None:
    task = {**result.metadata["task"], "question": "<b>1 & 2</b>"}
    names = ["<script>alert(1)</script>", *result.metadata["feature_names"]]
    page = write_html_card({**result.metadata, "task": task, "feature_names": names}, result.evaluation)
    assert "<script" not in page and "&lt;b&gt;1 &amp; 2&lt;/b&gt;" in page
