"""Time splits: whatever the cuts, no label window reaches into the next part."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ml.common.splits import TimeSplit, TooFewCutsError, judging_split, mature_cuts, split_at, spread

DAY0 = pd.Timestamp("2024-01-01")


def days(offsets) -> list[pd.Timestamp]:
    return [DAY0 + pd.Timedelta(days=offset) for offset in offsets]


@given(
    offsets=st.sets(st.integers(0, 200), min_size=1, max_size=15), horizon=st.integers(1, 40), now=st.integers(0, 260)
)
def test_windows_of_fit_calibration_test_and_the_present_never_overlap(offsets, horizon, now) -> None:
    [known_until] = days([now])
    window = pd.Timedelta(days=horizon)
    try:
        split = judging_split(days(offsets), horizon, known_until)
    except TooFewCutsError:
        assume(False)
        return
    assert all(cut + window <= split.calibration_cut for cut in split.fit_cuts)
    assert split.calibration_cut + window <= split.at
    assert split.at + window <= known_until
    assert all(cut + window <= split.at for cut in split.train_cuts)


def test_the_newest_mature_cut_judges_and_the_one_before_it_calibrates() -> None:
    cuts = days([0, 28, 56, 84, 112])
    split = judging_split(cuts, 28, cuts[-1])
    assert (split.fit_cuts, split.calibration_cut, split.at) == ((cuts[0], cuts[1]), cuts[2], cuts[3])


def test_a_train_cut_one_day_later_is_refused() -> None:
    early, late, at = days([0, 28, 56])
    TimeSplit((early, late), at, 28)
    with pytest.raises(ValueError, match="drop that training cut"):
        TimeSplit((early, late + pd.Timedelta(days=1)), at, 28)


def test_training_cuts_that_overlap_each_other_leave_nothing_to_calibrate_on() -> None:
    cuts = days([0, 15, 30, 90])
    [now] = days([150])
    split = judging_split(cuts, 60, now)
    assert split.train_cuts == tuple(cuts[:3]) and split.fit_cuts == ()


def test_no_cut_before_the_test_cut_is_a_stated_refusal() -> None:
    [now] = days([150])
    with pytest.raises(TooFewCutsError, match="nothing to train on"):
        judging_split(days([60, 75, 90]), 60, now)


def test_cuts_that_crowd_are_thinned_from_the_newest_back() -> None:
    assert spread(days([0, 6, 7, 12, 14]), 7) == tuple(days([0, 7, 14]))


def test_two_mature_cuts_are_too_few_to_judge_but_enough_to_fit() -> None:
    cuts = days([0, 28])
    [now] = days([56])
    with pytest.raises(TooFewCutsError, match="2 mature as_of_dates"):
        judging_split(cuts, 28, now)
    assert split_at(cuts, 28, now).fit_cuts == (cuts[0],)


def test_mature_cuts_are_distinct_sorted_and_known() -> None:
    assert mature_cuts(days([30, 0, 0, 31]), 30, days([60])[0]) == tuple(days([0, 30]))
