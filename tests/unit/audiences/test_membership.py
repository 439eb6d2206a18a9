"""The dated table, against a plain replay of the same days: any order of days, days again, rules that change or go."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.audiences.definitions import Availability
from orchestration.audiences.membership import Day, members_on, record
from orchestration.audiences.tables import DAYS, MEMBERS, TABLES
from orchestration.quality.suites import audiences as suites

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
FIRST = date(2026, 6, 1)
READY = Availability("ready")
AUDIENCES = ("aud_a", "aud_b")
POPULATION = [f"m{n}" for n in range(5)]

# A state of one day: members of both audiences and the version of the first one's rule.
states = st.tuples(
    st.sets(st.sampled_from(POPULATION)), st.sets(st.sampled_from(POPULATION)), st.sampled_from(["v1", "v1", "v2"])
)
histories = st.dictionaries(st.integers(0, 9), states, min_size=1, max_size=8)


def day_of(number: int, state) -> Day:
    one, two, version = state
    members = sorted([("aud_a", m) for m in one] + [("aud_b", m) for m in two])
    return Day(
        FIRST + timedelta(number),
        len(POPULATION),
        dict.fromkeys(AUDIENCES, READY),
        {"aud_a": version, "aud_b": "w"},
        members,
    )


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect(":memory:") as opened:
        opened.execute("set threads = 1; create schema segments; create schema marts")
        opened.execute("create table marts.dim_members as select unnest(?) as member_id", [POPULATION])
        yield opened


def emptied(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for table, columns in TABLES.items():
        fields = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        connection.execute(f"create or replace table {table} ({fields})")
    return connection


def tables(connection: duckdb.DuckDBPyConnection) -> tuple[list, list]:
    return tuple(connection.execute(f"from {table} order by all").fetchall() for table in (MEMBERS, DAYS))  # type: ignore[return-value]


def replayed(history: dict) -> list[tuple]:
    """The shortest stays, by walking the days in order for each audience and member."""
    rows = []
    for number, audience in enumerate(AUDIENCES):
        for member in POPULATION:
            stay = None
            for day in sorted(history):
                moment = FIRST + timedelta(day)
                version = history[day][2] if audience == "aud_a" else "w"
                is_in = member in history[day][number]
                if stay and (not is_in or stay[2] != version):
                    rows.append((*stay, moment))
                    stay = None
                if is_in and not stay:
                    stay = (audience, member, version, moment)
            if stay:
                rows.append((*stay, None))
    return sorted(rows, key=str)


@settings(max_examples=80, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(histories, st.randoms(use_true_random=False), st.dictionaries(st.integers(0, 9), states, max_size=3))
def test_days_in_any_order_and_again_give_the_same_table(connection, history, chance, mistaken) -> None:
    """Every order of days, with wrong versions of some of them first, ends as the days in order do."""
    emptied(connection)
    for number in sorted(history):
        record(connection, day_of(number, history[number]))
    in_order = tables(connection)
    assert sorted(in_order[0], key=str) == replayed(history)

    emptied(connection)
    shuffled = list(history)
    chance.shuffle(shuffled)
    for number in (n for n in mistaken if n in history):
        record(connection, day_of(number, mistaken[number]))
    for number in [*shuffled, *shuffled[:2]]:
        record(connection, day_of(number, history[number]))
    assert tables(connection) == in_order

    for number, state in history.items():
        for index, audience in enumerate(AUDIENCES):
            assert members_on(connection, audience, FIRST + timedelta(number)) == sorted(state[index])


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_IS_FINE)
@given(histories)
def test_counts_are_counts_of_the_table(connection, history) -> None:
    """The gate's own queries find nothing, whatever happened."""
    emptied(connection)
    for number in history:
        record(connection, day_of(number, history[number]))
    for suite in (suites.MEMBERS, suites.DAYS):
        names = [item.arguments["column"] for item in suite.expectations]
        frame = connection.execute(suite.sql).df()
        assert {name: frame[name].iloc[0] for name in names} == dict.fromkeys(names, 0)


def test_a_changed_rule_closes_and_opens_its_members(connection) -> None:
    emptied(connection)
    record(connection, day_of(0, ({"m0", "m1"}, set(), "v1")))
    record(connection, day_of(1, ({"m0"}, set(), "v2")))
    counts = connection.execute(
        f"select member_count, entry_count, exit_count, is_rule_changed from {DAYS} where audience_id = 'aud_a' order by as_of_date"
    ).fetchall()
    assert counts == [(2, 2, 0, False), (1, 1, 2, True)]


def test_an_audience_that_is_gone_lets_its_members_go(connection) -> None:
    emptied(connection)
    record(connection, day_of(0, ({"m0"}, {"m1"}, "v1")))
    without = Day(FIRST + timedelta(1), 5, {"aud_b": READY}, {"aud_b": "w"}, [("aud_b", "m1")])
    record(connection, without)
    record(connection, without)
    assert members_on(connection, "aud_a", FIRST + timedelta(1)) == []
    assert members_on(connection, "aud_a", FIRST) == ["m0"]
    assert connection.execute(
        f"select status from {DAYS} where audience_id = 'aud_a' order by as_of_date"
    ).fetchall() == [
        ("ready",),
        ("removed",),
    ]
