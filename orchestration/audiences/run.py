"""One day of a brand's audiences from beginning to end: worked out, laid into the dated table, listed and compared."""

# ruff: noqa: S608 (names of `tables`)
from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from orchestration.audiences import overlap
from orchestration.audiences.catalogue import read_catalogue
from orchestration.audiences.compile import Clock
from orchestration.audiences.definitions import check_against, load_audiences
from orchestration.audiences.membership import Day, record, work_out, write_catalogue
from orchestration.audiences.tables import CATALOGUE, DAYS, DESCRIPTIONS
from orchestration.brands import Brand
from orchestration.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def clock_of(brand: Brand, as_of_date: date) -> Clock:
    return Clock(as_of_date, brand.zone, brand.day_start_minutes)


def refresh(connection: DuckDBPyConnection, settings: Settings, brand: Brand, as_of_date: date) -> Day:
    """Every audience as of the build's day. Raises AudienceError for a rule of the brand's own that cannot be."""
    audiences = load_audiences(settings)
    check_against(audiences, read_catalogue(connection, as_of_date))
    day = work_out(connection, audiences, clock_of(brand, as_of_date))
    record(connection, day)
    write_catalogue(connection, audiences, day)
    overlap.write_overlaps(connection, as_of_date)
    overlap.write_contacts(connection, as_of_date)
    for table, text in DESCRIPTIONS.items():
        connection.execute(f"comment on table {table} is '{text.replace(chr(39), chr(39) * 2)}'")
    return day


def refresh_counts(connection: DuckDBPyConnection) -> None:
    """The catalogue's counts after another day was laid beside its own: entries and exits are told against the day before."""
    connection.execute(
        f"""
        update {CATALOGUE} as told set
            member_count = days.member_count, entry_count = days.entry_count, exit_count = days.exit_count
        from {DAYS} as days
        where told.audience_id = days.audience_id and told.as_of_date = days.as_of_date
        """
    )
