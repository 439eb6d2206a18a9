"""Lifecycle states in SQL beside a replay of every day in plain Python, and the moves between them."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered_models import model_sql

AS_OF = date(2026, 7, 1)
MOVES = {
    ("prospect", "new"), ("new", "active"), ("new", "loyal"), ("new", "dormant"), ("returned", "active"),
    ("returned", "loyal"), ("returned", "dormant"), ("active", "loyal"), ("active", "dormant"), ("loyal", "active"),
    ("loyal", "dormant"), ("dormant", "lost"), ("dormant", "returned"), ("lost", "returned"),
}  # fmt: skip
Windows = dict[str, int]
# (new, active, dormant, returned, loyal purchase days, loyal window)
WINDOWS = [
    (30, 90, 180, 30, 5, 365),
    (1, 3, 6, 4, 2, 10),
    (28, 28, 84, 40, 3, 60),
    (7, 14, 28, 7, 1, 31),
]


def parameters(windows: tuple[int, ...], min_gaps: int = 0) -> Windows:
    names = ("new_days", "active_days", "dormant_days", "returned_days", "loyal_purchase_days", "loyal_window_days")
    named = {f"brand_lifecycle_{name}": value for name, value in zip(names, windows, strict=True)}
    return {**named, "brand_lifecycle_category_min_gaps": min_gaps, "brand_has_orders": True}


def replayed(seen: date | None, purchases: set[date], windows: tuple[int, ...]) -> dict[date, str]:
    """The state of every day, decided anew each day from the purchases up to it, as docs/segments.md says it."""
    new, active, dormant, returned, loyal_days, loyal_window = windows
    known = sorted(day for day in purchases if day < AS_OF)
    start = min([*known[:1], seen or AS_OF - timedelta(1), AS_OF - timedelta(1)])
    states: dict[date, str] = {}
    for offset in range((AS_OF - start).days):
        day = start + timedelta(offset)
        past = [purchase for purchase in known if purchase <= day]
        if not past:
            states[day] = "prospect"
            continue
        silent = (day - past[-1]).days
        recent = [purchase for purchase in past if (day - purchase).days < loyal_window]
        comebacks = [later for earlier, later in itertools.pairwise(past) if (later - earlier).days > active]
        if silent >= dormant:
            states[day] = "lost"
        elif silent >= active:
            states[day] = "dormant"
        elif (day - past[0]).days < new:
            states[day] = "new"
        elif comebacks and (day - comebacks[-1]).days < returned:
            states[day] = "returned"
        elif len(recent) >= loyal_days:
            states[day] = "loyal"
        else:
            states[day] = "active"
    return states


def stretches(histories: list[tuple[date | None, set[date]]], sql: str) -> list[list[tuple[str, date, date | None]]]:
    with duckdb.connect() as connection:
        connection.execute("create table dim_members (member_id varchar, first_seen_date date)")
        connection.execute(
            "create table fct_orders (order_id varchar, member_id varchar, is_valid boolean, business_date date)"
        )
        connection.execute(
            "create table fct_order_lines (order_id varchar, product_id varchar, line_kind varchar, product_kind varchar,"
            " is_void boolean, gross_amount decimal(18, 2))"
        )
        connection.execute(
            "create table dim_products (product_id varchar, category_l1_name varchar, category_l2_name varchar,"
            " category_l1_code varchar, category_l2_code varchar)"
        )
        connection.execute("create table int_clocks_resolved as select ?::date as as_of_date", [AS_OF])
        for number, (seen, purchases) in enumerate(histories):
            connection.execute("insert into dim_members values (?, ?)", [f"m{number}", seen])
            for purchase in purchases:
                connection.execute(
                    "insert into fct_orders values (?, ?, true, ?)", [f"{number}{purchase}", f"m{number}", purchase]
                )
        rows = connection.execute(
            f"select member_id, lifecycle_state, valid_from, valid_to, is_current from ({sql}) order by member_id, valid_from"
        ).fetchall()
    found: list[list[tuple[str, date, date | None]]] = [[] for _ in histories]
    for member, state, begins, ends, is_current in rows:
        assert is_current == (ends is None)
        found[int(member[1:])].append((state, begins, ends))
    return found


days = st.integers(0, 420).map(lambda count: AS_OF - timedelta(count))
# Purchases come singly and in runs, so that windows fill and end.
purchases = st.lists(
    st.tuples(days, st.sampled_from([0, 1, 2, 5, 13, 14, 27, 28, 29, 30, 31, 89, 90, 91, 180]), st.integers(1, 7)),
    max_size=4,
).map(lambda runs: {first + timedelta(step * number) for first, step, count in runs for number in range(count)})


@pytest.mark.slow
@pytest.mark.parametrize("windows", WINDOWS)
@settings(max_examples=25, deadline=None)
@given(histories=st.lists(st.tuples(st.none() | days, purchases), min_size=1, max_size=6))
def test_states_are_those_of_a_replay_of_every_day(
    windows: tuple[int, ...], histories: list[tuple[date | None, set[date]]]
) -> None:
    found = stretches(histories, model_sql("marts/fct_lifecycle_states", **parameters(windows)))
    for (seen, bought), member in zip(histories, found, strict=True):
        expected = replayed(seen, bought, windows)
        told = [
            (begins + timedelta(offset), state)
            for state, begins, ends in member
            for offset in range(((ends or AS_OF) - begins).days)
        ]
        # Each day once, in order, from the first to the one before the cut.
        assert told == sorted(expected.items())
        moves = [(before[0], after[0]) for before, after in itertools.pairwise(member)]
        assert set(moves) <= MOVES


def test_a_category_bought_half_as_often_has_longer_windows_and_never_more_than_twice() -> None:
    sql = model_sql("marts/fct_lifecycle_states", **parameters((5, 20, 40, 5, 5, 365), min_gaps=2))
    first = AS_OF - timedelta(400)
    with duckdb.connect() as connection:
        connection.execute("create table int_clocks_resolved as select ?::date as as_of_date", [AS_OF])
        connection.execute(
            "create table dim_products as select name as product_id, name as category_l1_name, null::varchar as category_l2_name, "
            "null::varchar as category_l1_code, null::varchar as category_l2_code from (values ('tea'), ('lamp'), ('soap')) as t(name)"
        )
        # Tea every 10 days, soap every 20, lamps every 100: the median of all gaps is 20.
        rows = (
            [("soap", 20 * n) for n in range(8)]
            + [("tea", 10 * n) for n in range(6)]
            + [("lamp", 100 * n) for n in range(4)]
        )
        listed = ", ".join(f"('{kind}', '{kind}', {offset})" for kind, offset in rows)
        connection.execute(
            f"create table fct_orders as select kind || n as order_id, kind as member_id, true as is_valid, "
            f"date '{first}' + n as business_date, kind as product_id from (values {listed}) as t(kind, product_id, n)"
        )
        connection.execute(
            "create table dim_members as select distinct member_id, min(business_date) as first_seen_date from fct_orders group by 1"
        )
        connection.execute(
            "create table fct_order_lines as select order_id, product_id, 'sale' as line_kind, 'goods' as product_kind, "
            "false as is_void, 1.00 as gross_amount from fct_orders"
        )
        connection.execute("alter table fct_orders drop product_id")
        last = connection.execute(
            f"select s.member_id, date_diff('day', max(o.business_date), min(s.valid_from)) from ({sql}) as s "
            "inner join fct_orders as o using (member_id) where s.lifecycle_state = 'dormant' "
            "and s.valid_from > (select max(x.business_date) from fct_orders as x where x.member_id = s.member_id) group by 1 order by 1"
        ).fetchall()
    assert last == [("lamp", 40), ("soap", 20), ("tea", 10)]
