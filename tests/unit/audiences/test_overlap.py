"""Overlaps and contacts, against sets: every pair counted by hand, one audience a member and group."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.audiences.definitions import Availability
from orchestration.audiences.membership import Day, record
from orchestration.audiences.overlap import write_contacts, write_overlaps
from orchestration.audiences.tables import CATALOGUE, CONTACTS, OVERLAPS, TABLES

DAY = date(2026, 7, 1)
NAMES = ("aud_a", "aud_b", "aud_c", "aud_d")
members = st.sets(st.sampled_from([f"m{n}" for n in range(8)]))
groups = st.sampled_from([None, "one", "two"])


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect(":memory:") as opened:
        opened.execute("set threads = 1; create schema segments")
        yield opened


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.tuples(*[members] * 4), st.tuples(*[groups] * 4), st.tuples(*[st.integers(1, 2)] * 4))
def test_both_are_what_sets_say(connection, held, told, priorities) -> None:
    for table, columns in TABLES.items():
        connection.execute(f"create or replace table {table} ({', '.join(f'{n} {t}' for n, t in columns.items())})")
    audiences = dict(zip(NAMES, held, strict=True))
    rows = sorted((name, member) for name, found in audiences.items() for member in found)
    record(connection, Day(DAY, 8, dict.fromkeys(NAMES, Availability("ready")), dict.fromkeys(NAMES, "v"), rows))
    for name, group, priority in zip(NAMES, told, priorities, strict=True):
        connection.execute(
            f"insert into {CATALOGUE} (audience_id, exclusive_group, priority) values (?, ?, ?)",
            [name, group, priority],
        )
    write_overlaps(connection, DAY)
    write_contacts(connection, DAY)

    expected = {
        (a, b): (len(x), len(y), len(x & y), len(x & y) / len(x | y), len(x & y) / len(x))
        for a, x in audiences.items()
        for b, y in audiences.items()
        if a != b and x and y
    }
    found = connection.execute(
        f"select audience_id, other_audience_id, member_count, other_member_count, both_member_count, jaccard_rate, "
        f"contained_rate from {OVERLAPS}"
    ).fetchall()
    assert {(row[0], row[1]): row[2:] for row in found} == expected

    wanted = {}
    for member in {m for found in held for m in found}:
        for group in ("one", "two"):
            among = [
                (priority, name)
                for name, told_group, priority in zip(NAMES, told, priorities, strict=True)
                if told_group == group and member in audiences[name]
            ]
            if among:
                wanted[(member, group)] = (min(among)[1], len(among))
    contacts = connection.execute(
        f"select member_id, exclusive_group, audience_id, competing_audience_count from {CONTACTS}"
    ).fetchall()
    assert len(contacts) == len(wanted)
    assert {(row[0], row[1]): row[2:] for row in contacts} == wanted
