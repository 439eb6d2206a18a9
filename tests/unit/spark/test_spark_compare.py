"""The rules by which a table of Spark equals one of DuckDB, each with what passes and what does not. No Spark is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.spark.compare import TOLERANCE, Comparison, compare, kind_of, normal_type, shape_differences


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        opened.execute("set TimeZone = 'UTC'")
        yield opened


def compared(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> Comparison:
    """Compare `select <left> as v` with `select <right> as v`."""
    return compare(connection, f"(select {left} as v)", f"(select {right} as v)")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("7::integer", "7::bigint"),
        ("-7::bigint", "-7::decimal(38,0)"),
        ("1.50::decimal(18,2)", "1.5000::decimal(18,4)"),
        ("12345678901234.1234::decimal(18,4)", "12345678901234.1234::decimal(38,4)"),
        ("0.1::double", "0.1::double"),
        ("0.1::double", "0.1::double * (1 + 4e-16)"),
        ("-0.0::double", "0.0::double"),
        ("'nan'::double", "'nan'::double"),
        ("'inf'::double", "'inf'::double"),
        ("null::double", "null::double"),
        ("timestamptz '2026-05-01 00:00:00.000001+08'", "timestamptz '2026-04-30 16:00:00.000001+00'"),
        ("timestamptz '2026-05-01 00:00:00+00'", "timestamp '2026-05-01 00:00:00'"),
        ("date '2026-05-01'", "date '2026-05-01'"),
        ("'甲'", "'甲'"),
        ("null::varchar", "null::varchar"),
        ("true", "true"),
        ("['a', 'b']", "['a', 'b']"),
        ("[]::varchar[]", "[]::varchar[]"),
        ("[1::integer, null]", "[1::bigint, null]"),
    ],
)
def test_values_that_are_equal(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> None:
    assert compared(connection, left, right).is_equal


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("7", "8"),
        ("1.50::decimal(18,2)", "1.5001::decimal(18,4)"),
        ("0.1::double", "0.1::double * (1 + 1e-9)"),
        ("0.0::double", "1e-300::double"),
        ("'nan'::double", "null::double"),
        ("'nan'::double", "0.0::double"),
        ("'inf'::double", "1e308::double"),
        ("'inf'::double", "'-inf'::double"),
        ("timestamptz '2026-05-01 00:00:00.000001+00'", "timestamptz '2026-05-01 00:00:00.000002+00'"),
        ("date '2026-05-01'", "date '2026-05-02'"),
        ("''", "null::varchar"),
        ("'a'", "'A'"),
        ("'a'", "'a '"),
        ("false", "null::boolean"),
        ("0", "null::integer"),
        ("['a', 'b']", "['b', 'a']"),
        ("[]::varchar[]", "null::varchar[]"),
    ],
)
def test_values_that_differ(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> None:
    found = compared(connection, left, right)
    assert (found.differences, found.columns, found.shape, found.is_equal) == (2, {"v": 1}, (), False)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1::bigint", "'1'"),
        ("1::bigint", "1::double"),
        ("1.5::decimal(18,2)", "1.5::double"),
        ("date '2026-05-01'", "timestamp '2026-05-01 00:00:00'"),
        ("true", "1"),
        ("['1']", "'[1]'"),
        ("['1']", "[1]"),
    ],
)
def test_types_of_another_kind_are_a_difference_even_without_rows(
    connection: duckdb.DuckDBPyConnection, left: str, right: str
) -> None:
    found = compare(connection, f"(select {left} as v where false)", f"(select {right} as v where false)")
    assert not found.is_equal and len(found.shape) == 1 and found.shape[0].startswith("v is ")


def test_columns_are_met_by_name_and_a_missing_one_is_told(connection: duckdb.DuckDBPyConnection) -> None:
    assert compare(connection, "(select 1 as a, 2 as b)", "(select 2 as b, 1 as a)").is_equal
    found = compare(connection, "(select 1 as a, 2 as b)", "(select 1 as a, 2 as c)")
    assert found.shape == ("b is missing on the right", "c is missing on the left")
    assert not found.is_equal


def test_rows_count_as_often_as_they_occur_in_any_order(connection: duckdb.DuckDBPyConnection) -> None:
    def rows(*values: int) -> str:
        return f"(select unnest({list(values)}) as v)"

    assert compare(connection, rows(1, 2, 2), rows(2, 1, 2)).is_equal
    found = compare(connection, rows(1, 2, 2), rows(1, 1, 2))
    assert (found.left_rows, found.right_rows, found.differences) == (3, 3, 2)
    assert compare(connection, rows(1, 2), rows(1)).differences == 1


def test_doubles_are_forgiven_only_where_all_else_is_equal(connection: duckdb.DuckDBPyConnection) -> None:
    near = "1.0::double * (1 + 4e-16)"
    left = "(select * from (values ('a', 1.0::double), ('b', 1.0), ('b', 2.0), ('c', null)) as t(k, v))"
    same = f"(select * from (values ('b', 2.0::double), ('a', {near}), ('b', {near}), ('c', null)) as t(k, v))"
    other = f"(select * from (values ('b', 2.0::double), ('a', {near}), ('d', {near}), ('c', null)) as t(k, v))"
    assert compare(connection, left, same).is_equal
    found = compare(connection, left, other)
    assert (found.differences, found.columns) == (2, {"k": 1, "v": 1})


def test_a_table_of_doubles_alone_is_paired_by_their_order(connection: duckdb.DuckDBPyConnection) -> None:
    assert compare(
        connection, "(select unnest([1.0::double, 2.0]) as v)", "(select unnest([2.0::double, 1.0]) as v)"
    ).is_equal
    assert (
        compare(
            connection, "(select unnest([1.0::double, 2.0]) as v)", "(select unnest([2.0::double, 1.1]) as v)"
        ).differences
        == 2
    )


def test_the_column_that_differs_is_named_and_no_value(connection: duckdb.DuckDBPyConnection) -> None:
    found = compare(connection, "(select 1 as id, 'secret' as name)", "(select 1 as id, 'other' as name)")
    assert dict(found.columns) == {"name": 1}
    assert "secret" not in repr(found) and "other" not in repr(found)


def test_names_with_quotes_are_names(connection: duckdb.DuckDBPyConnection) -> None:
    assert compare(connection, '(select 1 as "a""b")', '(select 1 as "a""b")').is_equal


def test_kinds_and_common_types() -> None:
    assert kind_of("HUGEINT") == kind_of("DECIMAL(18,2)") == "exact number"
    assert kind_of("DECIMAL(18,2)[]") == "list of exact number"
    assert normal_type("DECIMAL(18,2)", "DECIMAL(10,4)") == "DECIMAL(20,4)"
    assert normal_type("DECIMAL(38,4)", "DECIMAL(38,6)") == "DECIMAL(38,6)"
    assert normal_type("INTEGER", "BIGINT") == "HUGEINT"
    assert normal_type("INTEGER[]", "BIGINT[]") == "HUGEINT[]"
    assert shape_differences({"a": "INTEGER"}, {"a": "DECIMAL(18,2)"}) == ()


_ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, 0, 1, 2]),
        st.sampled_from([None, "", "a", "甲"]),
        st.sampled_from([None, 0.0, 0.5, -1.25]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(left=_ROWS, right=_ROWS, order=st.randoms(use_true_random=False))
def test_differences_are_those_of_two_bags(left: list[tuple], right: list[tuple], order) -> None:
    """Beside Python's own multisets; doubles nudged within the tolerance on one side change nothing."""
    nudged = [(number, text, value and value * (1 + TOLERANCE / 8)) for number, text, value in right]
    order.shuffle(nudged)
    with duckdb.connect(":memory:") as connection:
        for name, rows in (("l", left), ("r", nudged)):
            connection.execute(f"create table {name} (number bigint, text varchar, value double)")
            if rows:
                connection.executemany(f"insert into {name} values (?, ?, ?)", rows)
        found = compare(connection, "l", "r")
    bags = Counter(left), Counter(right)
    differing = ((bags[0] - bags[1]) + (bags[1] - bags[0])).total()
    assert found.is_equal == (differing == 0)
    assert found.differences >= differing
    if len({row[:2] for row in left}) == len(left) and len({row[:2] for row in right}) == len(right):
        assert found.differences == differing
    assert (found.left_rows, found.right_rows) == (len(left), len(right))
