"""What a brand's warehouse has to speak of: tags, profile columns, scores, segments, events, products; and whether a rule fits it.

Two answers are kept apart: a name nobody knows is a mistake and refused; a name that is known and of which this brand has
nothing is `missing`, and the audience unavailable. What a rule looks like belongs in `grammar`.
"""

# ruff: noqa: S608 (names come from the file's own catalogue, quoted)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import yaml

from orchestration.audiences import grammar
from orchestration.brands import suggest
from orchestration.settings import PROJECT_ROOT
from orchestration.warehouse import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NUMBER, TEXT, BOOLEAN, DATE, INSTANT, LIST = "number", "text", "boolean", "date", "instant", "list"
# Profile columns of marts.dim_members that a rule may ask; what is left out is technical.
PROFILE = {
    "gender": TEXT,
    "age_band": TEXT,
    "income_band": TEXT,
    "region": TEXT,
    "province_code": TEXT,
    "province_name": TEXT,
    "country_name": TEXT,
    "tier_name": TEXT,
    "registration_channel": TEXT,
    "source_system": TEXT,
    "store_id": TEXT,
    "has_profile": BOOLEAN,
    "first_seen_date": DATE,
    "registered_at": INSTANT,
}
SCORES = {"churn": "churn_scores", "propensity": "propensity_scores"}
_STANDARD_EVENTS = PROJECT_ROOT / "orchestration" / "landing" / "events.yml"
_OPERATORS = {
    NUMBER: {"is", "is_not", "in", "not_in", "at_least", "at_most", "more_than", "less_than", "between", "top_percent"},
    TEXT: {"is", "is_not", "in", "not_in"},
    BOOLEAN: {"is", "is_not"},
    DATE: {"is", "is_not", "at_least", "at_most", "more_than", "less_than", "between", *grammar.DATED},
    INSTANT: set(grammar.DATED),
    LIST: set(grammar.LISTED),
}
_EXAMPLES = {
    NUMBER: "2 or 0.5",
    TEXT: "a text",
    BOOLEAN: "true or false",
    DATE: "a date such as 2026-06-01",
    LIST: "a text",
}


@dataclass(frozen=True)
class Column:
    """A value of a member: where it stands, what it is, and the codes it can have where these are listed."""

    kind: str
    codes: frozenset[str] = frozenset()
    is_filled: bool = True


@dataclass(frozen=True)
class Catalogue:
    """What rules may name. Made by `read_catalogue`; tests write their own."""

    tags: Mapping[str, Column]
    profile: Mapping[str, Column]
    scores: Mapping[str, Column]
    segments: Mapping[str, Mapping[str, Column]]
    known_events: frozenset[str]
    present_events: frozenset[str]
    has_behaviour: bool = True
    has_orders: bool = True
    categories: frozenset[str] = frozenset()
    has_launch_dates: bool = True

    def column_of(self, value: grammar.Value) -> Column | None:
        if value.source == "segment":
            return self.segments.get(value.name, {}).get(self.segment_column(value))
        return {"tag": self.tags, "member": self.profile, "score": self.scores}[value.source].get(value.name)

    def segment_column(self, value: grammar.Value) -> str:
        """The column asked for, else the segment's code: its first text column."""
        columns = self.segments.get(value.name, {})
        return value.column or next((name for name, column in columns.items() if column.kind == TEXT), "")


# ---- does a rule fit ----------------------------------------------------------------------------------------------


def check(rule: grammar.Node, catalogue: Catalogue) -> list[str]:
    """What is wrong with a rule in this warehouse: unknown names, and comparisons that a value's type does not allow."""
    problems: list[str] = []
    for value, tests in grammar.values(rule):
        problems += _check_value(value, tests, catalogue)
    for fact in grammar.facts(rule):
        if fact.kind == "event" and fact.name not in (*catalogue.known_events, grammar.ANY_EVENT):
            problems.append(f"event: no event {fact.name!r}; {suggest(fact.name, sorted(catalogue.known_events))}")
    return list(dict.fromkeys(problems))


