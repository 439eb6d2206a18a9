"""From a source's expressions to contract rows: what is checked before any work, and the SQL that lands or quarantines.

Expressions come from brands/<brand>/sources/*.yml and see the columns of `src` (`orchestration.landing.readers`).
Files, batches and manifests belong in `orchestration.landing.land` and `orchestration.landing.lake`.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from the brand's checked expressions)
from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from orchestration.brands import Brand, BrandConfigError, EntityMapping, Source, suggest
from orchestration.landing.contract import Entity, Field, Label, load_contract
from orchestration.landing.errors import LandingError
from orchestration.landing.readers import (
    ROW_NUMBER,
    file_columns,
    identifier,
    list_files,
    literal,
)
from orchestration.settings import Settings
from orchestration.warehouse import scratch

# Raise it when landing itself gives other rows for the same file and mapping: every file is then landed again.
LANDING_VERSION = 2

# A clock this far ahead of loaded_at is an error of the source; less may be a clock that is a little fast, or a zone.
FUTURE_HOURS = 24

# Which file of a group a row is of, where several are read together.
FILE_NUMBER = "tessera_file"

# Readers whose columns are text; the others' have types of their own.
TEXT_READERS = ("csv", "jsonl", "excel")

# What a mapping may say of a row's version beside the contract's fields.
VERSION_FIELDS = (
    Field("changed_at", "timestamp", Label("变更时间", "Changed at")),
    Field("change_sequence", "integer", Label("变更序号", "Change sequence")),
    Field("is_deleted", "boolean", Label("已删除", "Deleted")),
)
# Parts of a reader that say where it reads, and how fast: not what the rows become.
_PLACES = {"path", "location", "python_package", "url", "connection_secret", "base_url", "token_secret"}
_PLACES |= {"chunk_rows", "requests_per_minute", "cursor_overlap", "paging", "ordered"}

_OFFSET = r":\d{2}(\.\d+)?\s*(Z|[+-]\d{2}(:?\d{2})?)$"
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_MISSING_COLUMN = re.compile(r'Referenced column "([^"]+)" not found')


@dataclass(frozen=True)
class Parsed:
    """What an expression refers to. `problem` says why it cannot be used as an expression."""

    names: frozenset[str] = frozenset()
    has_window: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Layout:
    """How the columns of a file are read for one entity: found once for all files that look alike.

    `types`: key in the YAML → DuckDB type of its expression. `extras`: columns that nothing uses. `relation`: what the
    expressions are computed over; `passed_on`: its helper columns; `fault`: SQL over those, a reason or null.
    """

    types: dict[str, str]
    extras: list[str]
    relation: str = "src"
    passed_on: tuple[str, ...] = ()
    fault: str | None = None


_parsed: dict[str, Parsed] = {}


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def parse_expression(connection: duckdb.DuckDBPyConnection, expression: str) -> Parsed:
    """Column names and shape of one SQL expression, by DuckDB's own parser; nothing is run."""
    if expression not in _parsed:
        _parsed[expression] = _parse(connection, expression)
    return _parsed[expression]


def _parse(connection: duckdb.DuckDBPyConnection, expression: str) -> Parsed:
    tree = _tree(connection, expression)
    if tree["error"]:
        return Parsed(problem=f"is not an SQL expression ({str(tree.get('error_message', '')).splitlines()[0]})")
    statements: list[dict[str, Any]] = tree["statements"]
    node: dict[str, Any] = statements[0]["node"] if len(statements) == 1 else {}
    single = node.get("type") == "SELECT_NODE" and len(node["select_list"]) == 1 and not node["where_clause"]
    if not single or node["from_table"]["type"] != "EMPTY":
        return Parsed(problem="must be one SQL expression, not a query")
    classes = {found.get("class") for found in _nodes(node["select_list"])}
    if "SUBQUERY" in classes:
        return Parsed(problem="must not hold a subquery; it sees the columns of its own source only")
    if "STAR" in classes:
        return Parsed(problem="must name its columns; * is not allowed")
    names = [n["column_names"] for n in _nodes(node["select_list"]) if n.get("class") == "COLUMN_REF"]
    return Parsed(
        names=frozenset(name.casefold() for parts in names for name in parts),
        has_window="WINDOW" in classes,
    )


_by_file: dict[str, str] = {}


