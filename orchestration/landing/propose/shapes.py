"""What the columns of a sample look like: numbers, money, dates and their format, phones, e-mails, few values or many.

Counts only, by DuckDB, over the relation `src`. What a column may mean belongs in `guess`.
"""

# ruff: noqa: S608 (SQL is put together from quoted identifiers and from the patterns below)
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import duckdb

from orchestration.landing.quarantine import mask
from orchestration.landing.readers import identifier, literal

MOSTLY = 0.9  # share of the values that must look alike: a few dirty ones are quarantined, not obeyed
FEW_VALUES = 20
_SHOWN = 40  # characters of a masked value

# Date formats that are not read without being told, most telling first. Of d/m and m/d the one that fits all values is taken.
DATE_FORMATS = (
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
    "%Y.%m.%d %H:%M:%S",
    "%Y.%m.%d",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y",
    "%d-%b-%Y",
)
_YEARS = "between 1900 and 2100"
# Taken out of an amount; what is left must be a number, so that a text never becomes one.
MONEY_MARKS = "￥¥$€£元, "

# name → what the whole of a trimmed value matches
_REGEXES = {
    "whole": r"[+-]?\d{1,18}",
    "number": r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?",
    "money": r"[+-]?[￥¥$€£]? ?[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)? ?元?",
    "comma_decimal": r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d{1,2}",
    "percent": r"\d+(\.\d+)?%",
    "float_id": r"\d+\.0",
    "offset": r".*:\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)",
    "phone": r"(\+?86[- ]?)?1[3-9]\d[- ]?[\d*]{4}[- ]?\d{4}",
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "id_card": r"\d{6}(19|20)\d{9}[\dXx]",
}
# name → condition on the trimmed text `v`; `w` is the text as it stands
_CONDITIONS = {
    "negative": "starts_with(v, '-')",
    "boolean": "lower(v) in ('0', '1', 'true', 'false', 't', 'f', 'yes', 'no', 'y', 'n')",
    "zh_boolean": "v in ('是', '否')",
    "timestamp": f"regexp_matches(v, '[-/]') and year(try_cast(v as timestamp)) {_YEARS}",
    "unix_seconds": "try_cast(v as bigint) between 946684800 and 2051222400",  # 2000 to 2035
    "unix_milliseconds": "try_cast(v as bigint) between 946684800000 and 2051222400000",
    "operation": "upper(v) in ('I', 'U', 'D', 'INSERT', 'UPDATE', 'DELETE', 'C', 'R')",
    "padded": "w <> v",
}
_PATTERNS = {name: f"regexp_full_match(v, {literal(regex)})" for name, regex in _REGEXES.items()} | _CONDITIONS


