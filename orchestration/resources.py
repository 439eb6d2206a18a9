"""What every asset gets: the brand, its paths, and the right to write while the run lasts.

The definitions a process serves are those of one brand (TESSERA_BRAND); it is read once, here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache

import dagster as dg
import pandas as pd

from orchestration import build_file, simulated, warehouse
from orchestration.brands import Brand, load_brand
from orchestration.landing.lake import Lake, recover
from orchestration.locking import brand_lock
from orchestration.settings import Settings, load_settings


@lru_cache(maxsize=1)
def current_settings() -> Settings:
    return load_settings()


@lru_cache(maxsize=1)
def current_brand() -> Brand:
    return load_brand(current_settings())


class BrandRun(dg.ConfigurableResource):
    """The brand of this code location, locked against a second writer while the resource lives (one run)."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["BrandRun"]:
        with brand_lock(self.settings):
            simulated.ensure_sources(self.settings, self.brand, context.log.info if context.log else lambda _: None)
            yield self

    @property
    def settings(self) -> Settings:
        return current_settings()

    @property
    def brand(self) -> Brand:
        return current_brand()

    def query(self, sql: str, parameters: list[object] | None = None) -> pd.DataFrame:
        """Rows of a query on the build file."""
        with warehouse.read_only(self.settings.build_file) as connection:
            return connection.execute(sql, parameters or []).df()

    def as_of_date(self) -> date:
        """The cut of this build: the first business date that is not known. Raises LookupError before dbt has run."""
        frame = self.query("select as_of_date from intermediate.int_clocks_resolved")
        day = pd.Timestamp(frame["as_of_date"].iloc[0]) if len(frame) else pd.NaT
        if isinstance(day, pd.Timestamp):
            return day.date()
        raise LookupError(
            f"brand {self.settings.brand} has no as_of_date: nothing that happened within its calendar has landed. "
            "Check its sources with `tessera check`, calendar_start and calendar_end in brand.yml, and its batches in "
            "ops.load_batches."
        )

    def prepare_build_file(self) -> None:
        """Views, configuration and Python's tables; first removes what a killed load left, so that no view reads it."""
        recover(Lake(self.settings.lake))
        build_file.prepare(self.settings, self.brand)

    def write_rows(self, table: str, rows: pd.DataFrame, key: tuple[str, ...]) -> None:
        """Put rows into one of the tables that Python owns, in place of those with the same keys."""
        with warehouse.writer(self.settings.build_file) as connection:
            build_file.replace_rows(connection, table, rows, key)

    def replace_cut(self, table: str, rows: pd.DataFrame, as_of_date: date, model_name: str | None = None) -> None:
        """Put rows into one of the tables that Python owns, in place of all that it has of this cut (and this model)."""
        with warehouse.writer(self.settings.build_file) as connection:
            build_file.replace_cut(connection, table, rows, as_of_date, model_name)

    def write_gate_results(self, run_id: str, gate: str, rows: list[dict[str, object]], checked_at: datetime) -> None:
        """Record the outcomes of one gate of one run in ops.gate_results."""
        if not rows:
            return
        frame = pd.DataFrame(rows).assign(run_id=run_id, gate=gate, checked_at=checked_at)
        self.write_rows("ops.gate_results", frame, key=("run_id", "gate"))


def window_of(context: dg.AssetExecutionContext) -> tuple[date, date] | None:
    """First and last business date of the partitions a run was asked for; None when it was asked for none."""
    if not context.has_partition_key:
        try:
            span = context.partition_key_range
        except Exception:  # dagster raises its own invariant error for an unpartitioned run
            return None
        return date.fromisoformat(span.start), date.fromisoformat(span.end)
    key = date.fromisoformat(context.partition_key)
    return key, key
