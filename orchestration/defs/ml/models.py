"""Trained models as assets: features out of the engine, one call into `ml`, scores and evaluation back in."""

from datetime import UTC, date, datetime

import dagster as dg
import pandas as pd

from orchestration.build_file import EVALUATIONS, MONITORING, REGISTRY, SCORES
from orchestration.landing import land as landing
from orchestration.model_registry import Moment, Settled, log_to_rows, rows_to_log, settle
from orchestration.quality.adapter import gate_checks
from orchestration.quality.suites import models as suites
from orchestration.resources import BrandRun

FEATURES_SQL = """
    select purchases.*, promotions.* exclude (member_id, as_of_date)
    from features.feat_members_purchases as purchases
    inner join features.feat_members_promotions as promotions
        on purchases.member_id = promotions.member_id and purchases.as_of_date = promotions.as_of_date
    order by purchases.member_id, purchases.as_of_date
"""
PURCHASE_DAYS_SQL = """
    select distinct member_id, business_date from marts.fct_orders
    where member_id is not null and is_valid and business_date < ?
    order by member_id, business_date
"""
EARLIER_SCORES_SQL = """
    select member_id, model_version, horizon_days, score, as_of_date from {table} where as_of_date < ?
    order by as_of_date, member_id
"""
# Scores table -> model name in ml.model_evaluations.
MODELS = {"churn_scores": "churn", "propensity_scores": "propensity"}


def _tasks(brand_run: BrandRun):
    from ml.churn.model import churn_task
    from ml.propensity.model import propensity_task

    parameters = brand_run.brand.parameters
    return {
        "churn_scores": churn_task(parameters.churn_horizon_days, parameters.churn_active_days),
        "propensity_scores": propensity_task(parameters.purchase_horizon_days),
    }


def _no_orders(brand_run: BrandRun, as_of_date: date) -> str:
    """Why there is nothing to learn from, when not one purchase is known: a brand may do without orders."""
    if "order_lines" not in landing.entities(brand_run.brand):
        return "no orders: the brand has no source of order_lines"
    return f"no orders: no valid order of a member before {as_of_date}"


def _declined(task, reason: str, as_of_date: date) -> pd.DataFrame:
    """The evaluation row of a model that was not trained: too little data is an answer, and it is published."""
    row = dict.fromkeys(EVALUATIONS) | {
        "model_name": task.name,
        "model_version": f"{task.name}-{as_of_date:%Y%m%d}-none",
        "candidate": "none",
        "verdict": f"not trained: {reason}",
        "horizon_days": task.horizon_days,
        "is_champion": False,
        "as_of_date": as_of_date,
    }
    return pd.DataFrame([row])


def _champion_figures(evaluation: pd.DataFrame) -> dict[str, float]:
    champion = evaluation.loc[evaluation["is_champion"].astype(bool), ["auc", "brier", "ece_10_equal_count"]]
    return {str(name): float(value) for name, value in champion.iloc[0].items()} if len(champion) else {}


def _card_link(brand_run: BrandRun, settled: Settled) -> dict[str, dg.MetadataValue]:
    """Where the card of the version that scored lies, for a browser."""
    from ml.common.artifacts import HTML_CARD_FILE

    if settled.scorer is None:
        return {}
    folder = brand_run.settings.artifacts_dir / settled.scorer["task"]["name"] / settled.scorer["model_version"]
    return {"card_file": dg.MetadataValue.path(str(folder / HTML_CARD_FILE))}


def _moment(brand_run: BrandRun, as_of_date: date) -> Moment:
    known_at = brand_run.query("select known_at from intermediate.int_clocks_resolved").iloc[0]["known_at"]
    return Moment(as_of_date, known_at.to_pydatetime(), datetime.now(UTC))


def _checks(
    result,
    settled: Settled,
    earlier: pd.DataFrame,
    features: pd.DataFrame,
    purchase_days: pd.DataFrame,
    as_of_date: date,
) -> pd.DataFrame:
    """Rows of ml.model_monitoring: what the training says of leaks, and how the scoring version and its past scores do today."""
    from ml.common.checks import check_rows
    from ml.common.pipeline import watch_inputs
    from ml.common.watching import watch_scores

    if settled.scorer is None:
        return result.checks
    present = features.loc[pd.to_datetime(features["as_of_date"]) == pd.Timestamp(as_of_date)]
    version, name = settled.scorer["model_version"], result.task.name
    watched = watch_inputs(settled.scorer, present, result.task, as_of_date)
    drift, decay = watch_scores(earlier, settled.scores, purchase_days, result.task.positive_is_order, as_of_date)
    frames = [
        result.checks,
        check_rows(name, version, as_of_date, [*watched, *drift]),
        *(check_rows(name, scored_by, as_of_date, checks) for scored_by, checks in decay.items()),
    ]
    return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)


