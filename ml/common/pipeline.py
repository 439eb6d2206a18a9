"""One way from features and purchase days to judged, versioned scores; what is asked is in `ml.common.tasks`.

Choose on the calibration cut, judge on the test cut, then roll the same recipe forward and score the present. Reading
features and writing results belong in `orchestration`, files in `ml.common.artifacts`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import BaseEstimator
from sklearn.metrics import log_loss, roc_auc_score

from ml.common import columns as col
from ml.common.calibration import Calibrator, calibrate, fit_calibrator, usable_methods
from ml.common.card import write_card, write_html_card
from ml.common.checks import CHECK_COLUMNS, Check, check_rows
from ml.common.estimators import RULES, SEED, candidates, fit, fit_candidates, predict
from ml.common.evaluation import Metrics, evaluate, judge, metrics_row, single_feature_auc
from ml.common.evidence import collect
from ml.common.labels import build_labels, in_population
from ml.common.leakage import ceiling_check, shift_check, shuffled_check
from ml.common.splits import TimeSplit, TooFewCutsError, judging_split, mature_cuts, split_at, spread
from ml.common.tasks import Task
from ml.common.watching import input_drift, label_maturity, profile

RECIPE_VERSION = 2  # raise it when code here changes what a model learns: it is part of every model_version
MIN_CUT_GAP_DAYS = 7  # cuts closer than this tell nearly the same and cost the same again
MEMBER_FOLDS = 3
AUC_TIE = 0.005  # candidates this close in AUC are told apart by log loss
CALIBRATION_GAIN = 0.002  # log loss a method must take off the simpler one; isotonic pays for less with ties (AP -.03)
SCORE_DECIMALS = 6  # beyond them the order of floating-point sums shows

EVALUATION_COLUMNS = [
    col.MODEL_NAME, col.MODEL_VERSION, "candidate", "split", "verdict", col.HORIZON_DAYS,
    *Metrics.__dataclass_fields__, "is_champion", "is_rule_beaten", "is_leak_suspected", col.AS_OF_DATE,
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class TrainResult:
    """Everything one training leaves behind. With status `not_trained` frames are empty and `reason` says why."""

    task: Task
    status: str  # trained | not_trained
    reason: str
    model_version: str = ""
    estimator: BaseEstimator | None = None
    calibrator: Calibrator = None
    evaluation: pd.DataFrame = field(default_factory=lambda: _empty_evaluation())  # one row per candidate
    scores: pd.DataFrame = field(default_factory=lambda: _empty_scores())  # one row per member scored
    feature_names: list[str] = field(default_factory=list)
    checks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CHECK_COLUMNS))  # a row per leak check
    card: str = ""
    card_html: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Recipe:
    """What was chosen before the test cut was looked at."""

    candidate: str
    chosen_on: str
    calibration: str
    calibration_judged_by: str
    validation: dict[str, dict[str, float]]  # candidate -> figures on the calibration cut


@dataclass(frozen=True, eq=False)
class _Data:
    """Labelled rows of mature cuts, sorted by key, and the columns models may see."""

    rows: pd.DataFrame
    feature_names: list[str]

    def at(self, *cuts: pd.Timestamp) -> tuple[pd.DataFrame, np.ndarray]:
        part = self.rows.loc[self.rows[col.AS_OF_DATE].isin(cuts)]
        return part.loc[:, self.feature_names], part.loc[:, col.LABEL].to_numpy()


def train_and_score(
    features: pd.DataFrame, purchase_days: pd.DataFrame, task: Task, known_until: date | pd.Timestamp
) -> TrainResult:
    """Train `task` on the mature cuts in `features`, judge it, and score the rows with as_of_date == known_until.

    `features`: one row per (member_id, as_of_date) and numeric columns; `purchase_days`: (member_id, business_date).
    Too little data is a stated result (status `not_trained`). Raises ValueError for missing columns or duplicate keys.
    The same input in any row order gives the same version and scores.
    """
    now: Any = pd.Timestamp(known_until)
    prepared = _prepare(features, task)
    cuts = spread(mature_cuts(prepared[col.AS_OF_DATE].unique(), task.horizon_days, now), MIN_CUT_GAP_DAYS)
    names = _known_at_every_cut(prepared, model_features(prepared), cuts)
    try:
        split = judging_split(cuts, task.horizon_days, now)
        data = _label(prepared, purchase_days, task, cuts, now, names)
        _refuse_thin_data(data, split, task)
        final_split = split_at(cuts, task.horizon_days, now)
    except (TooFewCutsError, TooFewRowsError) as thin:
        return TrainResult(task, "not_trained", str(thin))

    version, data_hash = _version(data, task, now)
    fitted = fit_candidates(task.candidate_names, names, *data.at(*(split.fit_cuts or split.train_cuts)))
    recipe = _choose(fitted, data, split, task)
    evaluation, evidence = _evaluate_all(fitted, recipe, data, split, task, version)
    estimator, calibrator = _fit_recipe(recipe, data, final_split, task)
    present = prepared.loc[prepared[col.AS_OF_DATE] == now]
    scores = score_members(estimator, calibrator, present, names, task, version)

    metadata = {
        "task": asdict(task),
        "model_version": version,
        "known_until": f"{now:%Y-%m-%d}",
        "test_cut": f"{split.at:%Y-%m-%d}",
        "final_fit_cuts": [f"{cut:%Y-%m-%d}" for cut in _cuts_used(recipe, final_split)],
        "final_calibration_cut": f"{final_split.calibration_cut:%Y-%m-%d}",
        "candidate": recipe.candidate,
        "chosen_on": recipe.chosen_on,
        "calibration": recipe.calibration,
        "calibration_judged_by": recipe.calibration_judged_by,
        "validation": recipe.validation,
        "test": _champion_figures(evaluation),
        "evidence": evidence,
        "feature_names": names,
        "input_profile": _input_profile(data, _cuts_used(recipe, final_split)),
        "data_hash": data_hash,
        "recipe_version": RECIPE_VERSION,
        "sklearn_version": sklearn.__version__,
        "seed": SEED,
    }
    return TrainResult(
        task=task,
        status="trained",
        reason="" if len(scores) else f"nobody to score at {now:%Y-%m-%d}",
        model_version=version,
        estimator=estimator,
        calibrator=calibrator,
        evaluation=evaluation,
        scores=scores,
        feature_names=names,
        checks=check_rows(task.name, version, now, _leak_checks(data, split, prepared, purchase_days, task, now)),
        card=write_card(metadata, evaluation),
        card_html=write_html_card(metadata, evaluation),
        metadata=metadata,
    )


@dataclass(frozen=True, eq=False)
class CutEvaluation:
    """What every candidate, and the one that would have been chosen, was worth at one past cut."""

    at: pd.Timestamp
    train_cuts: tuple[pd.Timestamp, ...]
    candidate: str  # chosen before the cut was looked at
    calibration: str
    # By candidate, fitted on all training cuts and not calibrated; and of `champion`, calibrated.
    figures: dict[str, Metrics]
    feature_names: list[str]


def evaluate_at(
    features: pd.DataFrame,
    purchase_days: pd.DataFrame,
    task: Task,
    at: date | pd.Timestamp,
    known_until: date | pd.Timestamp,
) -> CutEvaluation:
    """Judge `task` at the cut `at`, having learnt from the earlier cuts in `features` whose outcome was known by then.

    `features` and `purchase_days` as in `train_and_score`; `known_until` is the exclusive end of what is known, and no less than the
    end of the label window. Raises TooFewCutsError and TooFewRowsError for too little data, ImmatureLabelError, ValueError.
    """
    cut: Any = pd.Timestamp(at)
    prepared = _prepare(features, task)
    cuts = spread(mature_cuts(prepared[col.AS_OF_DATE].unique(), task.horizon_days, cut), MIN_CUT_GAP_DAYS)
    split = split_at(cuts, task.horizon_days, cut)
    names = _known_at_every_cut(prepared, model_features(prepared), (*cuts, cut))
    data = _label(prepared, purchase_days, task, (*cuts, cut), pd.Timestamp(known_until), names)  # pyright: ignore[reportArgumentType]
    _refuse_thin_data(data, split, task)
    early = fit_candidates(task.candidate_names, names, *data.at(*(split.fit_cuts or split.train_cuts)))
    recipe = _choose(early, data, split, task)
    fitted = fit_candidates(task.candidate_names, names, *data.at(*split.train_cuts)) if split.fit_cuts else early
    inputs, labels = data.at(cut)
    figures = {name: evaluate(labels, predict(model, inputs)) for name, model in fitted.items()}
    champion, calibrator = _fit_recipe(recipe, data, split, task)
    figures["champion"] = evaluate(labels, calibrate(calibrator, predict(champion, inputs)))
    return CutEvaluation(cut, split.train_cuts, recipe.candidate, recipe.calibration, figures, names)


def model_features(features: pd.DataFrame) -> list[str]:
    """Every numeric or boolean column that is not a key, a label or unbounded (see `columns.EXCLUDED_FEATURES`)."""
    numeric = features.select_dtypes(["number", "bool"]).columns
    barred = {*col.KEYS, col.LABEL, *col.EXCLUDED_FEATURES}
    return sorted(n for n in numeric if n not in barred and not n.startswith(col.EXCLUDED_PREFIXES))


def score_members(
    estimator: BaseEstimator,
    calibrator: Calibrator,
    features: pd.DataFrame,
    feature_names: list[str],
    task: Task,
    model_version: str,
) -> pd.DataFrame:
    """Score the task's population among `features` (one as_of_date). Columns: `columns.SCORE_COLUMNS`, by member_id.

    `percentile` is the share of those scored who rank at or below the member, in (0, 1]; ties rank by member_id.
    """
    asked = features.loc[in_population(features, task.active_days)].sort_values(col.MEMBER_ID, ignore_index=True)
    if asked.empty:
        return _empty_scores()
    inputs = _as_inputs(asked, feature_names)
    scores = asked.loc[:, col.KEYS].astype({col.AS_OF_DATE: "datetime64[ns]"})
    scores[col.SCORE] = calibrate(calibrator, predict(estimator, inputs)).round(SCORE_DECIMALS)
    # Rows are in member_id order, so method="first" breaks ties by it.
    scores[col.PERCENTILE] = scores[col.SCORE].rank(method="first") / len(scores)
    upper = [scores[col.PERCENTILE] > task.high_tier_percentile, scores[col.PERCENTILE] > task.medium_tier_percentile]
    scores[col.TIER] = np.select(upper, ["high", "medium"], default="low")
    return scores.assign(model_version=model_version, horizon_days=task.horizon_days).loc[:, col.SCORE_COLUMNS]


class TooFewRowsError(ValueError):
    """A part of the split has too few rows of one class."""


def _prepare(features: pd.DataFrame, task: Task) -> pd.DataFrame:
    missing = [name for name in [*col.KEYS, *col.RFM] if name not in features.columns]
    if missing:
        raise ValueError(f"features lack {', '.join(missing)}: add them to the dbt models feat_members_*")
    if features.duplicated(col.KEYS).any():
        raise ValueError("features have several rows for one (member_id, as_of_date): check the join of feat_members_*")
    days = pd.to_datetime(features[col.AS_OF_DATE]).astype("datetime64[ns]")
    asked = features.assign(as_of_date=days).loc[in_population(features, task.active_days)]
    return asked.sort_values(col.KEYS, ignore_index=True)


def _known_at_every_cut(prepared: pd.DataFrame, names: list[str], cuts: tuple[pd.Timestamp, ...]) -> list[str]:
    """Columns with at least one value at every training cut: one that starts later tells cuts apart, not members."""
    rows = prepared.loc[prepared[col.AS_OF_DATE].isin(cuts)]
    filled = _as_inputs(rows, names).notna().groupby(rows[col.AS_OF_DATE]).any().all(axis=0)
    known = set(filled.index[filled.to_numpy(dtype=bool)])
    empty = [name for name in col.RFM if name not in known]
    if empty:
        raise ValueError(
            f"features have no value at some as_of_date in {', '.join(empty)}: check feat_members_purchases"
        )
    return [name for name in names if name in known]


def _label(
    prepared: pd.DataFrame,
    purchase_days: pd.DataFrame,
    task: Task,
    cuts: tuple[pd.Timestamp, ...],
    now: pd.Timestamp,
    names: list[str],
) -> _Data:
    rows = prepared.loc[prepared[col.AS_OF_DATE].isin(cuts)].reset_index(drop=True)
    labels = build_labels(purchase_days, rows, task.horizon_days, now)[col.LABEL]  # same order: both sorted by key
    labels = labels if task.positive_is_order else 1 - labels
    labelled = pd.concat([rows.loc[:, col.KEYS], _as_inputs(rows, names)], axis=1).assign(label=labels)
    return _Data(labelled, names)


def _as_inputs(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    inputs = rows.loc[:, names].astype("float64")
    return inputs.where(np.isfinite(inputs))


def _refuse_thin_data(data: _Data, split: TimeSplit, task: Task) -> None:
    parts = {"fit": split.fit_cuts or split.train_cuts, "calibration": [split.calibration_cut], "test": [split.at]}
    for part, cuts in parts.items():
        _, labels = data.at(*cuts)
        if _rarer_count(labels) < task.min_class_count:
            positives, negatives = int(labels.sum()), int(len(labels) - labels.sum())
            raise TooFewRowsError(
                f"{part} has {positives} positive and {negatives} negative rows:"
                f" {task.min_class_count} of each are needed"
            )


def _choose(fitted: dict[str, BaseEstimator], data: _Data, split: TimeSplit, task: Task) -> _Recipe:
    """Candidate and calibration, from cuts before the test cut only.

    Judged on the calibration cut, later than the fit. If no training cut is that much older (short history, long
    horizon), on members held out of all training cuts: good for ranking, blind to a moving base rate, so uncalibrated.
    """
    if split.fit_cuts:
        inputs, labels = data.at(split.calibration_cut)
        held_out = {name: predict(model, inputs) for name, model in fitted.items()}
    else:
        labels, held_out = _predict_held_out_members(data, split, task)
    validation = {}
    for name, scores in held_out.items():
        validation[name] = {
            "auc": round(float(roc_auc_score(labels, scores)), SCORE_DECIMALS),
            "log_loss": round(float(log_loss(labels, scores)), SCORE_DECIMALS),
        }
    best_auc = max(figures["auc"] for figures in validation.values())
    close = [name for name, figures in validation.items() if figures["auc"] >= best_auc - AUC_TIE]
    candidate = min(close, key=lambda name: validation[name]["log_loss"])
    method, judged_by = _choose_calibration(candidate, data, split, task)
    chosen_on = "a later cut" if split.fit_cuts else "held-out members"
    return _Recipe(candidate, chosen_on, method, judged_by, validation)


def _predict_held_out_members(data: _Data, split: TimeSplit, task: Task) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels of all training cuts and every candidate's scores, each member scored by models that never saw them."""
    inputs, labels = data.at(*split.train_cuts)
    # By number of member, not by row: the cuts of one member overlap.
    members = data.rows.loc[inputs.index, col.MEMBER_ID]
    folds = pd.factorize(members, sort=True)[0] % MEMBER_FOLDS
    names = [name for name in candidates(data.feature_names) if name in task.candidate_names]  # simplest first
    held_out = {name: np.empty(len(labels)) for name in names}
    for fold in range(MEMBER_FOLDS):
        train, test = folds != fold, folds == fold
        fitted = fit_candidates(task.candidate_names, data.feature_names, inputs.loc[train], labels[train])
        for name, model in fitted.items():
            held_out[name][test] = predict(model, inputs.loc[test])
    return labels, held_out


