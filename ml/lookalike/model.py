"""Who resembles a seed: logistic regression on positives and unlabelled. Frames in, scores out.

Which columns and which members it is given belongs in `orchestration.audiences`.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ml.common.estimators import SignedLog1p


class PositiveUnlabelledLogistic(ClassifierMixin, BaseEstimator):
    """Seed (greater label) against pool, whose members are unlabelled rather than negative (Elkan and Noto 2008).

    Of a seed drawn at random from all positives, P(seed | x) = c · P(positive | x); c is the mean of P(seed | x) over the seed.
    No class weights: they would change what c divides. `C` is the inverse strength of the penalty, above 0.
    """

    def __init__(self, C: float = 0.05) -> None:
        self.C = C

    def fit(self, X, y) -> PositiveUnlabelledLogistic:
        """X: (n, p) numbers, NaN allowed; y: (n,) two labels. Raises ValueError for any other number of labels."""
        X, y = validate_data(self, X, y, dtype=float, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {len(self.classes_)} classes."
            )
        if len(self.classes_) < 2:
            raise ValueError("only one class is present: a seed and a pool are needed")
        is_seed = y == self.classes_[1]
        self.model_ = make_pipeline(
            SignedLog1p(),
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=self.C, solver="newton-cholesky", max_iter=200),
        ).fit(X, is_seed)
        self.seed_rate_ = float(self.model_.predict_proba(X[is_seed])[:, 1].mean())
        return self

    def predict_proba(self, X) -> np.ndarray:
        """(n, 2): P(not positive), P(positive), the latter at most 1."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=float, ensure_all_finite="allow-nan", reset=False)
        positive = np.minimum(self.model_.predict_proba(X)[:, 1] / self.seed_rate_, 1.0)
        return np.column_stack([1 - positive, positive])

    def predict(self, X) -> np.ndarray:
        """(n,) labels: the greater where P(positive) is above one half."""
        check_is_fitted(self)
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags
