"""Churn as a task: an active member who places no order in the horizon.

Defaults suit a weekly shop; a brand with slower customers passes its own days. Training belongs in
`ml.common.pipeline`.
"""

from __future__ import annotations

from ml.common.tasks import Task


def churn_task(horizon_days: int = 28, active_days: int = 28, **options) -> Task:
    """Positive = no order in [as_of_date, as_of_date + horizon_days), asked of recent buyers.

    A recent buyer ordered in the last `active_days`; `options` are further fields of Task. A sensible horizon is
    2 to 4 times the usual gap between orders.
    """
    return Task(
        name="churn",
        question=f"Will a member who ordered in the last {active_days} days not order in the next {horizon_days} days?",
        positive_is_order=False,
        horizon_days=horizon_days,
        active_days=active_days,
        **options,
    )
