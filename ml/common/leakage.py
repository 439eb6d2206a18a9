"""Does a model know what it should not? Three questions that a run can ask of its own labelled rows, with stated bounds.

Each is blind to some leaks: one column that knows the answer (ceiling), columns that describe the label window (shift), an
evaluation that trains on what it judges (shuffled labels). That facts of the future change no feature cannot be asked of rows:
it is tested on the warehouse (tests/integration/test_leakage.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from ml.common.checks import Check
from ml.common.estimators import SEED
from ml.common.evaluation import single_feature_auc

SHUFFLES = 20  # one alone is a flaky test: 80 clean runs gave AUC .40 to .63
SHUFFLE_ERRORS = 4  # standard errors of the mean of SHUFFLES; at 3 a clean daily run would be stopped about once a year
SHUFFLE_ROWS = 4000  # rows used of each part: enough for an error of .005, and a tree takes milliseconds
# AUC by which one column may tell its label window better than the window after it, beside SHIFT_ERRORS of noise (four: it is the
# worst of some thirty columns). Honest sums of purchases lose .00 to .02 (20,000 simulated members), a count of 90 days that is taken
# two weeks late .08 to .09, four weeks late .14 to .16. An honest sign of what is wanted right now may lose as much: hence a warning.
SHIFT_GAP = 0.05
SHIFT_ERRORS = 4
SHIFT_DRAWS = 100
MIN_CLASS = 30  # rows of the rarer class below which a figure is all noise, and is not judged


def ceiling_check(features: pd.DataFrame, labels: np.ndarray, auc_ceiling: float) -> list[Check]:
    """The AUC of the best single column must not exceed `auc_ceiling`. Nothing is said where the labels have one class."""
    aucs = single_feature_auc(features, labels)
    if aucs.empty or aucs.isna().all():
        return []
    best = str(aucs.idxmax())
    value = float(aucs.max())
    return [Check("single_feature_auc", best, value, auc_ceiling, value <= auc_ceiling)]


def shift_check(features: pd.DataFrame, labels: np.ndarray, next_labels: np.ndarray) -> list[Check]:
    """No column may know its label window much better than the one after it: such a column describes the window.

    `features` (n, p) of one cut, `labels` (n,) of the window that begins there, `next_labels` (n,) of the window after. Value: the
    largest loss of AUC from the one to the other; bound: SHIFT_GAP + SHIFT_ERRORS standard errors of it, from SHIFT_DRAWS
    bootstrap samples of the rows.

    The window *before* the cut, which is often proposed, cannot be used: honest features describe it by definition (a logistic over
    recency, frequency and spend gives AUC .84 to .97 there, against .66 to .85 ahead).
    """
    rarest = min(_rarer(labels), _rarer(next_labels))
    if rarest < MIN_CLASS:
        return []
    loss = _lost_auc(features, labels, next_labels)
    if loss.isna().all():
        return []
    column = loss.idxmax()
    rng = np.random.default_rng(SEED)
    draws = (rng.integers(0, len(labels), len(labels)) for _ in range(SHIFT_DRAWS))
    drawn = [_lost_auc(features[[column]].iloc[rows], labels[rows], next_labels[rows]).iloc[0] for rows in draws]
    threshold = SHIFT_GAP + SHIFT_ERRORS * float(np.std(drawn))
    value = float(loss.max())
    return [Check("label_shift", str(column), value, threshold, value <= threshold)]


def _lost_auc(features: pd.DataFrame, labels: np.ndarray, next_labels: np.ndarray) -> pd.Series:
    return single_feature_auc(features, labels) - single_feature_auc(features, next_labels)


# Train inputs, train labels, test inputs -> scores.
Judge = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame], np.ndarray]


def shuffled_check(
    train: pd.DataFrame,
    train_labels: np.ndarray,
    test: pd.DataFrame,
    test_labels: np.ndarray,
    judge: Judge | None = None,
) -> list[Check]:
    """A model taught shuffled labels must score a coin's AUC: the mean of SHUFFLES within SHUFFLE_ERRORS of its error.

    Rows with the same index in both parts share their shuffled label: what is both trained on and judged shows. `judge` gives the
    scores of the test rows; default: one deep tree, which remembers every row it saw. Value: the mean AUC's distance from .5.
    """
    parts = [_sample(train, train_labels), _sample(test, test_labels)]
    (train, train_labels), (test, test_labels) = parts
    if min(_rarer(train_labels), _rarer(test_labels)) < MIN_CLASS:
        return []
    judge = judge or _tree_scores
    known = pd.concat([pd.Series(labels, index=rows.index) for rows, labels in parts])
    known = known.loc[~known.index.duplicated()]
    aucs = []
    for seed in range(SHUFFLES):
        shuffled = pd.Series(np.random.default_rng(seed).permutation(known.to_numpy()), index=known.index)
        expected = shuffled.loc[test.index].to_numpy()
        aucs.append(roc_auc_score(expected, judge(train, shuffled.loc[train.index].to_numpy(), test)))
    threshold = SHUFFLE_ERRORS * auc_error(test_labels) / np.sqrt(SHUFFLES)
    value = abs(float(np.mean(aucs)) - 0.5)
    return [Check("shuffled_labels", f"mean of {SHUFFLES}", value, float(threshold), value <= threshold)]


def auc_error(labels: np.ndarray) -> float:
    """Standard deviation of the AUC of scores that say nothing: sqrt((n + 1) / (12 n1 n0)), of Mann-Whitney's U."""
    count, positives = len(labels), int(np.sum(labels))
    return float(np.sqrt((count + 1) / (12 * positives * (count - positives))))


def _rarer(labels: np.ndarray) -> int:
    return int(min(np.sum(labels), len(labels) - np.sum(labels)))


def _sample(rows: pd.DataFrame, labels: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """At most SHUFFLE_ROWS rows, evenly over the frame, so that the same rows give the same sample."""
    step = -(-len(rows) // SHUFFLE_ROWS)
    return rows.iloc[:: max(1, step)], np.asarray(labels)[:: max(1, step)]


def _tree_scores(train: pd.DataFrame, labels: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    tree = DecisionTreeClassifier(min_samples_leaf=2, max_features="sqrt", random_state=SEED)
    return np.asarray(tree.fit(train, labels).predict_proba(test))[:, 1]
