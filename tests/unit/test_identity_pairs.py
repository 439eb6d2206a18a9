"""Probable pairs as functions of frames: scores, groups and the rules that break them, and measured precision."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest
from scipy.stats import binomtest

from ml.identity.columns import ID_LEFT, ID_RIGHT, PAIR_COLUMNS, PROBABILITY
from ml.identity.grouping import KEPT_APART, KNOWN_APART, TOO_LARGE, components, group_pairs
from ml.identity.linking import Field, LinkPlan, TooLittleToLearn, score_pairs
from ml.identity.measuring import measure, wilson_interval

PLAN = LinkPlan(
    fields=(Field("name", "text"), Field("born", "digits"), Field("place", "place"), Field("phone", "code")),
    blocks=(("phone",), ("name", "born"), ("born", "place")),
    surest=(("name", "born"), ("phone", "place")),
    training=(("phone",), ("name",), ("born",)),
    apart="number",
    max_sampled_pairs=1e5,
)
PEOPLE = 150


def records() -> pd.DataFrame:
    """Everybody twice: once with a number, once without and with a slip of the pen here and a gap there."""
    chance = random.Random(3)
    rows = []
    for number in range(PEOPLE):
        name = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8))
        born = f"{chance.randint(1950, 2005)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"
        place, phone = f"{chance.randint(11, 40)}0100", f"{chance.randint(1_000_000, 9_999_999)}"
        rows.append((f"a{number:03d}", name, born, place, phone, f"n{number}"))
        slipped = born[:-1] + str((int(born[-1]) + 1) % 10) if number % 5 == 0 else born
        rows.append(
            (
                f"b{number:03d}",
                name,
                slipped,
                None if number % 7 == 0 else place,
                "" if number % 3 == 0 else phone,
                None,
            )
        )
    return pd.DataFrame(rows, columns=["id", "name", "born", "place", "phone", "number"])


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    return score_pairs(records(), PLAN)


def is_same(pairs: pd.DataFrame) -> list[bool]:
    return [left[1:] == right[1:] for left, right in zip(pairs[ID_LEFT], pairs[ID_RIGHT], strict=True)]


def test_pairs_of_one_person_are_found_and_others_are_not(pairs: pd.DataFrame) -> None:
    assert list(pairs.columns) == list(PAIR_COLUMNS)
    ids = list(zip(pairs[ID_LEFT], pairs[ID_RIGHT], strict=True))
    assert all(left < right for left, right in ids) and ids == sorted(set(ids))
    sure = pairs.query(f"{PROBABILITY} >= 0.95")
    assert all(is_same(sure)) and len(sure) > 0.9 * PEOPLE


def test_what_is_known_to_be_two_people_is_no_pair(pairs: pd.DataFrame) -> None:
    assert not (pairs[ID_LEFT].str.startswith("a") & pairs[ID_RIGHT].str.startswith("a")).any()


def test_neither_the_order_of_rows_nor_the_time_changes_a_score(pairs: pd.DataFrame) -> None:
    assert score_pairs(records().iloc[::-1], PLAN).equals(pairs)


def test_two_frames_are_compared_with_each_other_only() -> None:
    frame = records()
    left, right = (frame.query(f"id.str.startswith('{letter}')") for letter in "ba")
    found = score_pairs(left, replace(PLAN, apart=None), others=right, threshold=0.9)
    assert found[ID_LEFT].str.startswith("b").all() and found[ID_RIGHT].str.startswith("a").all()
    assert all(is_same(found)) and len(found) > 0.8 * PEOPLE


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (records().head(1), "fewer than two"),
        (records().assign(phone=None, name=None), "no surest"),
        (records().assign(name="x", born="19900101", place="110100", phone="1"), "no fields"),
    ],
)
def test_records_that_tell_nothing_are_refused(frame: pd.DataFrame, said: str) -> None:
    with pytest.raises(TooLittleToLearn, match=said):
        score_pairs(frame, PLAN)


def test_ids_must_be_unique() -> None:
    with pytest.raises(ValueError, match="unique"):
        score_pairs(pd.concat([records(), records()]), PLAN)


# ---- groups ------------------------------------------------------------------------------------------------------


def chain(*ids: str, probability: float = 0.99) -> pd.DataFrame:
    return pd.DataFrame([(a, b, probability) for a, b in pairwise(ids)], columns=list(PAIR_COLUMNS))


def test_components_go_by_their_smallest_id() -> None:
    assert components([("c", "b"), ("e", "d"), ("b", "a")]) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}


def test_only_sure_pairs_make_groups() -> None:
    found = group_pairs(pd.concat([chain("a", "b"), chain("b", "c", probability=0.9)]), 0.95, max_size=9)
    assert found.group_of == {"a": "a", "b": "a"} and not found.refused


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"max_size": 3}, TOO_LARGE),
        ({"max_size": 9, "sizes": {"b": 7}}, TOO_LARGE),
        ({"max_size": 9, "apart": {"a": "one", "d": "two"}}, KNOWN_APART),
        ({"max_size": 9, "kept_apart": [("d", "a")]}, KEPT_APART),
    ],
)
def test_a_group_that_breaks_a_rule_is_refused_whole(rule: dict[str, object], reason: str) -> None:
    found = group_pairs(pd.concat([chain("a", "b", "c", "d"), chain("x", "y")]), 0.95, **rule)  # pyright: ignore[reportArgumentType]
    assert found.group_of == {"x": "x", "y": "x"}
    assert set(found.refused) == set("abcd") and found.reasons == {reason: 1}


def test_rules_about_others_break_nothing() -> None:
    found = group_pairs(
        chain("a", "b"), 0.95, max_size=2, apart={"a": "one", "b": "one", "z": "two"}, kept_apart=[("a", "z"), ("", "")]
    )
    assert found.group_of == {"a": "a", "b": "a"}


# ---- measurement -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "of"), [(0, 1), (1, 1), (380, 380), (381, 381), (399, 400), (97, 100), (3, 7)])
def test_wilson_bounds_are_those_of_scipy(right: int, of: int) -> None:
    expected = binomtest(right, of).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right, of) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_bounds_are_the_published_ones() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    for (right, of), bounds in {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611)}.items():
        assert wilson_interval(right, of) == pytest.approx(bounds, abs=5e-5)


def test_381_pairs_without_an_error_are_the_fewest_for_99_percent() -> None:
    assert wilson_interval(380, 380)[0] < 0.99 <= wilson_interval(381, 381)[0]


@pytest.mark.parametrize(("right", "of"), [(1, 0), (2, 1), (-1, 5)])
def test_what_is_no_share_is_refused(right: int, of: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(right, of)


def judged(*rows: tuple[float, bool | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {PROBABILITY: [row[0] for row in rows], "is_same": pd.array([row[1] for row in rows], dtype="boolean")}
    )


def test_precision_and_recall_by_threshold() -> None:
    low, high, none = measure(judged((0.6, False), (0.9, True), (0.99, True)), [0.5, 0.9, 0.999], true_pairs=4)
    assert (low.pair_count, low.right_count, low.precision, low.recall) == (3, 2, pytest.approx(2 / 3), 0.5)
    assert (high.precision, high.recall) == (1, 0.5) and high.precision_low == pytest.approx(wilson_interval(2, 2)[0])
    assert (none.judged_count, none.precision, none.precision_low, none.recall) == (0, None, None, 0)


def test_recall_of_a_sample_is_not_known() -> None:
    (result,) = measure(judged((0.9, True), (0.9, None)), [0.5], true_pairs=4)
    assert (result.pair_count, result.judged_count, result.precision, result.recall) == (2, 1, 1, None)
