"""The measurements. Each runs ours and the yardstick on the same data and gives both times; nothing is asserted.

Where the data come from belongs in `benchmarks.lake`, how results are shown in `benchmarks.__main__`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks.lake import LAST_DAY, SOURCE
from orchestration import build_file, warehouse
from orchestration.brands import load_brand
from orchestration.dbt import (
    FEATURES_SELECT,
    SCORES_STAGED,
    WAREHOUSE_SELECT,
    build_arguments,
    dbt_environment,
    ensure_manifest,
    run_dbt,
)
from orchestration.landing.land import land
from orchestration.quality.suite import Expectation, Suite, run_suite
from orchestration.quality.suites import raw
from orchestration.quality.suites.expect import between, not_null
from orchestration.settings import Settings

REPEATS = 3
_KEYS = "source_system, order_key, order_line_number"


@dataclass(frozen=True)
class Measure:
    """Seconds of two ways of doing the same. The ratio is ours to the yardstick."""

    name: str
    ours: str
    ours_seconds: float
    yardstick: str
    yardstick_seconds: float
    on: str

    @property
    def ratio(self) -> float:
        return self.ours_seconds / self.yardstick_seconds


def seconds_of(action: Callable[[], object], repeats: int = 1) -> float:
    """Median seconds of `repeats` calls."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return median(taken)


# ---- landing, and one day against all ----------------------------------------------------------------------------


def landing(settings: Settings) -> Measure:
    """Land every day but the last; the yardstick reads the same files as text and writes them as Parquet, unchecked."""
    brand = load_brand(settings)
    files = sorted((settings.sources_root or Path()).joinpath(SOURCE).glob("*.csv"))[:-1]
    last = LAST_DAY.replace(day=LAST_DAY.day - 1)
    ours = seconds_of(lambda: land(settings, brand, "order_lines", window=(brand.calendar_start, last)))
    target = settings.home / "copied"
    target.mkdir(parents=True)

    def copy() -> None:
        with warehouse.scratch() as connection:
            for file in files:
                read = f"read_csv('{file}', all_varchar = true, header = true)"
                connection.execute(f"copy (from {read}) to '{target / file.stem}.parquet' (format parquet)")

    on = f"{len(files)} CSV files, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB"
    return Measure("landing", "typed, checked, hashed, committed", ours, "read_csv to Parquet", seconds_of(copy), on)


def _build(settings: Settings, select: str, exclude: str = "", *, full: bool = False, day: bool = False) -> float:
    """Wall seconds of one dbt invocation, its tests and its start-up included."""
    window = (LAST_DAY, LAST_DAY) if day else None
    home = settings.brand_home
    started = time.perf_counter()
    done = run_dbt(
        build_arguments(select.split(), exclude.split(), full_refresh=full),
        dbt_environment(settings, window=window),
        target=home / "dbt",
        logs=home / "logs",
        tell=lambda _: None,
    )
    if done.return_code != 0:
        broken = [node.name for node in done.nodes if not node.is_good]
        raise RuntimeError(f"dbt failed: {', '.join(broken) or done.complaint}; see {home / 'logs'}")
    return time.perf_counter() - started


def one_day(settings: Settings) -> Measure:
    """The warehouse stage for one more day; the yardstick is the build of all days before it."""
    ensure_manifest()
    brand = load_brand(settings)
    build_file.prepare(settings, brand)
    _build(settings, "stg_load_batches")  # a build file that dbt has not seen makes it parse everything, once
    full = _build(settings, WAREHOUSE_SELECT, SCORES_STAGED, full=True)
    (batch,) = land(settings, brand, "order_lines")
    build_file.prepare(settings, brand)
    day = _build(settings, WAREHOUSE_SELECT, SCORES_STAGED, day=True)
    with warehouse.read_only(settings.build_file) as connection:
        (lines,) = connection.execute("select count(*) from staging.stg_order_lines").fetchone() or (0,)
    on = f"{batch.rows_landed:,} of {lines:,} lines"
    return Measure("warehouse stage", "one more day", day, "everything anew", full, on)


# ---- SQL ---------------------------------------------------------------------------------------------------------


def deduplication(settings: Settings) -> Measure:
    """stg_order_lines finds the few repeated keys first; the yardstick ranks every wide row."""
    order = "order by loaded_at nulls last, batch_id nulls last, source_row_number nulls last"
    first = f"row_number() over (partition by {_KEYS} {order}) = 1"
    ways = {
        "rare": f"""
            with repeated as (select {_KEYS} from lines group by {_KEYS} having count(*) > 1)
            select lines.* from lines anti join repeated using ({_KEYS})
            union all
            (select lines.* from lines semi join repeated using ({_KEYS}) qualify {first})
        """,
        "ranked": f"select * from lines qualify {first}",
    }
    counts: dict[str, int] = {}
    taken: dict[str, float] = {}
    with warehouse.scratch() as connection:
        files = settings.lake / "raw" / "order_lines" / "*.parquet"
        connection.execute(f"create table lines as select * from read_parquet('{files}')")
        # One line in a thousand comes twice.
        connection.execute("insert into lines select * from lines where hash(order_key, order_line_number) % 1000 = 0")
        (before,) = connection.execute("select count(*) from lines").fetchone() or (0,)
        for way, sql in ways.items():
            # Every column is asked for, so that none can be left out of the work; writing the rows is not measured.
            asked = f"select count(*), count(columns(*)) from ({sql})"
            taken[way] = seconds_of(lambda asked=asked: connection.execute(asked).fetchall(), REPEATS)
            (counts[way],) = connection.execute(f"select count(*) from ({sql})").fetchone() or (0,)
    if counts["rare"] != counts["ranked"]:
        raise RuntimeError(f"the two ways keep {counts} lines")
    on = f"{before:,} lines, {before - counts['rare']:,} of them repeats"
    return Measure("deduplication", "rare keys first", taken["rare"], "rank every row", taken["ranked"], on)


