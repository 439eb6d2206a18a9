"""Schema drift: a file's columns against what its mapping uses and what the source had before, and what follows from it.

What the policies are is declared in `orchestration.brands.SchemaDrift`; landing the rows belongs in
`orchestration.landing.land`.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from the brand's checked expressions)
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

import duckdb

from orchestration.brands import DriftPolicy, Source
from orchestration.landing.errors import LandingError
from orchestration.landing.mapping import (
    TEXT_READERS,
    Layout,
    bind_problem,
    expression_types,
    expressions,
    extra_columns,
    missing_columns,
    parse_expression,
    used_columns,
)
from orchestration.landing.readers import SourceFile, guess_delimiter, identifier, literal

# Without its column each of these would drop rows, keep deleted ones or mistake an old version for the new one, silently.
_NO_DEFAULT = ("where", "changed_at", "change_sequence", "is_deleted")
_FAULT = "tessera_drift_fault"
_WIDTHS = (
    (re.compile(r"(TINY|SMALL|BIG|HUGE|U|UTINY|USMALL|UBIG|UHUGE)?(INT|INTEGER)"), "INTEGER"),
    (re.compile(r"DECIMAL\(\d+,\s*\d+\)"), "DECIMAL"),
    (re.compile(r"FLOAT|DOUBLE"), "DOUBLE"),
    (re.compile(r"TIMESTAMP(_S|_MS|_NS)?"), "TIMESTAMP"),
)


@dataclass(frozen=True)
class Drift:
    """One column that is not as it was. `kind`: new, missing or retyped; `policy`: what the source's YAML says of it."""

    column: str
    kind: str
    policy: str

    def as_dict(self) -> dict[str, str]:
        return {"column": self.column, "kind": self.kind, "policy": self.policy}


@dataclass(frozen=True)
class Reading:
    """How a file is read for one entity: its layout, its drift, its columns as they are recorded in the manifest.

    `rejected`: the reason for which every row is set aside, where the policy for a missing column says so.
    """

    layout: Layout
    drift: tuple[Drift, ...]
    columns: dict[str, str]
    rejected: str | None = None


def type_family(type_: str) -> str:
    """What a DuckDB type is beside its width: a wider integer reads the same values."""
    return next((family for pattern, family in _WIDTHS if pattern.fullmatch(type_)), type_)


def find_reading(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    entity: str,
    file: SourceFile,
    columns: dict[str, str],
    former: dict[str, str],
) -> Reading:
    """How the file that stands in `src` is read; `former` is name → type of the source's newest batch, or empty.

    Raises LandingError when a policy says stop, a column that has no default is missing, or an expression does not fit.
    """
    keyed = expressions(source, entity)
    missing = [Drift(name, "missing", _missing_policy(source)) for name in _missing(connection, keyed)]
    if missing:
        _check_missing(connection, source, entity, file, columns, missing)
    retyped = [
        Drift(name, "retyped", source.schema_drift.retyped_column)
        for name in _retyped(connection, source, entity, columns, former)
    ]
    extras = extra_columns(connection, source, columns)
    before = {name.casefold() for name in former}
    new = [Drift(name, "new", source.schema_drift.new_column) for name in extras if name.casefold() not in before]
    stopping = [drift for drift in (*new, *retyped) if drift.policy == "stop"]
    if stopping:
        _stop(source, file, columns, former, stopping)
    drift = (*missing, *retyped, *(new if former else ()))
    kept = columns | {found.column: former[found.column] for found in retyped}
    if any(found.policy == "quarantine" for found in missing):
        reason = "; ".join(f"{found.column}:missing_column" for found in missing)
        return Reading(Layout({}, extras), drift, kept, rejected=reason)
    relation = _relation(missing, retyped, former)
    has_fault = any(found.policy == "quarantine" for found in retyped)
    try:
        types = expression_types(connection, [sql for _, sql in keyed], relation)
    except duckdb.Error:
        names = [*columns, *(found.column for found in missing)]
        problems = [f"{key}: {told}" for key, sql in keyed if (told := bind_problem(connection, sql, names, relation))]
        raise LandingError(f"{file.name}: {source.file} does not fit: {'; '.join(problems)}") from None
    layout = Layout(
        types=dict(zip([key for key, _ in keyed], types, strict=True)),
        extras=extras,
        relation=relation,
        passed_on=(_FAULT,) if has_fault else (),
        fault=_FAULT if has_fault else None,
    )
    return Reading(layout, drift, kept)