def within_file(connection: duckdb.DuckDBPyConnection, expression: str) -> str:
    """An expression over the rows of several files that gives each row what it would be given in its own file.

    Every window is computed file by file. Raises LandingError when that cannot be written with certainty.
    """
    parsed = parse_expression(connection, expression)
    if parsed.problem:
        raise LandingError(f"an expression {parsed.problem}")
    if not parsed.has_window:
        return expression
    if expression not in _by_file:
        tree = _tree(connection, expression)
        column = {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "query_location": 0}
        for node in _nodes(tree["statements"]):
            if node.get("class") == "WINDOW":
                node["partitions"].insert(0, column | {"column_names": [FILE_NUMBER]})
        row = connection.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchone()
        written = str(row[0]).removeprefix("SELECT ") if row else ""
        if _meaning(_tree(connection, written)) != _meaning(tree):
            raise LandingError("an expression with a window function cannot be written anew with certainty")
        _by_file[expression] = written
    return _by_file[expression]


def _tree(connection: duckdb.DuckDBPyConnection, expression: str) -> dict[str, Any]:
    row = connection.execute("select json_serialize_sql(?)", [f"select ({expression}\n)"]).fetchone()
    return json.loads(row[0]) if row else {"error": True}


def _meaning(tree: Any) -> Any:
    """A syntax tree without the places at which its parts stand in the text."""
    if isinstance(tree, dict):
        return {key: _meaning(value) for key, value in tree.items() if key != "query_location"}
    return [_meaning(value) for value in tree] if isinstance(tree, list) else tree


def expressions(source: Source, entity: str | None = None) -> list[tuple[str, str]]:
    """(key in the YAML, expression) of everything that a source computes, or of one of its entities."""
    found = []
    for name, mapping in source.entities.items():
        if entity in (None, name):
            found += [(f"entities.{name}.fields.{field}", sql) for field, sql in mapping.fields.items()]
            for key in ("where", *(field.name for field in VERSION_FIELDS)):
                if sql := getattr(mapping, key):
                    found.append((f"entities.{name}.{key}", sql))
    found += [
        (f"cleaning_rules.{rule.code}.when", rule.when)
        for rule in source.cleaning_rules
        if entity in (None, rule.entity)
    ]
    return found


def contract_problems(source: Source) -> list[str]:
    """Where a source's mapping does not fit the contract, whatever its files hold."""
    problems = []
    contract = load_contract()
    for name, mapping in source.entities.items():
        where = f"{source.file}: entities.{name}"
        if name not in contract:
            problems.append(f"{where}: unknown contract entity; {suggest(name, contract)}")
            continue
        known = [field.name for field in contract[name].fields]
        problems += [
            f"{where}.fields.{field}: unknown contract field; {suggest(field, known)}"
            for field in mapping.fields
            if field not in known
        ]
        problems += [
            f"{where}.fields.{field.name}: missing; the contract requires it (see docs/contract.md)"
            for field in contract[name].fields
            if field.required and field.name not in mapping.fields
        ]
    return problems


def expression_types(connection: duckdb.DuckDBPyConnection, sqls: list[str], relation: str = "src") -> list[str]:
    """DuckDB type of each expression over `relation`. Raises duckdb.Error when one cannot be bound."""
    columns = ", ".join(f"({sql}\n) as e{position}" for position, sql in enumerate(sqls))
    # With the row number beside them aggregates cannot be bound: an expression gives one value per row.
    query = f"describe select {ROW_NUMBER}, {columns} from {relation} as src"
    return [row[1] for row in connection.execute(query).fetchall()[1:]]


def missing_columns(connection: duckdb.DuckDBPyConnection, sqls: list[str]) -> list[str]:
    """Columns that expressions need and `src` has not, as the expressions write them."""
    missing: list[str] = []
    for sql in sqls:
        while True:
            added = "".join(f", null as {identifier(name)}" for name in missing)
            try:
                expression_types(connection, [sql], f"(select *{added} from src)")
            except duckdb.Error as error:
                found = _MISSING_COLUMN.search(str(error))
                if found and found[1] not in missing:
                    missing.append(found[1])
                    continue
            break
    return missing


def bind_problem(
    connection: duckdb.DuckDBPyConnection, sql: str, columns: Iterable[str], relation: str = "src"
) -> str | None:
    """Why an expression cannot be bound to a relation with these columns; None when it can."""
    try:
        expression_types(connection, [sql], relation)
    except duckdb.Error as error:
        missing = _MISSING_COLUMN.search(str(error))
        if missing:
            return f"column {missing[1]} is not in the source; {suggest(missing[1], columns)}"
        return str(error).splitlines()[0]
    return None