# ---- models ------------------------------------------------------------------------------------------------------


def training(settings: Settings) -> Measure:
    """Candidates, choice, calibration, evaluation and scores of churn; the yardstick is one fit of the chosen model."""
    from ml.churn.model import churn_task
    from ml.common import columns as col
    from ml.common.estimators import candidates, fit, predict
    from ml.common.labels import build_labels
    from ml.common.pipeline import train_and_score
    from orchestration.defs.ml.models import FEATURES_SQL, PURCHASE_DAYS_SQL

    _build(settings, FEATURES_SELECT)
    with warehouse.read_only(settings.build_file) as connection:
        (cut,) = connection.execute("select as_of_date from intermediate.int_clocks_resolved").fetchone() or (LAST_DAY,)
        features = connection.execute(FEATURES_SQL).df()
        purchase_days = connection.execute(PURCHASE_DAYS_SQL, [cut]).df()
    task = churn_task()
    train_and_score(features, purchase_days, task, cut)  # imports and caches
    results = []
    ours = seconds_of(lambda: results.append(train_and_score(features, purchase_days, task, cut)))
    result = results[0]
    if result.status != "trained":
        raise RuntimeError(f"churn was not trained: {result.reason}")
    name, names = result.metadata["candidate"], result.feature_names
    at = pd.to_datetime(features[col.AS_OF_DATE])
    present = features.loc[at == pd.Timestamp(cut), names].astype("float64")
    fitted_on = features.loc[at.isin([pd.Timestamp(day) for day in result.metadata["final_fit_cuts"]])]
    rows = fitted_on.assign(as_of_date=at).sort_values(col.KEYS, ignore_index=True)
    labels = 1 - build_labels(purchase_days, rows, task.horizon_days, cut)[col.LABEL].to_numpy()
    inputs = rows.loc[:, names].astype("float64")
    bare = seconds_of(lambda: predict(fit(candidates(names)[name], inputs, labels), present), REPEATS)
    on = f"{len(features):,} rows, {len(names)} features, chosen: {name}"
    return Measure("training and scoring", "the whole task", ours, "one fit and predict", bare, on)


# ---- gates -------------------------------------------------------------------------------------------------------

# raw.ORDER_LINES said of rows instead of counts.
_ROW_RULES = (
    not_null("ordered_at", "dated"),
    Expectation(
        "not_future",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": "loaded_limit", "column_B": "ordered_at", "or_equal": True},
        "not after it was loaded",
    ),
    between("ordered_at", pd.Timestamp("1990-01-01", tz="UTC"), None, "not before 1990", name="not_ancient"),  # pyright: ignore[reportArgumentType]
    between("sale_amount", 0, None, "a sale brings money"),
    between("refund_amount", None, 0, "a refund takes money"),
    Expectation(
        "one_currency", "ExpectColumnDistinctValuesToBeInSet", {"column": "currency_code", "value_set": ["USD"]}, ""
    ),
)
_ROWS_SQL = """
    select ordered_at, loaded_at + interval 1 day as loaded_limit, currency_code,
        case when line_kind = 'sale' then cast(line_amount as double) end as sale_amount,
        case when line_kind = 'refund' then cast(line_amount as double) end as refund_amount
    from raw.order_lines
"""


def gate(settings: Settings) -> Measure:
    """The order-line suite of gate_raw on the row that DuckDB aggregates; the yardstick judges every line in pandas."""
    aggregate = raw.ORDER_LINES
    whole = Suite(raw.GATE, aggregate.subject, "rows", "The same of every row.", _ROWS_SQL, _ROW_RULES)

    def judge(suite: Suite) -> int:
        with warehouse.read_only(settings.build_file) as connection:
            frame = connection.execute(suite.sql).df()
        result = run_suite(suite, frame)
        if not result.is_passed:
            failed = [outcome.check_name for outcome in result.outcomes if not outcome.is_passed]
            raise RuntimeError(f"suite {suite.name} failed: {', '.join(failed)}")
        return len(frame)

    judge(aggregate)  # Great Expectations is imported here, once
    ours = seconds_of(lambda: judge(aggregate), REPEATS)
    rows = []
    bare = seconds_of(lambda: rows.append(judge(whole)))
    return Measure("gate", "aggregated in SQL", ours, "every row in pandas", bare, f"{rows[0]:,} lines, 6 rules")


MEASURES: tuple[Callable[[Settings], Measure], ...] = (landing, one_day, deduplication, training, gate)
