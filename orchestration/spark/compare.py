"""Whether two tables hold the same rows: the rules, and the SQL that applies them in DuckDB.

Rules, by DuckDB's type of the column on both sides:
  whole numbers  equal as numbers, whatever their width
  decimals       equal to the last digit of either scale; a trailing zero is no difference
  doubles        equal, or apart by at most TOLERANCE of the larger (sums may be added in another order); NaN equals NaN
  instants       equal to the microsecond, as UTC; an instant without a zone is read as UTC
  text           equal byte by byte; NULL is not ''
  lists          the same elements by these rules, in the same order
  NULL           equals NULL alone
Rows count as often as they occur, and their order says nothing. Columns are met by name. A type of another kind (text for a number)
is a difference. No value is ever told: differences are counted, by table and by column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

# Relative. A double has 15 to 16 digits; sums of a few thousand of them, in any order, agree to 12.
TOLERANCE = 1e-12
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_INSTANT = {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_LONGEST_DECIMAL = 38


@dataclass(frozen=True)
class Comparison:
    """How two tables differ. `differences` are rows of either side that the other side lacks."""

    left_rows: int
    right_rows: int
    differences: int
    columns: Mapping[str, int] = field(default_factory=dict)  # name → rows of the left whose value the right lacks
    shape: tuple[str, ...] = ()  # columns that are missing, or of another kind

    @property
    def is_equal(self) -> bool:
        return not self.differences and not self.shape


def kind_of(type_: str) -> str:
    """The kind of value that a DuckDB type holds; types of one kind are compared."""
    if type_.endswith("[]"):
        return f"list of {kind_of(type_[:-2])}"
    if type_ in _WHOLE or _DECIMAL.fullmatch(type_):
        return "exact number"
    if type_ in ("DOUBLE", "FLOAT"):
        return "double"
    return "instant" if type_ in _INSTANT else type_.lower()


def normal_type(left: str, right: str) -> str:
    """The type to which both sides are cast before they are compared; both must be of one kind."""
    if left.endswith("[]"):
        return normal_type(left[:-2], right[:-2]) + "[]"
    if kind_of(left) == "exact number":
        digits = [_digits(type_) for type_ in (left, right)]
        scale = max(scale for _, scale in digits)
        whole = max(width - scale for width, scale in digits)
        return f"DECIMAL({min(_LONGEST_DECIMAL, whole + scale)},{scale})" if scale else "HUGEINT"
    if kind_of(left) == "double":
        return "DOUBLE"
    return "TIMESTAMP WITH TIME ZONE" if kind_of(left) == "instant" else left


def _digits(type_: str) -> tuple[int, int]:
    """Digits in all and behind the point."""
    match = _DECIMAL.fullmatch(type_)
    return (int(match[1]), int(match[2])) if match else (19, 0)


def shape_differences(left: Mapping[str, str], right: Mapping[str, str]) -> tuple[str, ...]:
    """What keeps two column lists (name → type) from being compared, one text each."""
    found = [f"{name} is missing on the right" for name in left if name not in right]
    found += [f"{name} is missing on the left" for name in right if name not in left]
    for name, type_ in left.items():
        if name in right and kind_of(type_) != kind_of(right[name]):
            found.append(f"{name} is {kind_of(type_)} and {kind_of(right[name])}")
    return tuple(found)


def compare(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> Comparison:
    """Compare two relations, each a name or a query in brackets that `connection` can read."""
    left_types, right_types = _columns(connection, left), _columns(connection, right)
    counts = [_one(connection, f"select count(*) from {relation}") for relation in (left, right)]  # noqa: S608
    if shape := shape_differences(left_types, right_types):
        return Comparison(counts[0], counts[1], 0, shape=shape)
    types = {name: normal_type(type_, right_types[name]) for name, type_ in left_types.items()}
    fields = ", ".join(f"cast({_quoted(name)} as {type_}) as {_quoted(name)}" for name, type_ in types.items())
    for name, first, second in (("left_only", left, right), ("right_only", right, left)):
        connection.execute(
            f"create or replace temp table {name} as "  # noqa: S608
            f"select {fields} from {first} except all select {fields} from {second}"
        )
    doubles = [name for name, type_ in types.items() if type_ == "DOUBLE"]
    if doubles:
        _forgive_doubles(connection, list(types), doubles)
    odd = sum(_one(connection, f"select count(*) from {name}") for name in ("left_only", "right_only"))  # noqa: S608
    return Comparison(counts[0], counts[1], odd, _by_column(connection, list(types)) if odd else {})


def _forgive_doubles(connection: duckdb.DuckDBPyConnection, names: Sequence[str], doubles: Sequence[str]) -> None:
    """Take away pairs of rows that are equal but for doubles within the tolerance.

    Rows are paired by their other columns, and among those that share them by the order of their doubles: where such a group
    has a real difference, its other rows may be counted with it. A table with a key has no such groups.
    """
    others = [name for name in names if name not in doubles]
    partition = f"partition by {', '.join(map(_quoted, others))} " if others else ""
    order = ", ".join(f"{_quoted(name)} nulls last" for name in doubles)
    for side in ("left_only", "right_only"):
        connection.execute(
            f"create or replace temp table numbered_{side} as "  # noqa: S608
            f"select *, row_number() over ({partition}order by {order}) as pair_number from {side}"
        )
    same = [f"l.{_quoted(name)} is not distinct from r.{_quoted(name)}" for name in others]
    near = [_is_near(f"l.{_quoted(name)}", f"r.{_quoted(name)}") for name in doubles]
    condition = " and ".join([*same, "l.pair_number = r.pair_number", *near])
    for side, other in (("left_only", "right_only"), ("right_only", "left_only")):
        connection.execute(
            f"create or replace temp table {side} as select l.* exclude (pair_number) "  # noqa: S608
            f"from numbered_{side} as l anti join numbered_{other} as r on {condition}"
        )


def _is_near(left: str, right: str) -> str:
    return (
        f"({left} is not distinct from {right} "
        f"or (isfinite({left}) and isfinite({right}) "
        f"and abs({left} - {right}) <= {TOLERANCE!r} * greatest(abs({left}), abs({right}))))"
    )


def _by_column(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, int]:
    """Column → values of rows only on the left that no row only on the right has; columns without any are left out."""
    found = {}
    for name in names:
        quoted = _quoted(name)
        count = _one(
            connection,
            f"select count(*) from (select {quoted} from left_only except all select {quoted} from right_only)",  # noqa: S608
        )
        if count:
            found[name] = count
    return found


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe select * from {relation}").fetchall()}  # noqa: S608


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
