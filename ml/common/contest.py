"""Does a new version deserve to score in place of the champion? Floor, ceiling, and the champion's figures on the same test cut.

The decision only; what is recorded of it is `ml.common.registry`, how a version is judged on its own `ml.common.evaluation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from ml.common import columns as col
from ml.common.artifacts import LoadedModel
from ml.common.evaluation import evaluate
from ml.common.labels import labels_of
from ml.common.pipeline import TrainResult
from ml.common.registry import Entry, Status

# How much worse a new version may look and still replace the champion: below it, a few thousand members tell nothing apart, and the
# newer facts are worth more.
AUC_TOLERANCE = 0.005
LOG_LOSS_TOLERANCE = 0.005
LEAK_CHECKS = ("single_feature_auc", "shuffled_labels", "label_maturity_days")  # what a champion must have passed
# Fields of Task that make two models incomparable.
_QUESTION = ("name", "positive_is_order", "horizon_days", "active_days")


@dataclass(frozen=True)
class Verdict:
    """The status a new version gets, and why."""

    status: Status
    reason: str


def decide(
    result: TrainResult,
    champion: Entry | None,
    champion_model: LoadedModel | None,
    features: pd.DataFrame,
    purchase_days: pd.DataFrame,
    known_until: date,
) -> Verdict:
    """Champion or challenger? `champion_model` is the champion's artifact read back; None when it is gone.

    `features` and `purchase_days` as in `train_and_score`. A champion taught with labels of the test window cannot be asked about
    that window (overlapping label windows lift AUC by .1): then its recipe, fitted on the older cuts like every candidate, is.
    """
    test = result.metadata["test"]
    failed = result.checks.loc[result.checks["check_name"].isin(LEAK_CHECKS) & ~result.checks["is_ok"].astype(bool)]
    if test["is_leak_suspected"] or len(failed):
        names = ", ".join(f"{row['check_name']} ({row['subject']})" for row in failed.to_dict("records"))
        return Verdict("challenger", f"suspected leak: {names or test['verdict']}")
    if not test["is_rule_beaten"]:
        return Verdict("challenger", test["verdict"])
    if champion is None:
        return Verdict("champion", f"the first version that passed: {test['verdict']}")
    unusable = why_unusable(result, champion_model, features)
    if champion_model is None or unusable:
        return Verdict("champion", f"the champion {champion.model_version} {unusable}")
    if champion.promoted_by == "operator":
        return Verdict("challenger", f"an operator's choice holds: {champion.model_version}")
    return _against(result, champion_model, features, purchase_days, known_until)


def why_unusable(result: TrainResult, model: LoadedModel | None, features: pd.DataFrame) -> str:
    """Why the champion `model` cannot go on scoring `features` for the task of `result`; empty when it can."""
    if model is None:
        return "has lost its artifact"
    old, new = model.metadata["task"], result.metadata["task"]
    changed = [name for name in _QUESTION if old[name] != new[name]]
    if changed:
        return f"was taught another question ({', '.join(changed)})"
    gone = [name for name in model.metadata["feature_names"] if name not in features.columns]
    return f"needs columns that are gone ({', '.join(gone)})" if gone else ""


def _against(
    result: TrainResult, model: LoadedModel, features: pd.DataFrame, purchase_days: pd.DataFrame, known_until: date
) -> Verdict:
    test, old = result.metadata["test"], model.metadata
    name = old["model_version"]
    cut: Any = pd.Timestamp(result.metadata["test_cut"])
    if pd.Timestamp(old["known_until"]) <= cut:
        scores = model.score(features.loc[pd.to_datetime(features[col.AS_OF_DATE]) == cut])
        task = model.task
        labels = labels_of(scores, purchase_days, task.horizon_days, known_until, task.positive_is_order)
        rival = evaluate(labels, scores[col.SCORE].to_numpy())
        figures = f"AUC {test['auc']:.4f} against {rival.auc:.4f}, log loss {test['log_loss']:.4f} against {rival.log_loss:.4f}"
        is_worse = test["auc"] < rival.auc - AUC_TOLERANCE or test["log_loss"] > rival.log_loss + LOG_LOSS_TOLERANCE
    elif old["candidate"] == result.metadata["candidate"]:
        return Verdict("champion", f"the recipe of {name} ({old['candidate']}), taught with newer facts")
    else:
        rows = result.evaluation.loc[result.evaluation["candidate"] == old["candidate"], "auc"]
        if rows.empty:
            return Verdict("champion", f"the recipe of {name} ({old['candidate']}) is no candidate any more")
        rival_auc = float(rows.iloc[0])
        figures = f"AUC {test['auc']:.4f} against {rival_auc:.4f} of the recipe ({old['candidate']})"
        is_worse = test["auc"] < rival_auc - AUC_TOLERANCE
    said = f"on {cut:%Y-%m-%d} {figures} of {name}"
    return Verdict("challenger", f"worse than the champion: {said}") if is_worse else Verdict("champion", said)