def _choose_calibration(candidate: str, data: _Data, split: TimeSplit, task: Task) -> tuple[str, str]:
    """The method with the least log loss on a cut later than the one it was fitted on: (method, what it was judged on).

    Model on old cuts, calibrator on a later cut, log loss on the calibration cut, later still. With too little history
    for that the scores stay as they are: judged within one cut a calibrator always looks good, because it cannot see
    the base rate move (measured on Online Retail, 60 days: ECE .069 left alone, .084 calibrated that way).
    """
    try:
        inner = split_at(split.train_cuts, task.horizon_days, split.calibration_cut)
    except TooFewCutsError:
        inner = None
    if inner is None or not inner.fit_cuts:
        return "none", "nothing: too few cuts"
    older_inputs, older_labels = data.at(*inner.fit_cuts)
    later_inputs, later_labels = data.at(inner.calibration_cut)
    if min(_rarer_count(older_labels), _rarer_count(later_labels)) < task.min_class_count:
        return "none", "nothing: too few rows in the older cuts"
    older = fit(candidates(data.feature_names)[candidate], older_inputs, older_labels)
    later_scores = predict(older, later_inputs)
    inputs, labels = data.at(split.calibration_cut)
    scores = predict(older, inputs)
    losses = {
        method: log_loss(labels, calibrate(fit_calibrator(method, later_scores, later_labels), scores))
        for method in usable_methods(later_labels)
    }
    chosen = "none"
    for method in losses:  # simplest first
        if losses[method] < losses[chosen] - CALIBRATION_GAIN:
            chosen = method
    return chosen, "a later cut"