def _missing_policy(source: Source) -> DriftPolicy:
    """What the YAML says; of JSON, where a record need not write what is null, absence stops nothing unless it says so."""
    chosen = source.schema_drift
    if source.reader.kind == "jsonl" and "missing_column" not in chosen.model_fields_set:
        return "default"
    return chosen.missing_column


def _missing(connection: duckdb.DuckDBPyConnection, keyed: list[tuple[str, str]]) -> list[str]:
    try:
        expression_types(connection, [sql for _, sql in keyed])
    except duckdb.Error:
        return missing_columns(connection, [sql for _, sql in keyed])
    return []


def _check_missing(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    entity: str,
    file: SourceFile,
    columns: dict[str, str],
    missing: list[Drift],
) -> None:
    names = ", ".join(found.column for found in missing)
    delimiter = guess_delimiter(columns, source)
    if delimiter:
        raise LandingError(
            f"{file.name}: has one column with delimiter {source.files.delimiter!r}; its header looks "  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
            f"separated by {delimiter!r}: set reader.delimiter in {source.file}, or deliver the file as before"
        )
    said = f"{file.name}: column(s) {names} missing, which {source.file} needs for {entity}; the file has {', '.join(columns)}."
    policy = missing[0].policy
    if policy == "stop":
        raise LandingError(
            f"{said} Deliver it with its columns, correct the mapping, or set schema_drift.missing_column to default or quarantine"
        )
    if policy != "default":
        return
    folded = {found.column.casefold() for found in missing}
    for key, sql in expressions(source, entity):
        name = key.rpartition(".")[2]
        if ".fields." in key or name not in _NO_DEFAULT:
            continue
        if parse_expression(connection, sql).names & folded:
            raise LandingError(
                f"{said} {key} needs it, and null cannot stand in for that: deliver the file with it, or correct the mapping"
            )


def _retyped(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    entity: str,
    columns: dict[str, str],
    former: dict[str, str],
) -> list[str]:
    """Columns of another type than before that the entity's expressions use. Text files have no types to change."""
    if source.reader.kind in TEXT_READERS or not former:
        return []
    used = used_columns(connection, source, entity)
    # A column that holds nothing but nulls has no type of its own.
    return [
        name
        for name, type_ in columns.items()
        if name.casefold() in used
        and name in former
        and type_ != '"NULL"'
        and type_family(type_) != type_family(former[name])
    ]


def _stop(
    source: Source, file: SourceFile, columns: dict[str, str], former: dict[str, str], stopping: list[Drift]
) -> NoReturn:
    told = []
    for found in stopping:
        if found.kind == "new":
            told.append(
                f"column {found.column} is new (schema_drift.new_column: stop); map it, list it in ignored_columns, or set keep"
            )
        else:
            told.append(
                f"column {found.column} is {columns[found.column]}, it was {former[found.column]} "
                "(schema_drift.retyped_column: stop); deliver it as before, or set default or quarantine"
            )
    raise LandingError(f"{file.name}: {source.file}: {'; '.join(told)}")


def _relation(missing: list[Drift], retyped: list[Drift], former: dict[str, str]) -> str:
    """`src`, or `src` with the missing columns as nulls and the retyped ones as they were."""
    if not missing and not retyped:
        return "src"
    replaced, faults = [], []
    for found in retyped:
        column, type_ = identifier(found.column), former[found.column]
        replaced.append(f"try_cast({column} as {type_}) as {column}")
        if found.policy == "quarantine":
            fails = f"{column} is not null and try_cast({column} as {type_}) is null"
            faults.append(f"case when {fails} then {literal(f'{found.column}:retyped')} end")
    added = [f"cast(null as {former.get(found.column, 'varchar')}) as {identifier(found.column)}" for found in missing]
    if faults:
        added.append(f"nullif(concat_ws('; ', {', '.join(faults)}), '') as {_FAULT}")
    star = f"* replace ({', '.join(replaced)})" if replaced else "*"
    return f"(select {', '.join([star, *added])} from src)"
