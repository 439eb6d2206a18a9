"""How good is a score? Figures of one set of probabilities against what happened, and the verdict a gate reads.

Degenerate input (no rows, one class) gives a stated result with NaN figures, not an exception. Whether a bad verdict
stops a run belongs in `orchestration`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

BOOTSTRAPS = 500
BOOTSTRAP_SEED = 0
ECE_BINS = 10
TOP_SHARE = 0.10
FLOOR_TOLERANCE = 0.005  # AUC; run-to-run noise on a few thousand members, see docs/add-a-model.md


@dataclass(frozen=True)
class Metrics:
    """One row of figures; amounts are shares 0 to 1 unless said. NaN where the input does not define the figure."""

    population_count: int
    positive_count: int
    base_rate: float
    auc: float
    auc_ci_low: float  # 95 %, percentile bootstrap over members
    auc_ci_high: float
    average_precision: float
    brier: float
    brier_skill: float  # 1 - brier / (base_rate * (1 - base_rate)): share of the base rate's error removed
    log_loss: float
    ece_10_equal_count: float
    lift_at_10_percent: float  # rate among the top 10 % over the base rate
    mean_score_over_base: float  # 1 = right on average


def evaluate(labels: np.ndarray, scores: np.ndarray) -> Metrics:
    """Figures of probabilities `scores` (n,) against 0/1 `labels` (n,). Independent of the order of rows."""
    labels, scores = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
    count, positives = len(labels), int(labels.sum())
    base = positives / count if count else np.nan
    if positives in (0, count):
        return Metrics(count, positives, base, *[np.nan] * 10)
    low, high = bootstrap_auc_interval(labels, scores)
    brier = float(np.mean((scores - labels) ** 2))
    return Metrics(
        population_count=count,
        positive_count=positives,
        base_rate=base,
        auc=float(roc_auc_score(labels, scores)),
        auc_ci_low=low,
        auc_ci_high=high,
        average_precision=float(average_precision_score(labels, scores)),
        brier=brier,
        brier_skill=1 - brier / (base * (1 - base)),
        log_loss=float(log_loss(labels, scores)),
        ece_10_equal_count=expected_calibration_error(labels, scores),
        lift_at_10_percent=lift_at(labels, scores, TOP_SHARE),
        mean_score_over_base=float(scores.mean()) / base,
    )


def expected_calibration_error(labels: np.ndarray, scores: np.ndarray, bins: int = ECE_BINS) -> float:
    """Mean over equal-count bins of |mean score - rate of positives|, weighted by bin size."""
    order = np.argsort(scores, kind="stable")
    score_bins = np.array_split(scores[order], bins)
    rate_bins = np.array_split(_rate_per_score(labels, scores)[order], bins)
    gaps = [abs(s.mean() - r.mean()) * len(s) for s, r in zip(score_bins, rate_bins, strict=True) if len(s)]
    return float(sum(gaps) / len(scores))


def lift_at(labels: np.ndarray, scores: np.ndarray, share: float) -> float:
    """Rate of positives among the top `share` of scores (at least one row) over the base rate."""
    top = max(1, round(share * len(scores)))
    order = np.argsort(-scores, kind="stable")[:top]
    return float(_rate_per_score(labels, scores)[order].mean() / labels.mean())


def bootstrap_auc_interval(
    labels: np.ndarray, scores: np.ndarray, draws: int = BOOTSTRAPS, seed: int = BOOTSTRAP_SEED
) -> tuple[float, float]:
    """95 % percentile interval of AUC over resampled rows; draws with one class only are left out."""
    rng = np.random.default_rng(seed)
    # Sorted by label as well, so that equal scores cannot make the result depend on the order of rows.
    order = np.lexsort((labels, scores))
    positive = labels[order] == 1
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])  # first row of every distinct score
    count = len(scores)
    aucs = np.empty(draws)
    for draw in range(draws):  # a draw is a vector of row weights: no sort per draw
        weights = np.bincount(rng.integers(0, count, count), minlength=count)
        wins = np.add.reduceat(weights * positive, starts)
        losses = np.add.reduceat(weights * ~positive, starts)
        beaten = np.cumsum(losses) - losses / 2  # a tie counts half
        pairs = wins.sum() * losses.sum()
        aucs[draw] = (wins * beaten).sum() / pairs if pairs else np.nan
    low, high = np.nanpercentile(aucs, [2.5, 97.5])
    return float(low), float(high)


def single_feature_auc(features: pd.DataFrame, labels: np.ndarray) -> pd.Series:
    """AUC of every column on its own, whichever direction is better; missing values rank lowest. Empty if one class."""
    positives, count = int(np.sum(labels)), len(labels)
    if positives in (0, count):
        return pd.Series(dtype=float)
    ranks = features.rank(na_option="top")
    wins = ranks[np.asarray(labels) == 1].sum() - positives * (positives + 1) / 2  # Mann-Whitney U
    auc = wins / (positives * (count - positives))
    return auc.where(auc >= 0.5, 1 - auc)


@dataclass(frozen=True)
class Verdict:
    """What a gate needs to know. `is_rule_beaten` is the floor, `is_leak_suspected` the ceiling."""

    is_rule_beaten: bool
    is_leak_suspected: bool
    text: str


def judge(champion_auc: float, best_rule_auc: float, feature_aucs: pd.Series, auc_ceiling: float) -> Verdict:
    """Floor: the best one-line rule less FLOOR_TOLERANCE. Ceiling: too good, as a whole or in one column, is a leak."""
    is_rule_beaten = bool(champion_auc >= best_rule_auc - FLOOR_TOLERANCE)
    leaking = sorted(feature_aucs.loc[feature_aucs > auc_ceiling].index)
    is_leak_suspected = bool(champion_auc > auc_ceiling or leaking)
    if np.isnan(champion_auc):
        text = "undefined: the test cut has one class only"
    elif is_leak_suspected:
        source = f"columns {', '.join(leaking)}" if leaking else "the model as a whole"
        text = f"suspected leak: AUC above {auc_ceiling} from {source}"
    elif not is_rule_beaten:
        text = f"worse than the best rule: AUC {champion_auc:.4f} against {best_rule_auc:.4f}"
    else:
        text = f"ok: AUC {champion_auc:.4f}, best rule {best_rule_auc:.4f}"
    return Verdict(is_rule_beaten, is_leak_suspected, text)


def metrics_row(metrics: Metrics) -> dict[str, float]:
    """The figures as a flat row, rounded so that a last-bit difference between machines is no difference."""
    return {k: v if isinstance(v, int) else round(v, 6) for k, v in asdict(metrics).items()}


def _rate_per_score(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    # Equal scores share their rate: the expectation over tie orders, so ties cannot depend on row order.
    _, groups = np.unique(scores, return_inverse=True)
    return (np.bincount(groups, weights=labels) / np.bincount(groups))[groups]
