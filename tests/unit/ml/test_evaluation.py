"""Figures against scikit-learn or by hand, independent of row order, and the verdicts a gate reads."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from ml.common.evaluation import (
    bootstrap_auc_interval,
    evaluate,
    expected_calibration_error,
    judge,
    lift_at,
    single_feature_auc,
)


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    scores = rng.random(2000).round(2)  # ties on purpose
    return (rng.random(2000) < scores).astype(int), scores


def test_figures_equal_scikit_learn(scored) -> None:
    labels, scores = scored
    metrics = evaluate(labels, scores)
    assert metrics.auc == pytest.approx(roc_auc_score(labels, scores))
    assert metrics.average_precision == pytest.approx(average_precision_score(labels, scores))
    assert metrics.brier == pytest.approx(brier_score_loss(labels, scores))
    assert metrics.log_loss == pytest.approx(log_loss(labels, scores))
    assert metrics.brier_skill == pytest.approx(1 - metrics.brier / np.var(labels))
    assert metrics.mean_score_over_base == pytest.approx(scores.mean() / labels.mean())


def test_figures_do_not_depend_on_the_order_of_rows(scored) -> None:
    labels, scores = scored
    order = np.random.default_rng(0).permutation(len(labels))
    assert asdict(evaluate(labels, scores)) == pytest.approx(asdict(evaluate(labels[order], scores[order])))


def test_calibration_error_by_hand() -> None:
    labels = np.array([0, 0, 1, 1])  # two bins: |.15 - 0| and |.75 - 1|, two rows each
    assert expected_calibration_error(labels, np.array([0.1, 0.2, 0.7, 0.8]), bins=2) == pytest.approx(0.2)


def test_lift_by_hand_and_with_ties() -> None:
    labels = np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    assert lift_at(labels, np.linspace(1, 0.1, 10), 0.1) == pytest.approx(5.0)
    assert lift_at(labels, np.full(10, 0.3), 0.1) == pytest.approx(1.0)  # all tied: no better than the base rate


def test_bootstrap_interval_equals_resampling_with_scikit_learn(scored) -> None:
    labels, scores = scored[0][:300], scored[1][:300]
    order = np.lexsort((labels, scores))
    rng = np.random.default_rng(5)
    draws = [order[rng.integers(0, 300, 300)] for _ in range(60)]
    expected = np.percentile([roc_auc_score(labels[draw], scores[draw]) for draw in draws], [2.5, 97.5])
    assert bootstrap_auc_interval(labels, scores, draws=60, seed=5) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("labels", [[], [0, 0, 0], [1, 1, 1]])
def test_one_class_gives_a_stated_result(labels: list[int]) -> None:
    metrics = evaluate(np.array(labels), np.full(len(labels), 0.5))
    assert (metrics.population_count, metrics.positive_count) == (len(labels), sum(labels))
    assert math.isnan(metrics.auc) and math.isnan(metrics.ece_10_equal_count)
    verdict = judge(metrics.auc, metrics.auc, pd.Series(dtype=float), 0.97)
    assert not verdict.is_rule_beaten and verdict.text.startswith("undefined")


def test_single_feature_auc_equals_scikit_learn_in_the_better_direction(scored) -> None:
    labels, scores = scored
    missing = np.where(labels == 1, np.nan, scores)
    aucs = single_feature_auc(pd.DataFrame({"up": scores, "down": -scores, "missing": missing}), labels)
    assert aucs["up"] == pytest.approx(roc_auc_score(labels, scores)) == aucs["down"]
    assert aucs["missing"] == 1.0  # being missing tells the label


def test_verdicts_floor_and_ceiling() -> None:
    clean = pd.Series({"a": 0.8})
    assert judge(0.80, 0.804, clean, 0.97).is_rule_beaten
    assert not judge(0.80, 0.806, clean, 0.97).is_rule_beaten
    assert not judge(0.97, 0.8, clean, 0.97).is_leak_suspected
    assert judge(0.971, 0.8, clean, 0.97).is_leak_suspected
    leaking = judge(0.85, 0.8, pd.Series({"a": 0.8, "b": 0.98}), 0.97)
    assert leaking.is_leak_suspected and "columns b" in leaking.text
