"""The models a task chooses from: one-line rules, an RFM logistic, and three learners. All scikit-learn pipelines.

Seeds are fixed and regularisation is set for a few thousand members. Choosing among them belongs in
`ml.common.pipeline`, making their scores honest probabilities in `ml.common.calibration`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from joblib import parallel_config
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController

from ml.common import columns as col

SEED = 20260101
THREADS = 2
_POOLS = ThreadpoolController()  # looked up once: finding the thread pools of a process takes 10 ms
RULES = ("recency_rule", "order_count_rule")


class SignedLog1p(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """sign(x) * log(1 + |x|): tames the long right tail of counts and amounts, keeps refunds (negative) and NaN."""

    def fit(self, X, y=None) -> SignedLog1p:
        """Learns nothing but the columns. X: (n, p) numbers, NaN allowed."""
        validate_data(self, X, dtype=float, ensure_all_finite="allow-nan")
        return self

    def transform(self, X) -> np.ndarray:
        """(n, p) numbers to (n, p) floats."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=float, ensure_all_finite="allow-nan", reset=False)
        return np.sign(X) * np.log1p(np.abs(X))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def candidates(feature_names: list[str]) -> dict[str, Any]:
    """Unfitted candidates by name, simplest first (order breaks ties when one is chosen).

    A rule is a logistic curve over one column: its ranking is the rule's own, its probability is comparable.
    """
    # Left to `fit`: n_jobs, so that a forest is fitted on several threads and predicts on one.
    boosting = HistGradientBoostingClassifier(
        learning_rate=0.08, max_iter=80, max_leaf_nodes=10, min_samples_leaf=40, l2_regularization=5.0,
        max_features=0.5, early_stopping=False, random_state=SEED,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    forest = RandomForestClassifier(
        n_estimators=100, min_samples_leaf=15, max_features="sqrt", max_samples=0.5, random_state=SEED
    )
    logistic = _logistic(feature_names, C=0.05)
    return {
        "recency_rule": _logistic([col.RECENCY]),
        "order_count_rule": _logistic([col.ORDER_COUNT]),
        "rfm_logistic": _logistic(col.RFM),
        "logistic": logistic,
        "random_forest": forest,
        "gradient_boosting": boosting,
        # The mean of three different learners; averages away what each gets wrong on its own.
        "blend": VotingClassifier(
            [("logistic", logistic), ("random_forest", forest), ("gradient_boosting", boosting)],
            voting="soft",
            n_jobs=1,  # the forest inside takes the threads
        ),
    }


def fit(estimator: Any, features: pd.DataFrame, labels: np.ndarray) -> Any:
    """Fit and return the estimator; a forest on THREADS threads, everything else on one.

    Boosting and BLAS meet at a barrier after every tiny step: a second thread gains little on a few thousand rows,
    costs minutes when the cores are busy, and makes sums depend on the number of cores.
    """
    with parallel_config(backend="threading", n_jobs=THREADS), _POOLS.limit(limits=1):
        return estimator.fit(features, labels)


def fit_candidates(
    names: tuple[str, ...], feature_names: list[str], features: pd.DataFrame, labels: np.ndarray
) -> dict[str, Any]:
    """The named candidates, fitted. The blend takes its parts from those already fitted: to judge, not to keep."""
    models = {name: model for name, model in candidates(feature_names).items() if name in names}
    fitted = {name: fit(model, features, labels) for name, model in models.items() if name != "blend"}
    if "blend" in models:
        parts = [
            (name, FrozenEstimator(fitted[name]) if name in fitted else part)
            for name, part in models["blend"].estimators
        ]
        fitted["blend"] = fit(models["blend"].set_params(estimators=parts), features, labels)
    return fitted


def predict(estimator: Any, features: pd.DataFrame) -> np.ndarray:
    """P(label = 1) per row, (n,). On one thread: a parallel forest adds its trees in the order they finish."""
    with _POOLS.limit(limits=1):
        return estimator.predict_proba(features)[:, 1]


def _logistic(names: list[str], C: float = 1.0) -> Pipeline:
    return make_pipeline(
        ColumnTransformer([("chosen", "passthrough", list(names))], verbose_feature_names_out=False),
        SignedLog1p(),
        # A missing value is a fact (one purchase has no gap): it gets an indicator beside the median.
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=C, solver="newton-cholesky", max_iter=200),
    )
