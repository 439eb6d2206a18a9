"""A model's task judged at any past cut of a built brand: features of that cut and of earlier ones, labels after it, figures.

The features are dbt's own models, built for other cuts in a copy of the build file that is thrown away: what a model is judged on is
what it would be trained on. Learning and judging are `ml.common.pipeline`'s.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ml.churn.model import churn_task
from ml.propensity.model import propensity_task
from orchestration import warehouse
from orchestration.brands import Brand
from orchestration.dbt import dbt_environment, ensure_manifest, run_dbt
from orchestration.locking import brand_lock
from orchestration.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from ml.common.pipeline import CutEvaluation
    from ml.common.tasks import Task

TASKS = ("churn", "purchase")
CUT_COUNT = 6
# The widest window of the rules: a cut with less behind it knows another thing by the same name.
LEAST_HISTORY_DAYS = 90
_FOLDER, _LEFTOVER_SECONDS = "evaluation-", 86_400
_MODELS = ("int_as_of_dates_spined", "feat_members_purchases", "feat_members_promotions")


class EvaluationError(ValueError):
    """The task cannot be judged at that cut; str() says why and what to do."""


@dataclass(frozen=True)
class Evaluated:
    """A task at a cut, and how long it took."""

    task: Task
    evaluation: CutEvaluation
    first_day: date  # of the first purchase known
    seconds: float


def task_of(brand: Brand, name: str, horizon_days: int, active_days: int | None = None) -> Task:
    """The task with this horizon. Without `active_days`, whom it asks follows from the brand's parameters.

    Churn is asked of those who ordered within churn_active_days, in proportion to the horizon; a purchase of those who ordered within
    purchase_active_days, or of every known buyer where the brand sets none.
    """
    parameters = brand.parameters
    if name == "churn":
        share = parameters.churn_active_days / parameters.churn_horizon_days
        return churn_task(horizon_days, active_days or max(1, round(share * horizon_days)))
    return propensity_task(horizon_days, active_days=active_days or parameters.purchase_active_days)


def training_cuts(
    cut: date, horizon_days: int, first_day: date, count: int = CUT_COUNT, step_days: int | None = None
) -> list[date]:
    """Cuts to learn from, oldest first: the newest has its outcome known at `cut`, the others lie a step apart before it.

    The step is the horizon, but at least two weeks and at most thirty days. Cuts with less than LEAST_HISTORY_DAYS behind them are left
    out; where no cut has as much, those with at least a horizon behind them stay.
    """
    step = step_days or min(max(horizon_days, 14), 30)
    cuts = [cut - timedelta(days=horizon_days + step * number) for number in range(count)][::-1]
    for history in (LEAST_HISTORY_DAYS, horizon_days):
        kept = [day for day in cuts if (day - first_day).days >= history]
        if kept:
            return kept
    return []


def evaluate(
    settings: Settings,
    brand: Brand,
    task: Task,
    cut: date,
    *,
    count: int = CUT_COUNT,
    step_days: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Evaluated:
    """Judge `task` at `cut`. Takes the brand's lock while the build file is copied. Raises EvaluationError."""
    from ml.common.pipeline import TooFewRowsError, evaluate_at
    from ml.common.splits import TooFewCutsError
    from orchestration.defs.ml.models import PURCHASE_DAYS_SQL

    started = time.monotonic()
    ends = cut + timedelta(days=task.horizon_days)
    with _copied(settings) as copy:
        first_day, known_until = _span(copy)
        if ends > known_until:
            raise EvaluationError(
                f"--cut {cut} --horizon {task.horizon_days}: the label window ends on {ends}, and nothing is known from {known_until} on; "
                f"the latest cut with this horizon is {known_until - timedelta(days=task.horizon_days)}"
            )
        cuts = training_cuts(cut, task.horizon_days, first_day, count, step_days)
        if not cuts:
            raise EvaluationError(
                f"--cut {cut} --horizon {task.horizon_days}: the first purchase is of {first_day}, so no earlier cut has both "
                "a horizon of history behind it and a known outcome; choose a later cut or a shorter horizon"
            )
        tell(f"features at {len(cuts)} training cuts, {cuts[0]} to {cuts[-1]}, and at {cut}")
        features = _features(settings, copy, [*cuts, cut])
        with warehouse.read_only(copy) as connection:
            purchase_days = connection.execute(PURCHASE_DAYS_SQL, [ends]).df()
    tell(f"{len(features):,} members at cuts; training {len(task.candidate_names)} candidates")
    try:
        found = evaluate_at(features, purchase_days, task, cut, ends)
    except (TooFewRowsError, TooFewCutsError) as thin:
        raise EvaluationError(f"too little data: {thin}") from thin
    return Evaluated(task, found, first_day, time.monotonic() - started)


def features_at(settings: Settings, cuts: Sequence[date]) -> pd.DataFrame:
    """Features of every member at each of the cuts, as the models of `tessera run` get them. Raises EvaluationError."""
    with _copied(settings) as copy:
        return _features(settings, copy, cuts)


@contextmanager
def _copied(settings: Settings) -> Iterator[Path]:
    """A copy of the build file, for as long as it is wanted."""
    if not settings.build_file.exists():
        raise EvaluationError(
            f"{settings.brand} has never been built; run `tessera run --brand {settings.brand}` first"
        )
    _remove_leftovers(settings.brand_home)
    with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=settings.brand_home) as folder:
        copy = Path(folder) / settings.build_file.name  # dbt's views hold the file's own name
        with brand_lock(settings):
            shutil.copyfile(settings.build_file, copy)
        yield copy


def _remove_leftovers(brand_home: Path) -> None:
    """Copies of evaluations that were killed; those of the last day may be at work."""
    for folder in brand_home.glob(f"{_FOLDER}*"):
        if time.time() - folder.stat().st_mtime > _LEFTOVER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _span(copy: Path) -> tuple[date, date]:
    """First day of a purchase, and the exclusive end of what is known."""
    with warehouse.read_only(copy) as connection:
        found = connection.execute(
            "select (select min(business_date) from marts.fct_orders where member_id is not null and is_valid), "
            "(select as_of_date from intermediate.int_clocks_resolved)"
        ).fetchone()
    if found is None or found[0] is None or found[1] is None:
        raise EvaluationError("no valid order of a member is known: there is nothing to learn from")
    return found[0], found[1]


def _features(settings: Settings, copy: Path, cuts: Sequence[date]) -> pd.DataFrame:
    from orchestration.defs.ml.models import FEATURES_SQL

    ensure_manifest()
    home = settings.brand_home
    invocation = run_dbt(
        ["run", "--select", *_MODELS],
        dbt_environment(settings)
        | {"TESSERA_BUILD_FILE": str(copy), "TESSERA_CUTS": " ".join(day.isoformat() for day in cuts)},
        target=copy.parent / "dbt",  # of its own: a run may go on beside it, and reads what dbt says in the brand's
        logs=home / "logs",
        tell=lambda _: None,
    )
    if invocation.failed:
        raise EvaluationError(
            f"features could not be built: {invocation.failed} failed; see {home / 'logs' / 'dbt.log'}"
        )
    with warehouse.read_only(copy) as connection:
        return connection.execute(FEATURES_SQL).df()
