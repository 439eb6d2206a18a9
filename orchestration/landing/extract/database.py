"""Read a database's table or view as Arrow: all of it in one consistent read, or from a cursor value on.

The statement is one SELECT in a read-only transaction. dlt's table loader reads any database that SQLAlchemy has a
dialect for; PostgreSQL answers the same statement through COPY, which is several times faster. How columns are typed
belongs in `columns`, what is kept of the rows in `store` and `run`.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.csv
from sqlalchemy import URL, Engine, MetaData, Select, Table, create_engine, event, exc, exists, make_url, select
from sqlalchemy.pool import NullPool

from orchestration.brands import DatabaseReader, Source
from orchestration.landing.errors import LandingError, SourceUnavailable
from orchestration.landing.extract import loaders
from orchestration.landing.extract.columns import adapted
from orchestration.landing.extract.secrets import masked, secret

# Rows per Arrow table: few enough for wide rows, enough for Arrow to be quick.
BATCH_ROWS = 20_000
CONNECT_SECONDS = 10
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql"}
_DRIVERS["mariadb"] = "mysql+pymysql"
_SESSION = {
    "postgresql": (
        "set time zone 'UTC'",
        "set intervalstyle = 'postgres'",
        "set datestyle = 'ISO'",
        "set session characteristics as transaction read only",
    ),
    "mysql": ("set time_zone = '+00:00'", "set session transaction read only"),
}
_CURSOR_TYPES = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_date, pa.types.is_timestamp)


@dataclass(frozen=True)
class OpenTable:
    """A reflected table and how it is read."""

    source: Source
    reader: DatabaseReader
    engine: Engine
    told: Callable[[], AbstractContextManager[None]]  # errors of the database leave it as a LandingError
    table: Table
    selected: dict[str, Any]  # name → what to select
    schema: pa.Schema  # what comes back

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    def cursor_expression(self, name: str) -> Any:
        """The cursor column. Raises LandingError when it is not there, or of a type that cannot only grow."""
        if name not in self.selected:
            raise LandingError(
                f"{self.source.file}: reader.cursor: {name} is no column of {self.reader.table}; "
                f"columns: {', '.join(self.selected)}"
            )
        kind = self.schema.field(name).type
        if not any(fits(kind) for fits in _CURSOR_TYPES):
            raise LandingError(
                f"{self.source.file}: reader.cursor: {name} is neither a whole number, a decimal, a date nor a "
                "timestamp; name another column, or read the table with mode: compare"
            )
        return self.table.columns[name]

    def order(self, *first: Any) -> list[Any]:
        """An order that does not change from one read to the next: the given expressions, then the primary key."""
        return [*first, *(column for column in self.table.primary_key if not any(column is f for f in first))]


@contextmanager
def open_table(source: Source, reader: DatabaseReader) -> Iterator[OpenTable]:
    """The table of a source, reflected. The database's errors are LandingErrors without a secret or a value in them."""
    text = secret(reader.connection_secret, "connection_secret", source.file)
    url = _url(text, source, reader)
    secrets = (text, url.password or "", *(str(value) for key, value in url.query.items() if "pass" in key))

    def told() -> AbstractContextManager[None]:
        return _told(source, reader, url, secrets)

    with told():
        engine = _engine(url)
    try:
        with told():
            opened = _reflected(source, reader, engine, told)
        yield opened
    finally:
        engine.dispose()


