"""What a predictive task is: whom it asks, what counts as yes, how far ahead. Values come from `ml.<task>.model`.

How a task is trained belongs in `ml.common.pipeline`; a brand's own horizon is passed in by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL_CANDIDATES = (
    "recency_rule",
    "order_count_rule",
    "rfm_logistic",
    "logistic",
    "random_forest",
    "gradient_boosting",
    "blend",
)


@dataclass(frozen=True)
class Task:
    """A binary question about a member in the `horizon_days` from as_of_date on."""

    name: str
    question: str
    positive_is_order: bool  # True: 1 = ordered in the window; False: 1 = did not
    horizon_days: int  # at least 1; longer = later feedback, fewer usable cuts
    active_days: int | None = None  # ask only members who ordered in the last N days; None = every known buyer
    min_class_count: int = 100  # rows of each class needed to fit, to calibrate and to judge; below, not trained
    auc_ceiling: float = 0.97  # 0.5 to 1; above it a result is a suspected leak, not a success
    high_tier_percentile: float = 0.8  # tier high = score in the top 20 % of those scored
    medium_tier_percentile: float = 0.5  # tier medium = the rest of the upper half; low = the lower half
    candidate_names: tuple[str, ...] = ALL_CANDIDATES

    def __post_init__(self) -> None:
        if self.horizon_days < 1 or (self.active_days is not None and self.active_days < 1):
            raise ValueError(f"task {self.name}: horizon_days and active_days must be at least 1")
        unknown = sorted(set(self.candidate_names) - set(ALL_CANDIDATES))
        if unknown or not set(self.candidate_names) & {"recency_rule", "order_count_rule"}:
            raise ValueError(
                f"task {self.name}: candidate_names must hold a rule and only {', '.join(ALL_CANDIDATES)}"
                f" (unknown: {', '.join(unknown) or 'none'})"
            )
        if not 0 <= self.medium_tier_percentile <= self.high_tier_percentile <= 1:
            raise ValueError(f"task {self.name}: tiers need 0 <= medium_tier_percentile <= high_tier_percentile <= 1")