@dataclass(frozen=True)
class Shape:
    """One column of the sample. `shares`: pattern → share of the filled values that have it, 0 to 1.

    `values` holds the values of a column that has few; they are for mapping codes, never shown of a column that names people.
    """

    name: str
    type: str  # DuckDB's
    rows: int
    filled: int
    distinct: int
    shares: dict[str, float]
    date_format: str | None = None
    is_ambiguous_date: bool = False  # day and month could change places
    example: str = ""  # the commonest masked value
    values: tuple[str, ...] = ()

    def mostly(self, pattern: str) -> bool:
        """Whether nearly all filled values have the pattern."""
        return self.filled > 0 and self.shares.get(pattern, 0.0) >= MOSTLY

    @property
    def is_text(self) -> bool:
        return self.type == "VARCHAR"

    @property
    def is_nested(self) -> bool:
        return self.type.startswith(("STRUCT", "MAP", "UNION", "JSON")) or self.type.endswith("]")

    @property
    def is_unique(self) -> bool:
        return self.filled == self.rows > 0 and self.distinct == self.rows

    @property
    def is_coded(self) -> bool:
        """A few values that come again and again."""
        return 0 < self.distinct <= FEW_VALUES and self.filled >= 2 * self.distinct

    @property
    def is_temporal(self) -> bool:
        return bool(
            self.type.startswith(("TIMESTAMP", "DATE"))
            or self.mostly("timestamp")
            or self.date_format
            or self.mostly("unix_seconds")
            or self.mostly("unix_milliseconds")
        )

    @property
    def is_numeric(self) -> bool:
        return any(self.mostly(name) for name in ("number", "money", "comma_decimal", "percent"))

    @property
    def is_boolean(self) -> bool:
        return self.type == "BOOLEAN" or self.mostly("boolean") or self.mostly("zh_boolean")

    @property
    def is_personal(self) -> bool:
        """The values by themselves name or reach a person."""
        return self.mostly("phone") or self.mostly("email") or self.mostly("id_card")

    def told(self) -> str:
        """The shape in words, without a value."""
        if self.filled == 0:
            return "empty in the sample"
        kinds = (
            ("e-mail", "email"),
            ("identity number", "id_card"),
            ("phone", "phone"),
            ("time", "timestamp"),
            ("yes or no", "boolean"),
            ("yes or no", "zh_boolean"),
            ("whole number", "whole"),
            ("number", "number"),
            ("percentage", "percent"),
            ("amount", "money"),
            ("number with a decimal comma", "comma_decimal"),
        )
        kind = next((word for word, pattern in kinds if self.mostly(pattern)), "text")
        if self.date_format:
            kind = "date"
        empty = f", {1 - self.filled / self.rows:.0%} empty" if self.filled < self.rows else ""
        return f"{kind} like {self.example}, {self.distinct:,} different{empty}"


def find_shapes(connection: duckdb.DuckDBPyConnection, columns: dict[str, str]) -> list[Shape]:
    """The shape of every column of the relation `src`, in order."""
    return [_shape(connection, name, type_) for name, type_ in columns.items()]


def _shape(connection: duckdb.DuckDBPyConnection, name: str, type_: str) -> Shape:
    column = identifier(name)
    connection.execute(
        f"""create or replace temp table tessera_values as
        select nullif(trim(w), '') as v, w from (select cast({column} as varchar) as w from src)"""
    )
    conditions = _PATTERNS | {form: _is_date(form) for form in DATE_FORMATS}
    counts = ", ".join(f"count(*) filter (where {condition})" for condition in conditions.values())
    row = connection.execute(f"select count(*), count(v), count(distinct v), {counts} from tessera_values").fetchone()
    rows, filled, distinct, *hits = row or (0, 0, 0)
    shares = {key: hit / filled for key, hit in zip(conditions, hits, strict=True)} if filled else {}
    formats = [f for f in DATE_FORMATS if shares.get(f, 0.0) >= MOSTLY]
    best = max(formats, key=lambda f: shares[f]) if formats and type_ not in ("DATE", "BOOLEAN") else None
    few: tuple[str, ...] = ()
    if 0 < distinct <= FEW_VALUES:
        found = connection.execute(
            "select v from tessera_values where v is not null group by v order by count(*) desc, v"
        )
        few = tuple(value for (value,) in found.fetchall())
    examples = connection.execute("select v from tessera_values where v is not null limit 200").fetchall()
    masks = Counter(mask(value) for (value,) in examples)
    example = max(masks, key=lambda m: (masks[m], m)) if masks else ""
    return Shape(
        name=name,
        type=type_,
        rows=rows,
        filled=filled,
        distinct=distinct,
        shares={key: share for key, share in shares.items() if key in _PATTERNS},
        date_format=best,
        is_ambiguous_date=bool(best) and _swapped(best) in formats,
        example=example if len(example) <= _SHOWN else example[:_SHOWN] + "…",
        values=few,
    )


def _is_date(form: str) -> str:
    """Condition on `v`. Of digits alone every one must be there: a week's number or an id is soon a date otherwise."""
    digits = {"%Y%m%d": " and length(v) = 8", "%Y%m%d%H%M%S": " and length(v) = 14"}.get(form, "")
    return f"year(try_strptime(v, {literal(form)})) {_YEARS}{digits}"


def _swapped(form: str) -> str:
    """The format with day and month in each other's place; of one that begins with the year, none."""
    return "" if form.startswith("%Y") else form.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")
