"""Judging at a past cut: only earlier cuts with a known outcome teach, what is measured is scikit-learn's, too little data is said."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from ml.churn.model import churn_task
from ml.common import columns as col
from ml.common.estimators import RULES
from ml.common.labels import ImmatureLabelError, build_labels
from ml.common.pipeline import CutEvaluation, TooFewRowsError, evaluate_at
from ml.common.splits import TooFewCutsError
from ml.propensity.model import propensity_task

HORIZON = 28
NOW: Any = pd.Timestamp("2024-01-01") + pd.Timedelta(days=330)  # of the shop in conftest.py
CUT: Any = NOW - pd.Timedelta(days=2 * HORIZON)
TASK = propensity_task(HORIZON, candidate_names=("recency_rule", "order_count_rule", "rfm_logistic", "logistic"))


@pytest.fixture(scope="module")
def found(shop) -> CutEvaluation:
    return evaluate_at(shop.features, shop.purchase_days, TASK, CUT, NOW)


def test_teaches_from_cuts_whose_outcome_was_known(found: CutEvaluation) -> None:
    assert found.at == CUT and set(found.figures) == {*TASK.candidate_names, "champion"}
    assert len(found.train_cuts) == 4
    assert max(found.train_cuts) + pd.Timedelta(days=HORIZON) == CUT
    assert found.figures["champion"].auc > max(found.figures[rule].auc for rule in RULES) - 0.02


def test_figures_are_those_of_scikit_learn(shop, found: CutEvaluation) -> None:
    """A rule is monotone in its column, so its ranking figures can be had without it."""
    rows = shop.features.loc[shop.features[col.AS_OF_DATE] == CUT]
    labels = build_labels(shop.purchase_days, rows, HORIZON, NOW).set_index("member_id")["label"]
    ranked = -rows.set_index("member_id")[col.RECENCY].reindex(labels.index)
    rule = found.figures["recency_rule"]
    assert (rule.population_count, rule.positive_count) == (len(labels), labels.sum())
    assert rule.auc == pytest.approx(roc_auc_score(labels, ranked))
    assert rule.average_precision == pytest.approx(average_precision_score(labels, ranked))
    assert rule.brier < brier_score_loss(labels, [labels.mean()] * len(labels))


def test_what_is_known_later_changes_nothing(shop, found: CutEvaluation) -> None:
    """Features of later cuts, and purchases after the label window, are of no use to it."""
    ends = CUT + pd.Timedelta(days=HORIZON)
    past = shop.features.loc[shop.features[col.AS_OF_DATE] <= CUT]
    days = shop.purchase_days.loc[shop.purchase_days[col.BUSINESS_DATE] < ends]
    assert evaluate_at(past, days, TASK, CUT, ends).figures == found.figures


def test_too_little_is_said(shop) -> None:
    with pytest.raises(ImmatureLabelError):
        evaluate_at(shop.features, shop.purchase_days, TASK, NOW, NOW)
    first = shop.features[col.AS_OF_DATE].min()
    with pytest.raises(TooFewCutsError, match="nothing to train on"):
        evaluate_at(shop.features, shop.purchase_days, TASK, first, NOW)
    few = shop.features.loc[shop.features["member_id"] < "m00100"]
    with pytest.raises(TooFewRowsError, match="100 of each are needed"):
        evaluate_at(few, shop.purchase_days, churn_task(HORIZON, HORIZON), CUT, NOW)
