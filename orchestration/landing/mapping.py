"""From a source's expressions to contract rows: what is checked before any work, and the SQL that lands or quarantines.

Expressions come from brands/<brand>/sources/*.yml and see the columns of `src` (`orchestration.landing.readers`).
Files, batches and manifests belong in `orchestration.landing.land` and `orchestration.landing.lake`.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from the brand's checked expressions)
from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.brands import Brand, BrandConfigError, EntityMapping, Source, suggest
from orchestration.landing.contract import Entity, Field, load_contract
from orchestration.landing.errors import LandingError
from orchestration.landing.readers import (
    ROW_NUMBER,
    SourceFile,
    file_columns,
    guess_delimiter,
    identifier,
    list_files,
    literal,
)
from orchestration.settings import Settings
from orchestration.warehouse import scratch

# Raise it when landing itself gives other rows for the same file and mapping: every file is then landed again.
LANDING_VERSION = 1

_OFFSET = r":\d{2}(\.\d+)?\s*(Z|[+-]\d{2}(:?\d{2})?)$"
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_MISSING_COLUMN = re.compile(r'Referenced column "([^"]+)" not found')


@dataclass(frozen=True)
class Parsed:
    """What an expression refers to. `problem` says why it cannot be used as an expression."""

    names: frozenset[str] = frozenset()
    has_window: bool = False
    problem: str | None = None


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
    row = connection.execute("select json_serialize_sql(?)", [f"select ({expression}\n)"]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
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


def expressions(source: Source, entity: str | None = None) -> list[tuple[str, str]]:
    """(key in the YAML, expression) of everything that a source computes, or of one of its entities."""
    found = []
    for name, mapping in source.entities.items():
        if entity in (None, name):
            found += [(f"entities.{name}.fields.{field}", sql) for field, sql in mapping.fields.items()]
            if mapping.where:
                found.append((f"entities.{name}.where", mapping.where))
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


def expression_types(connection: duckdb.DuckDBPyConnection, sqls: list[str]) -> list[str]:
    """DuckDB type of each expression over `src`. Raises duckdb.Error when one cannot be bound."""
    columns = ", ".join(f"({sql}\n) as e{position}" for position, sql in enumerate(sqls))
    # With the row number beside them aggregates cannot be bound: an expression gives one value per row.
    return [row[1] for row in connection.execute(f"describe select {ROW_NUMBER}, {columns} from src").fetchall()[1:]]


def _bind_problem(connection: duckdb.DuckDBPyConnection, sql: str, columns: dict[str, str]) -> str | None:
    try:
        expression_types(connection, [sql])
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


def bind_problems(connection: duckdb.DuckDBPyConnection, source: Source, columns: dict[str, str]) -> list[str]:
    """Expressions of a source that do not work on a relation with these columns. Makes an empty `src`."""
    definitions = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns.items())
    connection.execute("drop view if exists src")
    connection.execute(f"create or replace temp table src_rows ({ROW_NUMBER} bigint, {definitions})")
    connection.execute("create or replace temp view src as select * from src_rows")
    contract = load_contract()
    problems = []
    for key, sql in expressions(source):
        problem = parse_expression(connection, sql).problem or _bind_problem(connection, sql, columns)
        if problem is None and ".fields." in key:
            _, entity, _, field = key.split(".")
            if entity in contract and field in {f.name for f in contract[entity].fields}:
                problem = _type_problem(contract[entity].field(field), expression_types(connection, [sql])[0])
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
            if source.reader.kind == "parquet":
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

    Cleaning rules and ignored columns are left out on purpose: they count and tidy, and a new rule should not copy
    years of history. They hold for the batches landed since.
    """
    fields = [[f.name, f.type, f.key, f.required, list(f.allowed)] for f in load_contract()[entity].fields]
    decisive = {
        "version": LANDING_VERSION,
        "reader": source.reader.model_dump(exclude={"path", "location", "python_package"}),
        "timestamps_in": source.timestamps_in,
        "mapping": source.entities[entity].model_dump(),
        "contract": fields,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def extra_columns(connection: duckdb.DuckDBPyConnection, source: Source, columns: dict[str, str]) -> list[str]:
    """Columns of a file that no expression of its source uses and that are not ignored."""
    used = {name for _, sql in expressions(source) for name in parse_expression(connection, sql).names}
    used |= {name.casefold() for name in source.ignored_columns}
    return [name for name in columns if name.casefold() not in used]


def check_columns(
    connection: duckdb.DuckDBPyConnection, source: Source, entity: str, file: SourceFile, columns: dict[str, str]
) -> None:
    """Check that a file (read as `src`) has what the entity's expressions need; else LandingError naming it."""
    keyed = expressions(source, entity)
    try:
        expression_types(connection, [sql for _, sql in keyed])
    except duckdb.Error:
        known = {name.casefold() for name in columns} | {ROW_NUMBER, "src"}
        missing = sorted({n for _, sql in keyed for n in parse_expression(connection, sql).names} - known)
        delimiter = guess_delimiter(columns, source)
        if missing and delimiter:
            raise LandingError(
                f"{file.name}: has one column with delimiter {source.reader.delimiter!r}; its header looks "
                f"separated by {delimiter!r}: set reader.delimiter in {source.file}, or deliver the file as before"
            ) from None
        if missing:
            raise LandingError(
                f"{file.name}: column(s) {', '.join(missing)} missing, which {source.file} needs for {entity}; the "
                f"file has {', '.join(columns)}. Deliver it with its columns, or correct the mapping"
            ) from None
        problems = [f"{key}: {found}" for key, sql in keyed if (found := _bind_problem(connection, sql, columns))]
        raise LandingError(f"{file.name}: {source.file} does not fit: {'; '.join(problems)}") from None


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


def _fault(field: Field, guarded: bool) -> str | None:
    """SQL giving `<field>:<reason>`, or null for a good value; None when nothing can be wrong."""
    name, raw = field.name, f"raw_{field.name}"
    cases = []
    if guarded:
        cases.append(f"when bad_{name} then '{name}:not_a_{field.type}'")
    if field.type != "text":
        cases.append(f"when {raw} is not null and {name} is null then '{name}:not_a_{field.type}'")
    if field.required:
        cases.append(f"when {name} is null then '{name}:missing_value'")
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
    connection: duckdb.DuckDBPyConnection, source: Source, entity: Entity, extras: list[str], *, guarded: bool
) -> str:
    """Query giving source_row_number, every contract field, extra_fields and `reason` (null for a good row) from `src`.

    `guarded` evaluates each expression under TRY, so that one that raises on a row quarantines that row; it costs twice
    the time and is only used for files on which the plain query raised.
    """
    mapping: EntityMapping = source.entities[entity.name]
    mapped = [field for field in entity.fields if field.name in mapping.fields]
    types = dict(
        zip(
            [field.name for field in mapped],
            expression_types(connection, [mapping.fields[field.name] for field in mapped]),
            strict=True,
        )
    )
    raws, casts, faults = [], [], []
    for field in entity.fields:
        if field.name not in types:
            casts.append(f"cast(null as {field.duckdb_type}) as {field.name}")
            continue
        sql = mapping.fields[field.name]
        guard = guarded and not parse_expression(connection, sql).has_window
        raws.append(f"{'try' if guard else ''}({sql}\n) as raw_{field.name}")
        if guard:
            raws.append(f"(try(({sql}\n) is null) is null) as bad_{field.name}")
        casts.append(f"{_cast(field, types[field.name], source.timestamps_in)} as {field.name}")
        fault = _fault(field, guard)
        if fault:
            faults.append(fault)
    where = _where(mapping, guarded)
    if mapping.where and guarded:
        raws.append(f"(try(({mapping.where}\n) is null) is null) as bad_where")
        faults.append("case when bad_where then 'where:cannot_be_evaluated' end")
    extra = "cast(null as varchar)"
    if extras:
        record = ", ".join(f"{literal(name)}: {identifier(name)}" for name in extras)
        extra = f"cast(to_json({{{record}}}) as varchar)"
    reason = f"nullif(concat_ws('; ', {', '.join(faults)}), '')" if faults else "cast(null as varchar)"
    return f"""
        with mapped as (select {ROW_NUMBER}, {extra} as extra_fields, {", ".join(raws)} from src {where}),
        cast_rows as (select *, {", ".join(casts)} from mapped)
        select {ROW_NUMBER}, extra_fields, {", ".join(f.name for f in entity.fields)}, {reason} as reason
        from cast_rows"""


def rule_hits(connection: duckdb.DuckDBPyConnection, source: Source, entity: str) -> dict[str, int]:
    """Rule code → rows of `src` that it touches, among the entity's rows."""
    rules = source.rules_of(entity)
    if not rules:
        return {}

    def count(guarded: bool) -> tuple[Any, ...]:
        flags = []
        for position, rule in enumerate(rules):
            guard = guarded and not parse_expression(connection, rule.when).has_window
            flags.append(f"{'try' if guard else ''}({rule.when}\n) as r{position}")
        counts = ", ".join(f"count(*) filter (where r{position})" for position in range(len(rules)))
        query = f"select {counts} from (select {', '.join(flags)} from src {_where(source.entities[entity], guarded)})"
        return connection.execute(query).fetchone() or ()

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
    return {rule.code: int(hits) for rule, hits in zip(rules, counted, strict=True)}
