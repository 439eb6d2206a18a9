"""The SQL by which a column fills a field of the contract, given what the column looks like.

A value that does not fit must never become another one: what cannot be read stays as it is and is quarantined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.landing.contract import Field
from orchestration.landing.propose.names import folded, load_synonyms
from orchestration.landing.propose.shapes import MONEY_MARKS, Shape
from orchestration.landing.readers import identifier, literal

_PLAIN = re.compile(r"[A-Za-z_\u4e00-\u9fff][A-Za-z0-9_\u4e00-\u9fff]*")
_NUMBERS = ("integer", "decimal", "amount")
_TRUE = ("1", "true", "t", "yes", "y")
_CENTS = re.compile(r"(_fen|_cents?|[(（]分[)）])$", re.IGNORECASE)


@dataclass(frozen=True)
class Written:
    """An expression, and what is to be checked of it."""

    sql: str
    note: str = ""


def column_sql(name: str, keywords: Iterable[str]) -> str:
    """A column's name as an expression writes it: quoted only where it must be."""
    return name if _PLAIN.fullmatch(name) and name.casefold() not in keywords else identifier(name)


def write_expression(field: Field, shape: Shape, column: str) -> Written:
    """The expression for a field; `column` is the column's name as SQL."""
    if field.type in ("timestamp", "date"):
        return _instant(shape, column)
    if field.type in _NUMBERS:
        return _number(field, shape, column)
    if field.type == "boolean":
        if shape.is_text and shape.mostly("zh_boolean"):
            return Written(f"case trim({column}) when '是' then 'true' when '否' then 'false' else {column} end")
        return Written(column)
    if field.allowed:
        return _coded(field, shape, column)
    return _text(shape, column)


def _text(shape: Shape, column: str) -> Written:
    if shape.is_nested:
        return Written(f"cast(to_json({column}) as varchar)")
    if shape.type in ("DOUBLE", "FLOAT") and shape.mostly("float_id"):
        return Written(f"cast({column} as bigint)", "a number without its decimal")
    if not shape.is_text:
        return Written(column)
    if shape.mostly("float_id"):
        return Written(f"regexp_replace(trim({column}), '\\.0$', '')", "an id without its decimal")
    return Written(f"trim({column})" if shape.shares.get("padded") else column)


def _instant(shape: Shape, column: str) -> Written:
    if shape.type.startswith(("TIMESTAMP", "DATE")):
        return Written(column)
    text = column if shape.is_text else f"cast({column} as varchar)"
    if shape.mostly("timestamp"):
        return Written(text, "" if shape.mostly("offset") else "read in timestamps_in")
    if shape.date_format:
        note = "day and month may be the other way round" if shape.is_ambiguous_date else "read in timestamps_in"
        return Written(f"strptime({text}, {literal(shape.date_format)})", note)
    if shape.mostly("unix_seconds"):
        return Written(f"to_timestamp(cast({column} as bigint))", "seconds since 1970")
    if shape.mostly("unix_milliseconds"):
        return Written(f"to_timestamp(cast({column} as bigint) / 1000)", "milliseconds since 1970")
    return Written(column, "nothing in the sample to tell its format by")


def _number(field: Field, shape: Shape, column: str) -> Written:
    sql, note = column, ""
    if not shape.is_text:
        pass
    elif shape.is_boolean and not shape.mostly("number"):
        truth = " ".join(f"when {literal(v)} then '{int(v.casefold() in _TRUE)}'" for v in shape.values)
        sql = f"case trim({column}) {truth} else {column} end"
        note = "yes is 1, no is 0"
    elif shape.mostly("percent"):
        return Written(f"cast(replace({column}, '%', '') as decimal(18, 4)) / 100", "a share, 0 to 1")
    elif shape.mostly("comma_decimal") and not shape.mostly("number"):
        sql, note = f"replace(replace({column}, '.', ''), ',', '.')", "decimal comma"
    elif shape.mostly("money") and not shape.mostly("number"):
        sql, note = (
            f"translate({column}, {literal(MONEY_MARKS)}, '')",
            "without currency signs and thousands separators",
        )
    if field.unit == "currency" and _CENTS.search(shape.name):
        return Written(f"cast({sql} as decimal(18, 4)) / 100", "in hundredths, by its name")
    return Written(sql, note)


def _coded(field: Field, shape: Shape, column: str) -> Written:
    """Codes of the source as the contract's: those that are known; the others stay and are quarantined until mapped."""
    known = load_synonyms().values.get(field.name, {})
    allowed = {value.casefold(): value for value in field.allowed}
    found = {v: known.get(folded(v)) or allowed.get(v.casefold()) for v in shape.values}
    cases = [f"when {literal(v)} then {literal(to)}" for v, to in found.items() if to and to != v]
    unknown = sum(to is None for to in found.values()) if found else 0
    note = "codes of the sample"
    if unknown or not found:
        note = (
            f"{unknown or shape.distinct} code(s) that nothing is known of: add a when for each, to one of "
            f"{', '.join(field.allowed)}"
        )
    sql = f"trim({column})" if shape.shares.get("padded") else column
    return Written(f"case {sql} {' '.join(cases)} else {sql} end" if cases else sql, note)