def _url(text: str, source: Source, reader: DatabaseReader) -> URL:
    try:
        url = make_url(text)
    except (exc.ArgumentError, ValueError):
        raise LandingError(
            f"{source.file}: reader.connection_secret: {reader.connection_secret} holds no SQLAlchemy URL; "
            "write it like postgresql+psycopg://user:password@host:5432/database or "
            "mysql+pymysql://user:password@host:3306/database, with / @ : of the password as %2F %40 %3A"
        ) from None
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _engine(url: URL) -> Engine:
    dialect = url.get_backend_name()
    options: dict[str, Any] = {}
    if dialect in _SESSION:
        # Every statement of a transaction sees the same rows, whatever others commit meanwhile.
        options = {"isolation_level": "REPEATABLE READ", "connect_args": {"connect_timeout": CONNECT_SECONDS}}
    engine = create_engine(url, poolclass=NullPool, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for statement in _SESSION.get(dialect, ()):
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    return engine


def _reflected(
    source: Source, reader: DatabaseReader, engine: Engine, told: Callable[[], AbstractContextManager[None]]
) -> OpenTable:
    schema_name, _, name = reader.table.rpartition(".")
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is read as text: no need to warn.
        warnings.simplefilter("ignore", exc.SAWarning)
        table = Table(name, MetaData(), schema=schema_name or None, autoload_with=engine, resolve_fks=False)
    selected, columns = adapted(table, engine.dialect.name)
    return OpenTable(source, reader, engine, told, table, selected, columns)


def has_null_cursor(opened: OpenTable, name: str) -> bool:
    """Whether a row has no cursor value, so that no question from a value on would ever find it."""
    column = opened.cursor_expression(name)
    is_date = pa.types.is_temporal(opened.schema.field(name).type)  # which has values that are read as null
    if not column.nullable and not is_date:
        return False
    with opened.told(), opened.engine.connect() as connection:
        return bool(connection.execute(select(exists().where(opened.selected[name].is_(None)))).scalar())


def statement(opened: OpenTable, *, cursor: str | None = None, since: Any = None) -> Select[*tuple[Any, ...]]:
    """All rows in the order of the key; or those whose cursor is at least `since`, in the order of the cursor."""
    query: Select[*tuple[Any, ...]] = select(*(expression.label(name) for name, expression in opened.selected.items()))
    if cursor is None:
        return query.order_by(*opened.order())
    column = opened.cursor_expression(cursor)
    if since is not None:
        # MySQL's literals have no zone: the session's is UTC, and so is `since`.
        value = since.replace(tzinfo=None) if opened.dialect == "mysql" and hasattr(since, "tzinfo") else since
        query = query.where(column >= value)
    return query.order_by(*opened.order(column))


def tables(opened: OpenTable, query: Select[*tuple[Any, ...]], batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """The answer to `query` as Arrow tables of at most `batch_rows` rows and always the same schema."""
    loader = _CopyLoader if opened.engine.dialect.driver == "psycopg" else _RowLoader
    with opened.told():
        yield from loader(opened, query, batch_rows).load_rows()


class _RowLoader(loaders.TableLoader):
    """dlt's loader over a server-side cursor. A value that its column's type does not fit is an error here; dlt guesses."""

    def __init__(self, opened: OpenTable, query: Select[*tuple[Any, ...]], batch_rows: int) -> None:
        super().__init__(
            opened.engine,
            "pyarrow",
            opened.table,
            {},  # dlt's own types, which are not asked for
            chunk_size=batch_rows,
            query_adapter_callback=lambda *_: query,
        )
        self.schema = opened.schema

    def _convert_result(self, result: Any, backend_kwargs: dict[str, Any]) -> Iterator[pa.Table]:
        for rows in result.partitions(size=self.chunk_size):
            yield to_arrow([tuple(row) for row in rows], self.schema)


class _CopyLoader(_RowLoader):
    """PostgreSQL's COPY: one CSV record per message, parsed by Arrow with the types that are known beforehand."""

    def load_rows(self, backend_kwargs: dict[str, Any] | None = None) -> Iterator[pa.Table]:
        # Without parameters psycopg takes the text as it is: SQLAlchemy's %% is the % of a name.
        sql = f"COPY ({self.compile_query(self.make_query())}) TO STDOUT (FORMAT csv)".replace("%%", "%")
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            with driver.cursor() as cursor, cursor.copy(sql) as copy:
                records: list[bytes] = []
                for record in copy:
                    records.append(bytes(record))
                    if len(records) >= self.chunk_size:
                        yield _parsed(records, self.schema)
                        records = []
                if records:
                    yield _parsed(records, self.schema)


def to_arrow(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """Rows as Arrow, exactly. Raises _Unfit with the column's name."""
    try:
        return pa.Table.from_arrays(pa.array(rows, pa.struct(list(schema))).flatten(), schema=schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    arrays = []
    for position, field in enumerate(schema):
        try:
            arrays.append(pa.array([_number(row[position], field.type) for row in rows], field.type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise _Unfit(field.name, str(field.type)) from None
    return pa.Table.from_arrays(arrays, schema=schema)


def _number(value: Any, kind: pa.DataType) -> Any:
    return Decimal(value) if pa.types.is_decimal(kind) and isinstance(value, int) else value


def _parsed(records: list[bytes], schema: pa.Schema) -> pa.Table:
    data = b"".join(records)
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(data),
            # One block: a record, however long, is never cut in two.
            read_options=pyarrow.csv.ReadOptions(column_names=schema.names, block_size=len(data) + 1),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,  # COPY quotes an empty text and leaves null bare
            ),
        )
    except pa.ArrowInvalid as error:
        number = re.match(r"In CSV column #(\d+)", str(error))
        field = schema[int(number[1])] if number else None
        raise _Unfit(field.name if field else "(unknown)", str(field.type) if field else "its type") from None
    if table.num_rows != len(records):
        raise _Unfit("(unknown)", "one record per row")
    return table


class _Unfit(Exception):
    """A value that its column's Arrow type cannot hold; the value itself is not passed on."""

    def __init__(self, column: str, kind: str) -> None:
        super().__init__(column, kind)
        self.column, self.kind = column, kind


# ---- errors ------------------------------------------------------------------------------------------------------


@contextmanager
def _told(source: Source, reader: DatabaseReader, url: URL, secrets: tuple[str, ...]) -> Iterator[None]:
    where = f"{url.host or 'no host'}:{url.port or 'default port'}, database {url.database or '(none)'}"
    try:
        yield
    except LandingError:
        raise
    except _Unfit as error:
        raise LandingError(
            f"{source.file}: reader.table: column {error.column} of {reader.table} holds a value that is no "
            f"{error.kind} (such as NaN, or a date that is none); read a view that casts this column to text"
        ) from None
    except exc.NoSuchTableError:
        raise LandingError(
            f"{source.file}: reader.table: {reader.table} is not in {where}, or its user may not see it; "
            "correct the name (schema.table), or grant select"
        ) from None
    except (exc.NoSuchModuleError, ModuleNotFoundError):
        raise LandingError(
            f"{source.file}: reader.connection_secret: {reader.connection_secret} names {url.drivername}, for which "
            "no driver is installed; use postgresql+psycopg or mysql+pymysql, or install the driver"
        ) from None
    except Exception as error:
        origin = getattr(error, "orig", None) or error
        # The names that every Python driver gives its errors (PEP 249), SQLAlchemy's or its own.
        names = {kind.__name__ for kind in type(origin).__mro__}
        said = masked(str(origin).strip().partition("\n")[0], secrets)
        if names & {"OperationalError", "InterfaceError", "OSError"}:
            raise SourceUnavailable(
                f"{source.file}: the database at {where} does not answer as it should: {said}; "
                f"check that it runs, and {reader.connection_secret}"
            ) from None
        if "ProgrammingError" in names:  # a right or a column that is missing: it says nothing of rows
            raise LandingError(
                f"{source.file}: reader.table: {reader.table} cannot be read from {where}: {said}"
            ) from None
        if "Error" not in names and not isinstance(error, exc.SQLAlchemyError):
            raise  # no driver's: a defect of ours
        # Any other message can quote a value: type and code must do.
        code = getattr(origin, "sqlstate", None) or next((a for a in origin.args if isinstance(a, int)), "none")
        raise LandingError(
            f"{source.file}: reader.table: reading {reader.table} from {where} failed "
            f"({type(origin).__name__}, code {code}); see the database's own log"
        ) from None
