"""Purchase propensity as a task: a known buyer who places an order in the horizon.

Per-category and per-product propensity do not belong here. Training belongs in `ml.common.pipeline`.
"""

from __future__ import annotations

from ml.common.tasks import Task


def propensity_task(horizon_days: int = 30, active_days: int | None = None, **options) -> Task:
    """Positive = an order in [as_of_date, as_of_date + horizon_days), asked of every member with a known purchase.

    `active_days` narrows that to recent buyers; `options` are further fields of Task.
    """
    return Task(
        name="propensity",
        question=f"Will a known buyer order in the next {horizon_days} days?",
        positive_is_order=True,
        horizon_days=horizon_days,
        active_days=active_days,
        **options,
    )