def _check_value(value: grammar.Value, tests: tuple[grammar.Test, ...], catalogue: Catalogue) -> list[str]:
    groups: dict[str, Mapping[str, object]] = {
        "tag": catalogue.tags,
        "member": catalogue.profile,
        "score": catalogue.scores,
        "segment": catalogue.segments,
    }
    known = groups[value.source]
    if value.name not in known:
        return [f"{value.source}: no {value.source} {value.name!r}; {_nearest(value.name, known)}"]
    column = catalogue.column_of(value)
    if column is None:
        return [
            f"segment {value.name}: no column {value.column!r}; {suggest(value.column, catalogue.segments[value.name])}"
        ]
    problems = []
    for test in tests:
        if test.operator in grammar.KNOWING:
            continue
        if test.operator not in _OPERATORS[column.kind]:
            allowed = sorted(_OPERATORS[column.kind] | set(grammar.KNOWING))
            problems.append(
                f"{value.source} {value.name}: {test.operator} does not fit a {column.kind}; "
                f"it takes {', '.join(allowed)}"
            )
            continue
        items = test.value if isinstance(test.value, tuple) else (test.value,)
        if test.operator not in (*grammar.DATED, "top_percent"):
            problems += [
                f"{value.source} {value.name}: {item!r} is not {_EXAMPLES[column.kind]}"
                for item in items
                if not _fits(item, column.kind)
            ]
            if column.codes and column.kind in (TEXT, LIST):
                problems += [
                    f"{value.source} {value.name}: no value {item!r}; {suggest(item, sorted(column.codes))}"
                    for item in items
                    if isinstance(item, str) and item not in column.codes
                ]
    return problems


def _fits(item: grammar.Scalar, kind: str) -> bool:
    if kind == NUMBER:
        return isinstance(item, int | float) and not isinstance(item, bool)
    if kind == BOOLEAN:
        return isinstance(item, bool)
    if kind == DATE:
        return isinstance(item, date)
    return isinstance(item, str)


def _nearest(name: str, known: Mapping[str, object]) -> str:
    """`suggest` names everything there is: of hundreds of tags that is no remedy, and the near one is enough."""
    told = suggest(name, sorted(known))
    return told if len(known) <= 30 else told.split("known names:")[0] + f"{len(known)} are in tags.tag_catalogue"


def missing(rule: grammar.Node, catalogue: Catalogue) -> list[str]:
    """What a rule needs and this brand has nothing of; empty when the audience can be worked out."""
    found: list[str] = []
    for value, _ in grammar.values(rule):
        column = catalogue.column_of(value)
        if column is None or not column.is_filled:
            found.append(f"{value.source} {value.name}: no member has one")
    for fact in grammar.facts(rule):
        if fact.kind == "event" and not _has_arrived(fact.name, catalogue):
            found.append(f"event {fact.name}: none has arrived")
        if fact.kind == "order" and not catalogue.has_orders:
            found.append("orders: there are none")
        for name, items in fact.filters:
            if name == "category" and not catalogue.categories.intersection(map(str, items)):
                found.append(f"category {', '.join(map(str, items))}: no product is of it")
            if name == "launched_within_days" and not catalogue.has_launch_dates:
                found.append("products: none has a launch_date")
    return list(dict.fromkeys(found))


def _has_arrived(name: str, catalogue: Catalogue) -> bool:
    return catalogue.has_behaviour if name == grammar.ANY_EVENT else name in catalogue.present_events


# ---- reading it from a warehouse -----------------------------------------------------------------------------------


def standard_events() -> frozenset[str]:
    """Names of the standard behaviour events, and of what other entities are told as in marts.fct_events."""
    document = yaml.safe_load(_STANDARD_EVENTS.read_text(encoding="utf-8"))
    touches = ("planned", "sent", "delivered", "opened", "clicked", "failed", "unsubscribed")
    others = ("refund", "coupon_receipt", "coupon_redemption", *(f"touch_{touch}" for touch in touches))
    return frozenset([*document["events"], *others])


