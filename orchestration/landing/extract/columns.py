"""How a database's columns are read: per column an SQL expression and a type that keeps every value exactly.

What Arrow has no exact type for (arrays, JSON, intervals, numbers beyond 38 digits) is read as text, bytes as hex text.
Where rows come from belongs in `orchestration.landing.extract.database`; what they mean, in the source's mapping.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from sqlalchemy import Column, ColumnElement, Table, case, cast, func, type_coerce
from sqlalchemy import types as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql as pg

# Digits of the widest DECIMAL that DuckDB and Parquet readers share.
MAX_DIGITS = 38
_BYTES = (sa.LargeBinary, sa.BINARY, sa.VARBINARY, mysql.BIT)
_TEXT = pa.string()


def adapted(table: Table, dialect: str) -> tuple[dict[str, ColumnElement[Any]], pa.Schema]:
    """Name → what to select of a reflected table, and the Arrow types that come back."""
    selected, fields = {}, []
    for column in table.columns:
        expression, kind = _adapted(column, dialect)
        selected[column.name] = expression
        fields.append(pa.field(column.name, kind))
    return selected, pa.schema(fields)


def _adapted(column: Column[Any], dialect: str) -> tuple[ColumnElement[Any], pa.DataType]:
    kind: sa.TypeEngine[Any] = column.type
    if isinstance(kind, pg.DOMAIN):
        kind = kind.data_type
    if isinstance(kind, sa.Boolean):
        return column, pa.bool_()
    if isinstance(kind, sa.Float):
        # MySQL shows a FLOAT with six digits; as a double it shows all it has.
        whole = cast(column, mysql.DOUBLE()) if dialect == "mysql" else column
        return type_coerce(whole, sa.Float(asdecimal=False)), pa.float64()
    if isinstance(kind, sa.Integer):
        unsigned = getattr(kind, "unsigned", False) and isinstance(kind, sa.BigInteger)
        return column, pa.decimal128(20, 0) if unsigned else pa.int64()
    if isinstance(kind, sa.Numeric):
        digits, scale = kind.precision, kind.scale or 0
        if digits is None or not 0 <= scale <= digits <= MAX_DIGITS:
            return _text(column, dialect), _TEXT
        return column, pa.decimal128(digits, scale)
    if isinstance(kind, sa.DateTime):
        # MySQL's TIMESTAMP is an instant, told in the session's zone, which is UTC here.
        zoned = kind.timezone or (dialect == "mysql" and isinstance(kind, sa.TIMESTAMP))
        return _real_date(column, dialect), pa.timestamp("us", "UTC" if zoned else None)
    if isinstance(kind, sa.Date):
        return _real_date(column, dialect), pa.date32()
    if isinstance(kind, _BYTES):
        return (func.encode(column, "hex") if dialect == "postgresql" else func.lower(func.hex(column))), _TEXT
    if isinstance(kind, sa.ARRAY):
        return cast(func.to_json(column), sa.Text), _TEXT
    if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum | mysql.SET):
        return column, _TEXT
    if isinstance(kind, mysql.YEAR):
        return column, pa.int64()
    if isinstance(kind, sa.NullType) and dialect == "mysql":  # its only types that SQLAlchemy does not know: geometry
        return func.st_astext(column), _TEXT
    return _text(column, dialect), _TEXT


def _text(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    # The column's own type would turn the answer into an object (JSON into a dict, SET into a set).
    return type_coerce(cast(column, mysql.CHAR() if dialect == "mysql" else sa.Text()), sa.Text())


def _real_date(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    """Null for what stands for "no date": MySQL's 0000-00-00, PostgreSQL's infinity."""
    if dialect == "postgresql":
        return case((func.isfinite(column), column))
    if dialect == "mysql":
        return case((cast(column, mysql.CHAR()).not_like("0000-00-00%"), column))
    return column
