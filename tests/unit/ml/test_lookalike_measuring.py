"""Hidden members are found again: figures against a loop of one's own, chance where nothing tells them apart, gates on size."""

from __future__ import annotations

import numpy as np
import pytest

from ml.lookalike.measuring import LEAST_SEED, SHARES, TooFew, _curve, recover


def _population(effect: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    features = random.normal(size=(3000, 6))
    is_seed = random.random(3000) < 1 / (1 + np.exp(2.5 - effect * features[:, 0]))
    return features, is_seed, random.gamma(2, 100, 3000)


def test_a_kind_that_tags_tell_is_found_and_spend_that_tells_nothing_is_not() -> None:
    features, is_seed, spend = _population(2.0)
    found = recover(features, is_seed, spend)
    assert found.model_auc > 0.8 and abs(found.spend_auc - 0.5) < 0.06 and found.is_model_better
    assert (np.diff(found.curve["model_recall"]) > 0).all()
    assert found.curve["model_precision"].iloc[0] > 3 * found.curve["random_precision"].iloc[0]


def test_where_nothing_tells_them_apart_it_is_chance() -> None:
    features, is_seed, spend = _population(0.0)
    assert abs(recover(features, is_seed, spend).model_auc - 0.5) < 0.06


def test_the_same_seed_gives_the_same_figures() -> None:
    first, second = recover(*_population(1.0)), recover(*_population(1.0))
    assert first.model_auc == second.model_auc and first.curve.equals(second.curve)


def test_the_curve_counts_as_a_loop_does() -> None:
    random = np.random.default_rng(1)
    truth, line = random.random(700) < 0.1, random.integers(0, 50, 700).astype(float)
    curve = _curve(truth, {"model": line})
    order = sorted(range(700), key=lambda row: (-line[row], row))
    for share, precision, recall in curve[["size_share", "model_precision", "model_recall"]].itertuples(index=False):
        top = order[: max(round(share * 700), 1)]
        hits = sum(bool(truth[row]) for row in top)
        assert precision == pytest.approx(hits / len(top)) and recall == pytest.approx(hits / truth.sum())
    assert list(curve["size_share"]) == list(SHARES)


@pytest.mark.parametrize(("seed", "pool", "who"), [(LEAST_SEED - 1, 3000, "seed"), (200, 499, "pool")])
def test_too_few_are_told_of(seed: int, pool: int, who: str) -> None:
    is_seed = np.arange(seed + pool) < seed
    with pytest.raises(TooFew, match=f"the {who} has"):
        recover(np.zeros((seed + pool, 2)), is_seed, np.zeros(seed + pool))