def read_catalogue(connection: DuckDBPyConnection, as_of_date: date) -> Catalogue:
    """What a build or published file has as of a day. A table that is not there yet has nothing in it."""
    columns: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, type_ in connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and not internal order by table_oid, column_index"
    ).fetchall():
        columns.setdefault((schema, table), {})[column] = type_
    codes = _codes(connection) if ("tags", "tag_values") in columns else {}
    tags = {
        name: Column(_kind(type_), codes.get(name, frozenset()))
        for name, type_ in columns.get(("tags", "member_tags"), {}).items()
        if name not in ("member_id", "as_of_date")
    }
    filled = _filled(connection, "tags.member_tags", [], list(tags)) if tags else set()
    profile = {name: kind for name, kind in PROFILE.items() if name in columns.get(("marts", "dim_members"), {})}
    filled_profile = _filled(connection, "marts.dim_members", [], list(profile)) if profile else set()
    scores = {}
    for name, table in SCORES.items():
        present = ("ml", table) in columns and connection.execute(
            f"select count(*) from ml.{table} where as_of_date = ?", [as_of_date]
        ).fetchone()
        scores[name] = Column(NUMBER, is_filled=bool(present and present[0]))
    segments = {}
    for (schema, table), found in columns.items():
        if schema == "segments" and table.startswith("seg_") and "member_id" in found:
            kept = {
                n: _kind(t) for n, t in found.items() if n not in ("member_id", "as_of_date", "label_zh", "label_en")
            }
            # One row per member, or it is not something that a member is.
            row = connection.execute(
                f"select count(*), count(distinct member_id) from segments.{quoted(table)}"
            ).fetchone() or (0, 0)
            if row[0] == row[1]:
                segments[table] = {n: Column(kind, is_filled=row[0] > 0) for n, kind in kept.items()}
    arrived = connection.execute(
        "select event_name, bool_or(is_behaviour) from marts.fct_events "
        "where member_id is not null and business_date < ? group by event_name",
        [as_of_date],
    ).fetchall()
    present_events = {name for name, _ in arrived}
    orders = connection.execute(
        "select count(*) from marts.fct_orders where is_valid and member_id is not null and business_date < ?",
        [as_of_date],
    ).fetchone() or (0,)
    names = [f"category_l{level}_{part}" for level in (1, 2, 3) for part in ("code", "name")]
    categories = {
        value
        for name in names
        for (value,) in connection.execute(
            f"select distinct {name} from marts.dim_products where {name} is not null"
        ).fetchall()
    }
    launched = connection.execute("select count(launch_date) from marts.dim_products").fetchone() or (0,)
    return Catalogue(
        tags={name: Column(c.kind, c.codes, name in filled) for name, c in tags.items()},
        profile={name: Column(kind, is_filled=name in filled_profile) for name, kind in profile.items()},
        scores=scores,
        segments=segments,
        known_events=standard_events() | present_events,
        present_events=frozenset(present_events),
        has_behaviour=any(is_behaviour for _, is_behaviour in arrived),
        has_orders=orders[0] > 0,
        categories=frozenset(categories),
        has_launch_dates=launched[0] > 0,
    )


def _codes(connection: DuckDBPyConnection) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for tag, code in connection.execute("select tag_code, value_code from tags.tag_values").fetchall():
        found.setdefault(tag, set()).add(code)
    return {tag: frozenset(values) for tag, values in found.items()}


def _filled(connection: DuckDBPyConnection, table: str, parameters: list[object], names: list[str]) -> set[str]:
    """Columns in which some member has a value; one scan of the table, whatever their number."""
    counts = ", ".join(f"count({quoted(name)})" for name in names)
    row = connection.execute(f"select {counts} from {table}", parameters).fetchone() or ()
    return {name for name, count in zip(names, row, strict=True) if count}


def _kind(type_: str) -> str:
    if type_.endswith("[]"):
        return LIST
    if type_ == "BOOLEAN":
        return BOOLEAN
    if type_ == "DATE":
        return DATE
    if type_.startswith("TIMESTAMP"):
        return INSTANT
    return TEXT if type_ == "VARCHAR" else NUMBER