def _rarer_count(labels: np.ndarray) -> int:
    return int(min(labels.sum(), len(labels) - labels.sum()))


def _cuts_used(recipe: _Recipe, split: TimeSplit) -> tuple[pd.Timestamp, ...]:
    # Without a calibrator nothing needs to be held back, and the newest cut is the one most like the present.
    return split.fit_cuts if recipe.calibration != "none" else split.train_cuts


def _fit_recipe(recipe: _Recipe, data: _Data, split: TimeSplit, task: Task) -> tuple[BaseEstimator, Calibrator]:
    model = fit(candidates(data.feature_names)[recipe.candidate], *data.at(*_cuts_used(recipe, split)))
    inputs, labels = data.at(split.calibration_cut)
    return model, fit_calibrator(recipe.calibration, predict(model, inputs), labels)


def _evaluate_all(
    fitted: dict[str, BaseEstimator], recipe: _Recipe, data: _Data, split: TimeSplit, task: Task, version: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One row per candidate (fitted on the fit cuts, not calibrated) and one for the champion, all on the test cut.

    Beside them what the card draws of the champion (`ml.common.evidence`).
    """
    inputs, labels = data.at(split.at)
    champion, calibrator = _fit_recipe(recipe, data, split, task)
    results = {name: evaluate(labels, predict(model, inputs)) for name, model in fitted.items()}
    scores = calibrate(calibrator, predict(champion, inputs))
    results["champion"] = evaluate(labels, scores)
    evidence = collect(lambda rows: calibrate(calibrator, predict(champion, rows)), inputs, labels, scores)
    best_rule = max(metrics.auc for name, metrics in results.items() if name in RULES)
    feature_aucs = single_feature_auc(inputs, labels)
    rows = []
    for name, metrics in results.items():
        verdict = judge(metrics.auc, best_rule, feature_aucs, task.auc_ceiling)
        recipe_text = f" ({recipe.candidate}, calibration {recipe.calibration})" if name == "champion" else ""
        rows.append(
            {
                col.MODEL_NAME: task.name,
                col.MODEL_VERSION: version,
                "candidate": name,
                "split": "test",
                "verdict": verdict.text + recipe_text,
                col.HORIZON_DAYS: task.horizon_days,
                **metrics_row(metrics),
                "is_champion": name == "champion",
                "is_rule_beaten": verdict.is_rule_beaten,
                "is_leak_suspected": verdict.is_leak_suspected,
                col.AS_OF_DATE: split.at,
            }
        )
    return pd.DataFrame(rows, columns=EVALUATION_COLUMNS), evidence


def evaluation_row(metadata: dict[str, Any]) -> pd.DataFrame:
    """The `champion` row of a version's evaluation, from its metadata: what is known of a version that scores without being trained."""
    test, task = metadata["test"], metadata["task"]
    row = {
        **test,
        col.MODEL_NAME: task["name"],
        col.MODEL_VERSION: metadata["model_version"],
        "candidate": "champion",
        "split": "test",
        col.HORIZON_DAYS: task["horizon_days"],
        "is_champion": True,
        col.AS_OF_DATE: pd.Timestamp(metadata["test_cut"]),
    }
    return pd.DataFrame([row], columns=EVALUATION_COLUMNS)


def _leak_checks(
    data: _Data, split: TimeSplit, prepared: pd.DataFrame, purchase_days: pd.DataFrame, task: Task, now: pd.Timestamp
) -> list[Check]:
    """What this training can say of leaks: ceiling and shuffled labels on the test cut, shift on a cut two windows old."""
    inputs, labels = data.at(split.at)
    found = ceiling_check(inputs, labels, task.auc_ceiling)
    found += shuffled_check(*data.at(*(split.fit_cuts or split.train_cuts)), inputs, labels)
    horizon = pd.Timedelta(days=task.horizon_days)
    closed_twice = mature_cuts(data.rows[col.AS_OF_DATE].unique(), 2 * task.horizon_days, now)
    if closed_twice:
        earlier, label = data.at(closed_twice[-1])
        moved = prepared.loc[prepared[col.AS_OF_DATE] == closed_twice[-1], col.KEYS].reset_index(drop=True)
        moved[col.AS_OF_DATE] += horizon
        after = build_labels(purchase_days, moved, task.horizon_days, now)[col.LABEL].to_numpy()
        found += shift_check(earlier, label, after if task.positive_is_order else 1 - after)
    return found


def _input_profile(data: _Data, cuts: tuple[pd.Timestamp, ...]) -> dict[str, dict[str, Any]]:
    inputs, _ = data.at(*cuts)
    return profile(inputs, data.rows.loc[inputs.index, col.AS_OF_DATE])


def watch_inputs(metadata: dict[str, Any], present: pd.DataFrame, task: Task, known_until: date) -> list[Check]:
    """Input drift and label age of a version (its metadata) that scores `present`, the features of one as_of_date."""
    asked = present.loc[in_population(present, task.active_days)]
    taught = [*metadata["final_fit_cuts"], metadata["final_calibration_cut"]]
    newest: Any = pd.Timestamp(max(taught)) + pd.Timedelta(days=metadata["task"]["horizon_days"])
    now: Any = pd.Timestamp(known_until)
    drift = input_drift(metadata["input_profile"], _as_inputs(asked, metadata["feature_names"]))
    return [label_maturity(newest, now), *drift]


def _champion_figures(evaluation: pd.DataFrame) -> dict[str, Any]:
    champion = evaluation[evaluation["is_champion"]].iloc[0]
    figures = {name: champion[name].item() for name in Metrics.__dataclass_fields__}
    flags = {name: bool(champion[name]) for name in ("is_rule_beaten", "is_leak_suspected")}
    return {**figures, **flags, "verdict": champion["verdict"]}


def _version(data: _Data, task: Task, now: pd.Timestamp) -> tuple[str, str]:
    """(`<task>-<yyyymmdd>-<hash10>`, hash of the training rows). Same rows, task and code: same version."""
    data_hash = hashlib.sha256(_row_hashes(data.rows).tobytes()).hexdigest()
    config = {
        "task": asdict(task),
        "models": {name: _plain_parameters(model) for name, model in candidates(data.feature_names).items()},
        "features": data.feature_names,
        "recipe": RECIPE_VERSION,
        "sklearn": sklearn.__version__,
        "data": data_hash,
    }
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    return f"{task.name}-{now:%Y%m%d}-{digest[:10]}", data_hash


def _plain_parameters(model: BaseEstimator) -> dict[str, Any]:
    # Not repr: scikit-learn shortens a long one, and a changed parameter could hide in the part left out.
    return {key: value for key, value in model.get_params().items() if isinstance(value, int | float | str | None)}


def _row_hashes(rows: pd.DataFrame) -> Any:
    return pd.util.hash_pandas_object(rows, index=False).to_numpy()  # pyright: ignore[reportAttributeAccessIssue]


def _empty_scores() -> pd.DataFrame:
    kinds = {col.HORIZON_DAYS: "int64", col.SCORE: "float64", col.PERCENTILE: "float64"}
    frame = pd.DataFrame({name: pd.Series(dtype=kinds.get(name, "str")) for name in col.SCORE_COLUMNS})
    return frame.astype({col.AS_OF_DATE: "datetime64[ns]"})


def _empty_evaluation() -> pd.DataFrame:
    return pd.DataFrame(columns=EVALUATION_COLUMNS)