@dg.multi_asset(
    name="trained_models",
    specs=[
        dg.AssetSpec(
            ["ml", table],
            group_name="predict",
            owners=["team:data-science"],
            description=description,
            deps=[
                ["features", "feat_members_purchases"],
                ["features", "feat_members_promotions"],
                ["marts", "fct_orders"],
            ],
            kinds={"scikitlearn"},
        )
        for table, description in {
            "churn_scores": "One row per scored member and as_of_date: the probability that an active member stops ordering.",
            "propensity_scores": "One row per scored member and as_of_date: the probability of an order within the horizon.",
            "model_evaluations": "One row per model version and candidate: figures on a period later than everything it was fitted on.",
            "model_registry": "One row per decision about a model version: who scores since when, by whose hand and why.",
            "model_monitoring": "One row per model, check, subject and as_of_date: drift, decay, label age and signs of leaks.",
        }.items()
    ],
)
def trained_models(context: dg.AssetExecutionContext, brand_run: BrandRun):
    from ml.common.pipeline import TrainResult, evaluation_row, train_and_score

    as_of_date = brand_run.as_of_date()
    features = brand_run.query(FEATURES_SQL)
    purchase_days = brand_run.query(PURCHASE_DAYS_SQL, [as_of_date])
    published = brand_run.query("select * from ml.model_registry")
    moment = _moment(brand_run, as_of_date)
    evaluations, scored_by, decisions, monitored = [], [], [], []
    for table, task in _tasks(brand_run).items():
        if purchase_days.empty:
            result = TrainResult(task, "not_trained", _no_orders(brand_run, as_of_date))
        else:
            result = train_and_score(features, purchase_days, task, as_of_date)
        log = rows_to_log(published.loc[published["model_name"] == task.name])
        settled = settle(brand_run.settings.artifacts_dir, log, result, features, purchase_days, moment)
        if result.status == "trained":
            evaluations.append(result.evaluation)
        else:
            context.log.warning(f"{task.name}: not trained: {result.reason}")
            evaluations.append(_declined(task, result.reason, as_of_date))
        if settled.scorer is not None and settled.scorer["model_version"] != result.model_version:
            # Trained by an earlier run, of which this file may know nothing.
            scored_by.append(evaluation_row(settled.scorer))
        if settled.scorer is not None and not settled.is_champion:
            context.log.warning(f"{task.name}: no version may score: {settled.log[-1].reason}")
        earlier = brand_run.query(EARLIER_SCORES_SQL.format(table=f"ml.{table}"), [as_of_date])
        checks = _checks(result, settled, earlier, features, purchase_days, as_of_date)
        # One as_of_date has the scores of one version, or of none: what an earlier run of the same day wrote goes.
        brand_run.replace_cut(f"ml.{table}", settled.scores.loc[:, list(SCORES)], as_of_date)
        # The only evaluation of this very cut can be one that declined.
        brand_run.replace_cut("ml.model_evaluations", _declined(task, "", as_of_date).iloc[:0], as_of_date, task.name)
        brand_run.replace_cut("ml.model_monitoring", checks.loc[:, list(MONITORING)], as_of_date, task.name)
        decisions.append(log_to_rows(settled.log))
        monitored.append(checks)
        scorer = settled.scorer["model_version"] if settled.scorer else "none"
        figures = _champion_figures(result.evaluation)
        context.log.info(
            f"{task.name}: {result.status}, {len(settled.scores)} members scored by {scorer}"
            + "".join(f", {name} {value:.3f}" for name, value in figures.items())
        )
        yield dg.MaterializeResult(
            asset_key=["ml", table],
            metadata={
                "model_version": result.model_version or "none",
                "scored_by": scorer,
                "decision": settled.log[-1].reason if settled.log else "none",
                "status": result.status,
                "dagster/row_count": len(settled.scores),
                "card": dg.MetadataValue.md(result.card),
                **_card_link(brand_run, settled),
                **figures,
            },
        )
    rows, registry = pd.concat(evaluations, ignore_index=True), pd.concat(decisions, ignore_index=True)
    brand_run.write_rows("ml.model_evaluations", rows.loc[:, list(EVALUATIONS)], key=("model_version",))
    for row in scored_by:
        brand_run.write_rows("ml.model_evaluations", row.loc[:, list(EVALUATIONS)], key=("model_version", "candidate"))
    yield dg.MaterializeResult(
        asset_key=["ml", "model_evaluations"],
        metadata={"dagster/row_count": len(rows), "evaluated_at": datetime.now(UTC).isoformat()},
    )
    brand_run.write_rows("ml.model_registry", registry.loc[:, list(REGISTRY)], key=("model_name",))
    yield dg.MaterializeResult(asset_key=["ml", "model_registry"], metadata={"dagster/row_count": len(registry)})
    yield dg.MaterializeResult(
        asset_key=["ml", "model_monitoring"], metadata={"dagster/row_count": sum(len(checks) for checks in monitored)}
    )


gate_models = gate_checks(suites.GATE, suites.suites(MODELS))
