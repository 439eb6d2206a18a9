"""Lanes: everything comes, each lane in its order; what goes wrong in one is raised where the items are taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.landing.lanes import side_by_side


def numbers(lane: int, count: int) -> Iterator[tuple[int, int]]:
    for number in range(count):
        yield lane, number


@given(st.lists(st.integers(0, 20), max_size=6), st.integers(1, 4))
def test_every_item_comes_once_and_each_lane_in_order(counts: list[int], workers: int) -> None:
    found = list(side_by_side([partial(numbers, lane, count) for lane, count in enumerate(counts)], workers))
    assert sorted(found) == [(lane, number) for lane, count in enumerate(counts) for number in range(count)]
    for lane, count in enumerate(counts):
        assert [number for own, number in found if own == lane] == list(range(count))


def test_lanes_run_at_once() -> None:
    met = threading.Barrier(2, timeout=20)

    def waits() -> Iterator[str]:
        met.wait()  # alone it would wait in vain
        yield "met"

    assert list(side_by_side([waits, waits], workers=2)) == ["met", "met"]


def test_one_worker_stays_in_this_thread() -> None:
    def here() -> Iterator[threading.Thread]:
        yield threading.current_thread()

    assert set(side_by_side([here, here], workers=1)) == {threading.current_thread()}


def test_an_error_of_a_lane_is_raised_and_the_others_stop() -> None:
    seen, failed = [], threading.Event()

    def fails() -> Iterator[int]:
        yield 1
        failed.set()
        raise ValueError("lane")

    def goes_on() -> Iterator[int]:
        failed.wait(20)
        for number in range(10**9):
            seen.append(number)
            yield number

    with pytest.raises(ValueError, match="lane"):
        list(side_by_side([fails, goes_on], workers=2))
    assert len(seen) < 10**7


def test_a_reader_that_leaves_stops_the_lanes() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    items = side_by_side([endless, endless], workers=2)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert closed.wait(20)
