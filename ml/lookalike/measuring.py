"""How well a seed is found again: hide most of it, rank everybody else, look where the hidden ones stand. Frames in, figures out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from ml.lookalike.model import PositiveUnlabelledLogistic

LEAST_SEED, LEAST_POOL = 100, 500  # as the data gates of the other models: fewer positives teach nothing that holds
DRAWS, HIDDEN_SHARE, SEED = 5, 0.7, 20260101
SHARES = (0.01, 0.02, 0.05, 0.10, 0.20, 0.30, 0.50)  # of the ranked, as sizes of an audience


class TooFew(ValueError):
    """Seed or pool are too small to learn or to measure; str() says which."""


@dataclass(frozen=True)
class Recovery:
    """Means over the draws. `curve`: one row per size with size_share, model_precision, spend_precision, random_precision,
    model_recall and spend_recall; precision counts hidden members only, so it is a floor: the pool may hold more of the kind."""

    model_auc: float
    spend_auc: float
    curve: pd.DataFrame

    @property
    def is_model_better(self) -> bool:
        return self.model_auc > self.spend_auc


def recover(features: np.ndarray, is_seed: np.ndarray, spend: np.ndarray) -> Recovery:
    """Hide 70 % of the seed, learn from the rest against everybody else, find the hidden ones; five draws, a fixed seed.

    features: (n, p) numbers, NaN allowed; is_seed: (n,) bool; spend: (n,) amounts, the line to beat. Rows in the order of
    member_id: the draws follow it. Raises TooFew.
    """
    check_sizes(int(is_seed.sum()), int((~is_seed).sum()))
    random = np.random.default_rng(SEED)
    seed_rows = np.flatnonzero(is_seed)
    aucs, curves = [], []
    for _ in range(DRAWS):
        hidden = random.permutation(seed_rows)[: round(len(seed_rows) * HIDDEN_SHARE)]
        is_hidden = np.zeros(len(is_seed), dtype=bool)
        is_hidden[hidden] = True
        is_visible = is_seed & ~is_hidden
        model = PositiveUnlabelledLogistic().fit(features, is_visible)
        others = ~is_visible
        truth = is_hidden[others]
        lines = {"model": resemblance(model, features[others]), "spend": np.nan_to_num(spend[others])}
        aucs.append([roc_auc_score(truth, line) for line in lines.values()])
        curves.append(_curve(truth, lines))
    model_auc, spend_auc = np.mean(aucs, axis=0)
    stacked = np.stack([curve.to_numpy() for curve in curves])
    return Recovery(float(model_auc), float(spend_auc), pd.DataFrame(stacked.mean(axis=0), columns=curves[0].columns))


def check_sizes(seed_count: int, pool_count: int) -> None:
    """Raises TooFew."""
    for name, count, least in (("seed", seed_count, LEAST_SEED), ("pool", pool_count, LEAST_POOL)):
        if count < least:
            raise TooFew(f"the {name} has {count} members, and {least} are needed")


def resemblance(model: PositiveUnlabelledLogistic, features: np.ndarray) -> np.ndarray:
    """(n,) P(seed | x), by which members are ranked: P(positive | x) is cut off at 1 and would tie the best."""
    return model.model_.predict_proba(features)[:, 1]


def _curve(truth: np.ndarray, lines: dict[str, np.ndarray]) -> pd.DataFrame:
    """The figures of one draw, by size. Ties are ranked in the order of rows."""
    sizes = np.maximum(np.round(np.array(SHARES) * len(truth)).astype(int), 1)
    curve = pd.DataFrame({"size_share": SHARES, "random_precision": truth.mean()})
    for name, line in lines.items():
        hits = np.cumsum(truth[np.argsort(-line, kind="stable")])[sizes - 1]
        curve[f"{name}_precision"] = hits / sizes
        curve[f"{name}_recall"] = hits / truth.sum()
    return curve