def _type_problem(field: Field, found: str) -> str | None:
    if found.startswith(("STRUCT", "MAP", "UNION")) or found.endswith("]"):
        return f"gives {found}, not one value; write one expression"
    usable = found.startswith(("TIMESTAMP", "DATE", "VARCHAR")) or found == '"NULL"'
    if field.type in {"timestamp", "date"} and not usable:
        return f"gives {found}, not a {field.type}; convert it, such as to_timestamp(seconds) or strptime(text, form)"
    return None


def _field_of(key: str, contract: dict[str, Entity]) -> Field | None:
    """The field that an expression fills, given its key in the YAML."""
    parts = key.split(".")
    fields: tuple[Field, ...] = VERSION_FIELDS if len(parts) == 3 and parts[0] == "entities" else ()
    if len(parts) == 4 and parts[1] in contract:
        fields = contract[parts[1]].fields
    return next((field for field in fields if field.name == parts[-1]), None)


def bind_problems(connection: duckdb.DuckDBPyConnection, source: Source, columns: dict[str, str]) -> list[str]:
    """Expressions of a source that do not work on a relation with these columns. Makes an empty `src`."""
    definitions = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns.items())
    connection.execute("drop view if exists src")
    connection.execute(f"create or replace temp table src_rows ({ROW_NUMBER} bigint, {definitions})")
    connection.execute("create or replace temp view src as select * from src_rows")
    contract = load_contract()
    problems = []
    for key, sql in expressions(source):
        problem = parse_expression(connection, sql).problem or bind_problem(connection, sql, columns)
        if problem is None and (field := _field_of(key, contract)):
            problem = _type_problem(field, expression_types(connection, [sql])[0])
        if problem:
            problems.append(f"{source.file}: {key}: {problem}")
    return problems


def check_source(settings: Settings, source: Source) -> list[str]:
    """Every problem of one source, one line each: contract, files, columns, expressions. Nothing is landed."""
    problems = contract_problems(source)
    with scratch() as connection:
        columns: dict[str, str] = {}
        try:
            files = list_files(settings, source)
            if files:
                columns = file_columns(connection, source, files[-1])
        except LandingError as error:
            problems.append(str(error))
        if not columns:
            # Without a file the columns are taken from the expressions: all else is still checked.
            parsed = [parse_expression(connection, sql) for _, sql in expressions(source)]
            columns = dict.fromkeys(sorted({n for p in parsed for n in p.names} - {ROW_NUMBER, "src"}), "VARCHAR")
            if source.reader.kind not in TEXT_READERS:
                problems += [
                    f"{source.file}: {key}: {parse_expression(connection, sql).problem}"
                    for key, sql in expressions(source)
                    if parse_expression(connection, sql).problem
                ]
                return problems
        return problems + bind_problems(connection, source, columns)


def check_mappings(brand: Brand) -> None:
    """Check all mappings against the contract, without a look at any file. Raises BrandConfigError listing every problem."""
    problems = [problem for source in brand.sources for problem in contract_problems(source)]
    if problems:
        raise BrandConfigError(brand.brand, list(dict.fromkeys(problems)))


def check_sources(settings: Settings, brand: Brand) -> None:
    """Check all sources of a brand. Raises BrandConfigError listing every problem."""
    problems = [problem for source in brand.sources for problem in check_source(settings, source)]
    if problems:
        raise BrandConfigError(brand.brand, list(dict.fromkeys(problems)))


