"""Which as_of_dates may train, calibrate and judge a model. Time only: no rows, no features.

One rule makes every split: a cut may be used at time `at` only if its label window has ended by then. So the windows of
fit, calibration and test never overlap (overlap lifts AUC by .1 and more on real data). Labels: `ml.common.labels`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd


class TooFewCutsError(ValueError):
    """The history is too short for a split; callers turn this into a stated result."""


@dataclass(frozen=True)
class TimeSplit:
    """What may train a model used `at` a later cut (to judge it there, or to score there)."""

    train_cuts: tuple[pd.Timestamp, ...]  # every cut whose label is known at `at`, oldest first
    at: pd.Timestamp
    horizon_days: int

    def __post_init__(self) -> None:
        if len(self.train_cuts) != len(mature_cuts(self.train_cuts, self.horizon_days, self.at)):
            raise ValueError("a training label window ends after the cut it is used at: drop that training cut")
        if not self.train_cuts:
            raise TooFewCutsError(
                f"no as_of_date has a {self.horizon_days}-day label known by {self.at:%Y-%m-%d}: nothing to train on"
            )

    @property
    def calibration_cut(self) -> pd.Timestamp:
        """The newest training cut."""
        return self.train_cuts[-1]

    @property
    def fit_cuts(self) -> tuple[pd.Timestamp, ...]:
        """The training cuts whose label window ends by the calibration cut. Empty when the history is short."""
        return mature_cuts(self.train_cuts, self.horizon_days, self.train_cuts[-1])


def mature_cuts(cuts: Iterable, horizon_days: int, at: pd.Timestamp) -> tuple[pd.Timestamp, ...]:
    """The distinct cuts with cut + horizon <= at, oldest first."""
    horizon = pd.Timedelta(days=horizon_days)
    distinct: set[Any] = {pd.Timestamp(cut) for cut in cuts}  # Any: pandas types a Timestamp as possibly NaT
    return tuple(sorted(cut for cut in distinct if cut + horizon <= at))


def spread(cuts: Iterable, gap_days: int) -> tuple[pd.Timestamp, ...]:
    """The cuts, newest first, that lie at least `gap_days` before the one kept before them; returned oldest first."""
    kept: list[Any] = []
    for cut in sorted(set(cuts), reverse=True):
        if not kept or (kept[-1] - cut).days >= gap_days:
            kept.append(cut)
    return tuple(reversed(kept))


def split_at(cuts: Iterable, horizon_days: int, at: pd.Timestamp) -> TimeSplit:
    """The split of everything known `at`. Raises TooFewCutsError when that is nothing."""
    return TimeSplit(train_cuts=mature_cuts(cuts, horizon_days, at), at=at, horizon_days=horizon_days)


def judging_split(cuts: Iterable, horizon_days: int, known_until: pd.Timestamp) -> TimeSplit:
    """The split that judges: `at` is the newest mature cut, which nothing trained on. Needs three usable cuts."""
    known = mature_cuts(cuts, horizon_days, known_until)
    if len(known) < 3:
        raise TooFewCutsError(
            f"{len(known)} mature as_of_dates before {known_until:%Y-%m-%d}: at least three"
            f" are needed, {horizon_days} days apart, to fit, calibrate and test"
        )
    return split_at(known, horizon_days, known[-1])
