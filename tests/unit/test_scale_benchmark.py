"""The yardstick of benchmarks/scale.py, against plain Python: a yardstick that is wrong would call the product wrong."""

from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scale import BARE_SESSIONS

GAP = 1800
# Few members and few instants, so that many events of a member share one; steps beside the gap decide what begins a session.
EVENTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from(["pv", "cart"]), st.sampled_from([0, 1, 2, 3])),
    min_size=1,
    max_size=40,
    unique=True,
)


def sessions_of(events: list[tuple[int, int, str, int]]) -> list[tuple[int, int, int, int]]:
    """Member, start, end and number of events of each session."""
    found: list[tuple[int, int, int, int]] = []
    for user, _, _, at in sorted(events, key=lambda event: (event[0], event[3])):
        if found and found[-1][0] == user and at - found[-1][2] <= GAP:
            found[-1] = (user, found[-1][1], at, found[-1][3] + 1)
        else:
            found.append((user, at, at, 1))
    return found


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.sampled_from([GAP - 1, GAP, GAP + 1]))
def test_events_of_one_second_are_of_one_session(events: list[tuple[int, int, str, int]], step: int) -> None:
    rows = [(user, item, behaviour, place * step) for user, item, behaviour, place in events]
    with duckdb.connect() as connection:
        connection.execute(
            "create table staged (user_id bigint, item_id bigint, behaviour varchar, unix_seconds bigint, business_date date)"
        )
        connection.executemany("insert into staged values (?, ?, ?, ?, '2017-11-25')", rows)
        connection.execute(BARE_SESSIONS)
        found = connection.execute(
            "select user_id, started_at, ended_at, event_count from sessions order by user_id, started_at"
        ).fetchall()
    assert found == sessions_of(rows)