def mapping_hash(source: Source, entity: str) -> str:
    """Hex digest of all that decides how a file becomes rows; a change lands the file again.

    Cleaning rules, ignored columns and drift policies are left out on purpose: they count, tidy and judge, and a new one
    should not copy years of history. They hold for the batches landed since. So are labels and fields of the contract
    that the mapping does not use, and settings that are at their defaults: what the project adds lands nothing again.
    """
    contract = load_contract()[entity]
    mapping = source.entities[entity]
    mapped = [field for field in contract.fields if field.name in mapping.fields]
    decisive = {
        "version": LANDING_VERSION,
        "mode": source.mode,
        # A snapshot is compared with the earlier ones of its own source.
        "source": source.name if source.is_snapshot else None,
        "reader": source.reader.model_dump(exclude=_PLACES, exclude_defaults=True),
        "timestamps_in": source.timestamps_in,
        "mapping": mapping.model_dump(exclude_none=True),
        "contract": [[f.name, f.type, f.required, f.clock, list(f.allowed)] for f in mapped],
        "key": contract.key,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def used_columns(connection: duckdb.DuckDBPyConnection, source: Source, entity: str | None = None) -> set[str]:
    """Case-folded names that the expressions of a source, or of one of its entities, refer to."""
    return {name for _, sql in expressions(source, entity) for name in parse_expression(connection, sql).names}


def extra_columns(connection: duckdb.DuckDBPyConnection, source: Source, columns: dict[str, str]) -> list[str]:
    """Columns of a file that no expression of its source uses and that are not ignored."""
    used = used_columns(connection, source) | {name.casefold() for name in source.ignored_columns}
    return [name for name in columns if name.casefold() not in used]


def _cast(field: Field, found: str, zone: str) -> str:
    """SQL that turns `raw_<field>` of DuckDB type `found` into the contract's type, or null when it cannot."""
    raw, target = f"raw_{field.name}", field.duckdb_type
    if field.type == "text":
        # A blank is no value: it would otherwise pass for one in every required field.
        if found != "VARCHAR":
            return f"try_cast({raw} as varchar)"
        return f"case when trim({raw}) <> '' then {raw} end"
    if field.type == "integer" and found not in _INTEGERS:
        # A cast alone rounds 1.5 to 2.
        whole = f"try_cast({raw} as decimal(38, 6)) = try_cast({raw} as bigint)"
        return f"case when {whole} then try_cast({raw} as bigint) end"
    if field.type == "timestamp":
        if found.startswith("TIMESTAMP WITH"):
            return f"case when isfinite({raw}) then {raw} end"
        naive = f"(try_cast({raw} as timestamp) at time zone {literal(zone)})"
        if found == "VARCHAR":
            aware = f"try_cast({raw} as timestamptz)"
            naive = f"case when regexp_matches({raw}, {literal(_OFFSET)}) then {aware} else {naive} end"
        return f"case when isfinite(try_cast({raw} as timestamp)) then {naive} end"
    if field.type == "date":
        day = f"cast({raw} at time zone {literal(zone)} as date)" if found.startswith("TIMESTAMP WITH") else raw
        return f"case when isfinite(try_cast({day} as date)) then try_cast({day} as date) end"
    return f"try_cast({raw} as {target})"


def _fault(field: Field, guarded: bool, moment: datetime) -> str | None:
    """SQL giving `<field>:<reason>`, or null for a good value; None when nothing can be wrong.

    A row that says its key is gone needs the key alone: what a source's log of deletions writes of the rest is its own.
    """
    name, raw = field.name, f"raw_{field.name}"
    cases = []
    if guarded:
        cases.append(f"when bad_{name} then '{name}:not_a_{field.type}'")
    if field.type != "text":
        cases.append(f"when {raw} is not null and {name} is null then '{name}:not_a_{field.type}'")
    if field.required:
        unless = "" if field.key else " and is_deleted is not true"
        cases.append(f"when {name} is null{unless} then '{name}:missing_value'")
    if field.clock:
        latest = f"timestamptz {literal(moment.isoformat())} + interval {FUTURE_HOURS} hour"
        cases.append(f"when {name} > {latest} then '{name}:in_the_future'")
    if field.allowed:
        allowed = ", ".join(literal(value) for value in field.allowed)
        cases.append(f"when {name} not in ({allowed}) then '{name}:unknown_value'")
    return f"case {' '.join(cases)} end" if cases else None


def _where(mapping: EntityMapping, guarded: bool) -> str:
    """The entity's WHERE clause, or nothing; guarded, a row on which it fails is let in to be quarantined."""
    if not mapping.where:
        return ""
    if not guarded:
        return f"where ({mapping.where}\n)"
    fails = f"try(({mapping.where}\n) is null) is null"
    return f"where case when {fails} then true else try({mapping.where}\n) end"


@contextmanager
def try_is_safe(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """TRY works only while this is open: the optimizer otherwise moves what two TRYs share out of both."""
    connection.execute("set disabled_optimizers = 'common_subexpressions'")
    try:
        yield
    finally:
        connection.execute("reset disabled_optimizers")


def typed_sql(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    entity: Entity,
    layout: Layout,
    moment: datetime,
    *,
    guarded: bool,
    by_file: bool = False,
) -> str:
    """Query giving source_row_number, extra_fields, every contract field, changed_at, change_sequence, is_deleted and
    `set_aside_for` (null for a good row) from the rows of one file, landed at `moment`.

    `guarded` evaluates each expression under TRY, so that one that raises on a row quarantines that row; it costs twice
    the time and is only used for files on which the plain query raised. `by_file`: the relation holds several files, told
    apart by FILE_NUMBER, and so does what is given.
    """
    mapping: EntityMapping = source.entities[entity.name]
    raws, casts, faults = [], [], [layout.fault] if layout.fault else []
    for field in (*entity.fields, *VERSION_FIELDS):
        key = f"entities.{entity.name}.{'' if field in VERSION_FIELDS else 'fields.'}{field.name}"
        if key not in layout.types:
            casts.append(f"cast(null as {field.duckdb_type}) as {field.name}")
            continue
        sql = getattr(mapping, field.name) if field in VERSION_FIELDS else mapping.fields[field.name]
        guard = guarded and not parse_expression(connection, sql).has_window
        sql = within_file(connection, sql) if by_file else sql
        raws.append(f"{'try' if guard else ''}({sql}\n) as raw_{field.name}")
        if guard:
            raws.append(f"(try(({sql}\n) is null) is null) as bad_{field.name}")
        casts.append(f"{_cast(field, layout.types[key], source.timestamps_in)} as {field.name}")
        fault = _fault(field, guard, moment)
        if fault:
            faults.append(fault)
    where = _where(mapping, guarded)
    if mapping.where and guarded:
        raws.append(f"(try(({mapping.where}\n) is null) is null) as bad_where")
        faults.append("case when bad_where then 'where:cannot_be_evaluated' end")
    extra = "cast(null as varchar)"
    if layout.extras:
        record = ", ".join(f"{literal(name)}: {identifier(name)}" for name in layout.extras)
        extra = f"cast(to_json({{{record}}}) as varchar)"
    raws += layout.passed_on
    sequence = "coalesce(change_sequence, source_row_number)" if source.mode == "change_log" else "change_sequence"
    reason = f"nullif(concat_ws('; ', {', '.join(faults)}), '')" if faults else "cast(null as varchar)"
    row = f"{FILE_NUMBER}, {ROW_NUMBER}" if by_file else ROW_NUMBER
    return f"""
        with mapped as (
            select {row}, {extra} as extra_fields, {", ".join(raws)} from {layout.relation} as src {where}
        ),
        cast_rows as (select *, {", ".join(casts)} from mapped)
        select {row}, extra_fields, {", ".join(f.name for f in entity.fields)},
            changed_at, {sequence} as change_sequence, coalesce(is_deleted, false) as is_deleted, {reason} as set_aside_for
        from cast_rows"""


def rejecting_sql(entity: Entity, reason: str) -> str:
    """As `typed_sql`, for a file of which every row is set aside for one reason."""
    fields = ", ".join(f"cast(null as {field.duckdb_type}) as {field.name}" for field in entity.fields)
    return f"""
        select {ROW_NUMBER}, cast(null as varchar) as extra_fields, {fields}, cast(null as timestamptz) as changed_at,
            cast(null as bigint) as change_sequence, false as is_deleted, {literal(reason)} as set_aside_for
        from src"""


def rule_hits(
    connection: duckdb.DuckDBPyConnection, source: Source, entity: str, relation: str = "src", *, by_file: bool = False
) -> dict[int, dict[str, int]]:
    """Number of the file → rule code → rows of `relation` that it touches, among the entity's rows.

    Without `by_file` the relation is one file, number 0.
    """
    rules = source.rules_of(entity)
    if not rules:
        return {}
    file = FILE_NUMBER if by_file else "0"

    def count(guarded: bool) -> list[tuple[Any, ...]]:
        flags = []
        for position, rule in enumerate(rules):
            guard = guarded and not parse_expression(connection, rule.when).has_window
            when = within_file(connection, rule.when) if by_file else rule.when
            flags.append(f"{'try' if guard else ''}({when}\n) as r{position}")
        counts = ", ".join(f"count(*) filter (where r{position})" for position in range(len(rules)))
        where = _where(source.entities[entity], guarded)
        rows = f"select {file} as file_number, {', '.join(flags)} from {relation} as src {where}"
        return connection.execute(f"select file_number, {counts} from ({rows}) group by file_number").fetchall()

    try:
        counted = count(guarded=False)
    except duckdb.Error:
        try:
            with try_is_safe(connection):
                counted = count(guarded=True)
        except duckdb.Error:
            raise LandingError(
                f"{source.file}: a cleaning rule of {entity} fails on a row; use try_cast inside its window functions"
            ) from None
    return {row[0]: {rule.code: int(hits) for rule, hits in zip(rules, row[1:], strict=True)} for row in counted}
