"""Which categories a member will buy from: one pooled model over members and categories, beside two rules.

One row per member, category and cut. A model per category would know less: it learns from its own buyers alone (measured on complete
journey, 40 categories: docs/models.md). Counting belongs in `orchestration.category_purchases`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from ml.common.estimators import SEED, SignedLog1p, fit, predict
from ml.common.evaluation import expected_calibration_error

CATEGORY = "category_code"
RECENCY, FREQUENCY = "category_recency_days", "category_day_count_365d"
NUMBERS = [
    RECENCY,
    "category_day_count_30d",
    "category_day_count_90d",
    "category_day_count_180d",
    FREQUENCY,
    "category_gap_days_mean_365d",
    "category_overdue_ratio",
    "category_buyer_rate_30d",
    "recency_days",
    "purchase_day_count_30d",
    "purchase_day_count_90d",
    "category_count_90d",
]
LEAST_POSITIVES = 20  # of a category at the judged cut; with fewer its AUC is noise


@dataclass(frozen=True)
class CategoryMetrics:
    """Figures of one model or rule over all members and categories; macro = mean over categories."""

    macro_auc: float
    min_auc: float
    macro_average_precision: float
    brier: float  # NaN for a rule, which gives no probability
    ece_10_equal_count: float


def category_models() -> dict[str, Any]:
    """Unfitted pooled models by name, simplest first; input: CATEGORY and NUMBERS."""
    logistic = make_pipeline(
        ColumnTransformer(
            [
                ("category", OneHotEncoder(handle_unknown="ignore"), [CATEGORY]),
                ("numbers", _numbers(), NUMBERS),
            ]
        ),
        LogisticRegression(C=1.0, max_iter=400),
    )
    boosting = make_pipeline(
        ColumnTransformer(
            [
                ("category", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [CATEGORY]),
                ("numbers", "passthrough", NUMBERS),
            ]
        ),
        HistGradientBoostingClassifier(
            learning_rate=0.1, max_iter=120, max_leaf_nodes=15, min_samples_leaf=100, l2_regularization=5.0,
            early_stopping=False, random_state=SEED,  # pyright: ignore[reportArgumentType]
        ),
    )  # fmt: skip
    return {"logistic": logistic, "gradient_boosting": boosting}


def _numbers() -> Pipeline:
    return make_pipeline(
        SignedLog1p(),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )


def evaluate_categories(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, CategoryMetrics]:
    """Two rules and the pooled models, fitted on `train` and judged on `test`.

    Both have CATEGORY, NUMBERS and a 0/1 `label`, one row per member, category and cut. The rules rank by the recency
    and the frequency of the category alone. Raises ValueError where no category has LEAST_POSITIVES rows of each class.
    """
    labels = test["label"].to_numpy()
    scores: dict[str, tuple[np.ndarray, bool]] = {
        "category_recency_rule": (-test[RECENCY].fillna(1e6).to_numpy(), False),
        "category_frequency_rule": (test[FREQUENCY].fillna(0).to_numpy(), False),
    }
    names = [CATEGORY, *NUMBERS]
    inputs, targets = train.loc[:, names], train["label"].to_numpy()
    for name, model in category_models().items():
        scores[name] = (predict(fit(model, inputs, targets), test.loc[:, names]), True)
    return {
        name: _judge(test.loc[:, CATEGORY], labels, found, is_probability)
        for name, (found, is_probability) in scores.items()
    }


def _judge(categories: pd.Series, labels: np.ndarray, scores: np.ndarray, is_probability: bool) -> CategoryMetrics:
    aucs, precisions = [], []
    for rows in pd.DataFrame({"number": range(len(labels))}).groupby(categories.to_numpy(), sort=True)["number"]:
        own = rows[1].to_numpy()
        positives = int(labels[own].sum())
        if min(positives, len(own) - positives) >= LEAST_POSITIVES:
            aucs.append(roc_auc_score(labels[own], scores[own]))
            precisions.append(average_precision_score(labels[own], scores[own]))
    if not aucs:
        raise ValueError(f"no category has {LEAST_POSITIVES} members who bought of it and as many who did not")
    return CategoryMetrics(
        macro_auc=float(np.mean(aucs)),
        min_auc=float(np.min(aucs)),
        macro_average_precision=float(np.mean(precisions)),
        brier=float(brier_score_loss(labels, scores)) if is_probability else np.nan,
        ece_10_equal_count=expected_calibration_error(labels, scores) if is_probability else np.nan,
    )
