"""`tessera evaluate`: what models and rules would have been worth at a past cut. The work is in `orchestration.evaluation`."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.commands.common import FAILED, USAGE, BrandOption, exit_codes
from orchestration.settings import load_settings

if TYPE_CHECKING:
    from orchestration.evaluation import Evaluated

_SHOWN = {
    "auc": "AUC",
    "average_precision": "AP 平均精度",
    "brier": "Brier",
    "ece_10_equal_count": "ECE 校准误差",
    "lift_at_10_percent": "lift@10% 提升度",
}


class _Task(StrEnum):
    churn = "churn"
    purchase = "purchase"


def evaluate(
    task: Annotated[_Task, typer.Option("--task", help="churn: no order in the horizon. purchase: an order in it.")],
    cut: Annotated[
        datetime,
        typer.Option(
            "--cut",
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="First business date that is not known to the model.",
        ),
    ],
    horizon: Annotated[
        int, typer.Option("--horizon", min=1, max=730, metavar="DAYS", help="Days of the label window.")
    ],
    brand: BrandOption = None,
    active_days: Annotated[
        int | None,
        typer.Option(
            "--active-days", min=1, max=3650, metavar="DAYS", help="Ask only who ordered in as many days before."
        ),
    ] = None,
    cuts: Annotated[int, typer.Option("--cuts", min=1, max=60, help="Earlier cuts to learn from.")] = 6,
    step: Annotated[
        int | None, typer.Option("--step", min=7, max=365, metavar="DAYS", help="Days between them. Default: 14 to 30.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge churn or purchase at a past cut: learn from earlier cuts only, and compare models with one-line rules.

    The brand must have been built. Nothing is written; a run may go on beside it once the build file is copied.
    """
    with exit_codes():
        settings = load_settings(brand)
        from orchestration import console
        from orchestration.brands import BrandConfigError, load_brand
        from orchestration.evaluation import EvaluationError, task_of
        from orchestration.evaluation import evaluate as judge

        with exit_codes({EvaluationError: FAILED, BrandConfigError: USAGE}):
            found = load_brand(settings)
            asked = task_of(found, task.value, horizon, active_days)
            result = judge(
                settings,
                found,
                asked,
                cut.date(),
                count=cuts,
                step_days=step,
                tell=(lambda _: None) if as_json else (lambda line: typer.echo(line, err=True)),
            )
        body = as_body(settings.brand, task.value, result)
        if as_json:
            typer.echo(json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False))
            return
        screen = console.result_console(sys.stdout)
        screen.print(f"{asked.question}", style="bold", markup=False)
        screen.print(
            f"人群 population {body['population_count']:,} · 基准率 base rate {body['base_rate']:.4f} · 截止日 cut {body['cut']} · "
            f"{len(body['train_cuts'])} training cuts, {body['train_cuts'][0]} to {body['train_cuts'][-1]} · {body['seconds']:.0f} s",
            markup=False,
        )
        console.print_table(
            screen,
            ["模型或规则\nmodel or rule", "类别\nkind", *(title.replace(" ", "\n") for title in _SHOWN.values())],
            [(m["name"], m["kind"], *(f"{m[name]:.4f}" for name in _SHOWN)) for m in body["models"]],
        )
        champion = body["models"][-1]
        screen.print(
            f"champion = {body['champion']}, calibration {body['calibration']}, chosen on earlier cuts; "
            f"AUC 95 % [{champion['auc_ci_low']:.4f}, {champion['auc_ci_high']:.4f}] (500 bootstraps, seed 0)",
            markup=False,
            highlight=False,
        )


def as_body(brand: str, task: str, result: Evaluated) -> dict[str, Any]:
    """The JSON object that `--json` prints. Figures that the data do not define are null."""
    from ml.common.estimators import RULES
    from ml.common.evaluation import metrics_row

    found = result.evaluation
    one = next(iter(found.figures.values()))
    kinds = dict.fromkeys(RULES, "rule") | {"champion": "champion"}
    return {
        "brand": brand,
        "task": task,
        "question": result.task.question,
        "cut": f"{found.at:%Y-%m-%d}",
        "horizon_days": result.task.horizon_days,
        "active_days": result.task.active_days,
        "train_cuts": [f"{day:%Y-%m-%d}" for day in found.train_cuts],
        "population_count": one.population_count,
        "positive_count": one.positive_count,
        "base_rate": _number(one.base_rate),
        "champion": found.candidate,
        "calibration": found.calibration,
        "feature_count": len(found.feature_names),
        "models": [
            {"name": name, "kind": kinds.get(name, "model")}
            | {
                figure: _number(value)
                for figure, value in metrics_row(metrics).items()
                if figure not in ("population_count", "positive_count", "base_rate")
            }
            for name, metrics in found.figures.items()
        ],
        "seconds": round(result.seconds, 1),
    }


def _number(value: float) -> float | None:
    return None if value != value else round(float(value), 6)
