"""One battery for every estimator: scikit-learn's own checks, and what the project asks beyond them.

Estimator classes of `ml` are discovered; the candidates a task chooses from are scikit-learn's pipelines and get the project's part.
A class that is added is tested at once, or asked for an example here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

import ml
from ml.common import columns as col
from ml.common.artifacts import ALLOWED_TYPES
from ml.common.estimators import candidates, fit

COLUMNS = [*col.RFM, "discount_rate_90d"]
# How to make an instance of a class that needs arguments, by class name.
EXAMPLES: dict[str, Callable[[], BaseEstimator]] = {}
# Checks of scikit-learn that an estimator of ours fails, and why that is right: class name -> {check: reason}.
EXPECTED_FAILURES: dict[str, dict[str, str]] = {}


def estimator_classes() -> dict[str, type[BaseEstimator]]:
    """Every public estimator class defined below `ml`, by name."""
    found = {}
    for module in pkgutil.walk_packages(ml.__path__, "ml."):
        for name, value in vars(importlib.import_module(module.name)).items():
            is_ours = isinstance(value, type) and issubclass(value, BaseEstimator) and value.__module__ == module.name
            if is_ours and not name.startswith("_"):
                found[name] = value
    return found


CLASSES = estimator_classes()


def example(name: str) -> BaseEstimator:
    """A fresh, unfitted instance of a class or a candidate."""
    if name in CLASSES:
        return EXAMPLES.get(name, CLASSES[name])()
    return candidates(COLUMNS)[name]


NAMES = [*CLASSES, *candidates(COLUMNS)]


def rows(seed: int, count: int = 240) -> tuple[pd.DataFrame, np.ndarray]:
    """Features with the candidates' names, some values missing, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    inputs = pd.DataFrame(rng.gamma(2.0, 10.0, (count, len(COLUMNS))), columns=COLUMNS)
    inputs.iloc[::7, 1] = np.nan
    labels = (rng.random(count) < 1 / (1 + np.exp((inputs[col.RECENCY] - 20) / 10))).to_numpy(dtype=int)
    return inputs, labels


def answer(estimator: Any, inputs: pd.DataFrame) -> np.ndarray:
    """What a fitted estimator says of rows: probabilities, predictions or transformed values, (n, …)."""
    for method in ("predict_proba", "predict", "transform"):
        if hasattr(estimator, method):
            return np.asarray(getattr(estimator, method)(inputs))
    raise AssertionError(f"{type(estimator).__name__} gives no answer: neither predict_proba, predict nor transform")


def plain(value: Any) -> Any:
    """Parameters as text; two estimators of equal parameters are equal."""
    return {name: repr(v) for name, v in value.get_params(deep=True).items()}


@parametrize_with_checks(
    [EXAMPLES.get(name, cls)() for name, cls in CLASSES.items()],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES.get(type(estimator).__name__, {}),
)
def test_scikit_learns_own_checks(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


def test_the_discovery_finds_what_is_there() -> None:
    assert "SignedLog1p" in CLASSES and set(EXAMPLES) | set(EXPECTED_FAILURES) <= set(CLASSES)


@pytest.mark.parametrize("name", NAMES)
def test_a_second_fit_forgets_the_first(name: str) -> None:
    first, second = rows(1), rows(2, 180)
    twice = fit(fit(example(name), *first), *second)
    np.testing.assert_array_equal(answer(twice, second[0]), answer(fit(example(name), *second), second[0]))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_loaded_answers_as_what_was_saved(name: str) -> None:
    inputs, labels = rows(3)
    fitted = fit(example(name), inputs, labels)
    saved = skops.io.dumps(fitted)
    unknown = set(skops.io.get_untrusted_types(data=saved))
    own = {f"{CLASSES[name].__module__}.{name}"} if name in CLASSES else set()
    assert unknown <= ALLOWED_TYPES | own, "decide whether it may be loaded, and add it to ALLOWED_TYPES"
    loaded = skops.io.loads(saved, trusted=sorted(unknown))
    np.testing.assert_array_equal(answer(loaded, inputs), answer(fitted, inputs))


@pytest.mark.parametrize("name", NAMES)
def test_parameters_go_round_and_fitting_leaves_them_alone(name: str) -> None:
    inputs, labels = rows(4)
    fresh = example(name)
    before = plain(fresh)
    assert plain(example(name).set_params(**fresh.get_params(deep=False))) == before
    copied = clone(fresh)
    fitted = fit(fresh, inputs, labels)
    assert fitted is fresh and plain(fitted) == before == plain(copied)
    with pytest.raises(NotFittedError):
        answer(copied, inputs)
    np.testing.assert_array_equal(answer(fit(copied, inputs, labels), inputs), answer(fitted, inputs))


DEGENERATE: dict[str, Callable[[pd.DataFrame, np.ndarray], tuple[pd.DataFrame, np.ndarray]]] = {
    "one class": lambda X, y: (X, np.zeros_like(y)),
    "constant column": lambda X, y: (X.assign(**{col.RECENCY: 7.0}), y),
    "column all missing": lambda X, y: (X.assign(**{col.SPEND: np.nan}), y),
    "everything missing": lambda X, y: (X * np.nan, y),
    "one row": lambda X, y: (X.iloc[:1], y[:1]),
    "no rows": lambda X, y: (X.iloc[:0], y[:0]),
    "huge values": lambda X, y: (X * 1e12, y),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("name", NAMES)
def test_degenerate_input_is_refused_in_words_or_answered_sanely(name: str, case: str) -> None:
    inputs, labels = DEGENERATE[case](*rows(5))
    try:
        said = answer(fit(example(name), inputs, labels), inputs)
    except ValueError as refused:
        assert len(str(refused)) > 15, "an error must say what is wrong"
        return
    assert len(said) == len(inputs)
    if name in CLASSES and hasattr(CLASSES[name], "transform"):
        assert not np.isinf(said).any()
    else:
        assert np.isfinite(said).all()
