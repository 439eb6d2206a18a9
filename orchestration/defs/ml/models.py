"""Trained models as assets: features out of the engine, one call into `ml`, scores and evaluation back in."""

from datetime import UTC, date, datetime

import dagster as dg
import pandas as pd

from orchestration.build_file import EVALUATIONS, SCORES
from orchestration.landing import land as landing
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
        }.items()
    ],
)
def trained_models(context: dg.AssetExecutionContext, brand_run: BrandRun):
    from ml.common.artifacts import save_artifact
    from ml.common.pipeline import TrainResult, train_and_score

    as_of_date = brand_run.as_of_date()
    features = brand_run.query(FEATURES_SQL)
    purchase_days = brand_run.query(PURCHASE_DAYS_SQL, [as_of_date])
    evaluations = []
    for table, task in _tasks(brand_run).items():
        if purchase_days.empty:
            result = TrainResult(task, "not_trained", _no_orders(brand_run, as_of_date))
        else:
            result = train_and_score(features, purchase_days, task, as_of_date)
        if result.status == "trained":
            save_artifact(result, brand_run.settings.artifacts_dir / task.name)
            evaluations.append(result.evaluation)
        else:
            context.log.warning(f"{task.name}: not trained: {result.reason}")
            evaluations.append(_declined(task, result.reason, as_of_date))
        # One as_of_date has the scores of one version: the newest training replaces an earlier one of the same day.
        brand_run.write_rows(f"ml.{table}", result.scores.loc[:, list(SCORES)], key=("as_of_date",))
        figures = _champion_figures(result.evaluation)
        context.log.info(
            f"{task.name}: {result.status}, {len(result.scores)} members scored"
            + "".join(f", {name} {value:.3f}" for name, value in figures.items())
        )
        yield dg.MaterializeResult(
            asset_key=["ml", table],
            metadata={
                "model_version": result.model_version or "none",
                "status": result.status,
                "dagster/row_count": len(result.scores),
                "card": dg.MetadataValue.md(result.card),
                **figures,
            },
        )
    rows = pd.concat(evaluations, ignore_index=True)
    brand_run.write_rows("ml.model_evaluations", rows.loc[:, list(EVALUATIONS)], key=("model_version",))
    yield dg.MaterializeResult(
        asset_key=["ml", "model_evaluations"],
        metadata={"dagster/row_count": len(rows), "evaluated_at": datetime.now(UTC).isoformat()},
    )


gate_models = gate_checks(suites.GATE, suites.suites(MODELS))
