"""Positives hidden in the pool are found: a simulated population whose true probabilities are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ml.lookalike.model import PositiveUnlabelledLogistic

LABELLED = 0.3  # share of the positives that is in the seed


def test_the_hidden_positives_and_their_share_are_found() -> None:
    rng = np.random.default_rng(11)
    x = pd.DataFrame(rng.normal(size=(8_000, 3)), columns=["a", "b", "noise"])
    truth = 1 / (1 + np.exp(-6 * (x["a"] + x["b"] - 1)))
    is_positive = rng.random(len(x)) < truth
    is_seed = is_positive & (rng.random(len(x)) < LABELLED)
    model = PositiveUnlabelledLogistic().fit(x, is_seed.astype(int))
    pool = ~is_seed
    found = roc_auc_score(is_positive[pool], model.predict_proba(x[pool])[:, 1])
    best = roc_auc_score(is_positive[pool], truth[pool])
    assert best - 0.03 < found <= best + 0.005
    assert model.seed_rate_ == pytest.approx(LABELLED, abs=0.1)
