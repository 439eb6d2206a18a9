"""Running the whole pipeline from tests: a home that can be copied, runs as processes, and what they left behind.

What a defect is belongs in `saboteur.py`, the shop and its files in `small_brand.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import small_brand

from orchestration import build_file, warehouse
from orchestration.brands import load_brand
from orchestration.comparison import CLOCKS, OF_EARLIER_RUNS
from orchestration.dbt import build_arguments, dbt_environment, ensure_manifest, run_dbt
from orchestration.landing.land import entities, land
from orchestration.settings import Settings, load_settings

TESSERA = Path(sys.executable).with_name("tessera")
SABOTEUR = Path(__file__).with_name("saboteur.py")
DAGSTER_SIDE = Path(__file__).with_name("dagster_side.py")
RUN_SECONDS = 900  # a run takes one minute alone, and several beside other tests

# Columns that tell when or by which batch a row came, not what it says.
CLOCK_COLUMNS = {"loaded_at", "batch_id"} | CLOCKS
PUBLISHED_SCHEMAS = ("marts", "tags", "segments", "metrics")


@dataclass(frozen=True)
class Outcome:
    """What came of a command. `text` is all that a person could have seen."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Home:
    """One brand's configuration, sources and TESSERA_HOME below one folder."""

    root: Path

    @property
    def sources(self) -> Path:
        return self.root / "sources"

    @property
    def brands(self) -> Path:
        return self.root / "brands"

    @property
    def environ(self) -> dict[str, str]:
        """This process's environment, pointed at this home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
        return kept | {
            "TESSERA_HOME": str(self.root / "home"),
            "TESSERA_BRANDS": str(self.brands),
            "TESSERA_SOURCES": str(self.sources),
            "TESSERA_BRAND": small_brand.BRAND,
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    @property
    def settings(self) -> Settings:
        return load_settings(small_brand.BRAND, self.environ)

    @property
    def published(self) -> Path:
        return self.settings.published_file

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.settings.published_dir / "manifest.json").read_text(encoding="utf-8"))

    def copy(self, root: Path) -> Home:
        """The same home elsewhere, times of files included."""
        shutil.copytree(self.root, root, symlinks=True)
        return Home(root)

    def start(self, *arguments: str, defect: str | None = None, **environ: str) -> subprocess.Popen[str]:
        """Start `tessera <arguments>`; with `defect` under the saboteur."""
        command = [str(TESSERA)] if defect is None else [sys.executable, str(SABOTEUR), defect]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.root,
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def tessera(self, *arguments: str, defect: str | None = None, **environ: str) -> Outcome:
        """Run `tessera <arguments>` to its end."""
        started = time.monotonic()
        process = self.start(*arguments, defect=defect, **environ)
        try:
            out, err = process.communicate(timeout=RUN_SECONDS)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        outcome = Outcome(process.returncode, out, err, time.monotonic() - started)
        # Shown by pytest when a test fails.
        print(
            f"$ tessera {' '.join(arguments)} [{defect or ''}] → {outcome.code} in {outcome.seconds:.1f} s\n{outcome.text}"
        )
        return outcome

    def query(self, sql: str, *, build: bool = False) -> list[tuple[Any, ...]]:
        """Rows of a query on the published file, or on the build file."""
        with warehouse.read_only(self.settings.build_file if build else self.published) as connection:
            return connection.execute(sql).fetchall()

    def value(self, sql: str, *, build: bool = False) -> Any:
        return self.query(sql, build=build)[0][0]

    def last_run(self) -> Run:
        """What Dagster recorded of the newest run."""
        history = self.settings.dagster_home / "history"
        with _sqlite(history / "runs.db") as runs:
            run_id, status = runs.execute(
                "select run_id, status from runs order by create_timestamp desc, id desc limit 1"
            ).fetchone()
        with _sqlite(history / "runs" / f"{run_id}.db") as events:
            keys = events.execute(
                "select distinct asset_key from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
            ).fetchall()
        return Run(run_id, status, frozenset(tuple(json.loads(key)) for (key,) in keys))


@dataclass(frozen=True)
class Run:
    """A run in Dagster's own words: id, status, and the asset keys it materialised."""

    run_id: str
    status: str
    materialised: frozenset[tuple[str, ...]]

    def schemas(self) -> set[str]:
        return {key[0] for key in self.materialised}


@contextmanager
def _sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def ask_dagster(home: Home, *arguments: str) -> dict[str, Any]:
    """The answer of `dagster_side.py <arguments>` for a home."""
    done = subprocess.run(
        [sys.executable, str(DAGSTER_SIDE), *arguments],
        env=home.environ,
        cwd=home.root,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    print(done.stdout[-3000:], done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def new_home(root: Path, shop: small_brand.Shop) -> Home:
    """A home with the brand's configuration and the shop's files; nothing has run yet."""
    small_brand.write_configuration(root / "brands")
    shop.write(root / "sources")
    return Home(root)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def land_and_build(
    settings: Settings,
    *select: str,
    as_of_date: date | None = None,
    known_at: str | None = None,
    full_refresh: bool = False,
) -> None:
    """Land everything and let dbt build the selected models without their tests: a run's first stages, gates left out.

    `known_at`: as if nothing had been loaded later; `full_refresh`: incremental models are built whole, as such a past demands.
    """
    brand = load_brand(settings)
    for entity in entities(brand):
        land(settings, brand, entity)
    build_file.prepare(settings, brand)
    ensure_manifest()
    arguments = [*build_arguments(list(select), full_refresh=full_refresh), "--exclude-resource-type", "test"]
    home = settings.brand_home
    environment = dbt_environment(settings, as_of_date=as_of_date, known_at=known_at)
    done = run_dbt(arguments, environment, target=home / "dbt", logs=home / "logs", tell=print)
    broken = [node.unique_id for node in done.nodes if not node.is_good]
    assert done.return_code == 0 and not broken, (broken, done.complaint)


# ---- comparing warehouses ----------------------------------------------------------------------------------------


def differences(left: Path, right: Path, *, schemas: tuple[str, ...] = PUBLISHED_SCHEMAS) -> dict[str, int]:
    """Tables whose rows differ between two files, with the number of rows on one side only; {} when all are equal.

    Every value of every column counts, bit by bit, but for the columns of CLOCK_COLUMNS.
    """
    found: dict[str, int] = {}
    with warehouse.scratch() as connection:
        connection.execute(f"attach '{left}' as l (read_only)")
        connection.execute(f"attach '{right}' as r (read_only)")
        columns: dict[str, dict[tuple[str, str], list[str]]] = {"l": {}, "r": {}}
        for database, schema, table, column in connection.execute(
            "select c.database_name, c.schema_name, c.table_name, c.column_name from duckdb_columns() as c "
            "join duckdb_tables() as t on c.database_name = t.database_name and c.table_oid = t.table_oid "
            "where c.database_name in ('l', 'r') and not c.internal order by c.column_index"
        ).fetchall():
            if schema in schemas and column not in CLOCK_COLUMNS and not OF_EARLIER_RUNS.fullmatch(f"{schema}.{table}"):
                columns[database].setdefault((schema, table), []).append(column)
        assert columns["l"], f"{left} has none of the schemas {schemas}"
        if columns["l"] != columns["r"]:
            odd = {key for key in columns["l"] | columns["r"] if columns["l"].get(key) != columns["r"].get(key)}
            return {".".join(key): -1 for key in odd}
        for (schema, table), names in columns["l"].items():
            listed = ", ".join(f'"{name}"' for name in names)
            sides = [f'select {listed} from {side}."{schema}"."{table}"' for side in "lr"]
            (count,) = connection.execute(
                f"select (select count(*) from ({sides[0]} except all {sides[1]})) "
                f"+ (select count(*) from ({sides[1]} except all {sides[0]}))"
            ).fetchone() or (0,)
            if count:
                found[f"{schema}.{table}"] = count
    return found


def scores(home: Home) -> list[tuple[Any, ...]]:
    """All scores of the current cut, both models, with their versions."""
    return home.query(
        """
        select 'churn' as model, s.* from ml.churn_scores as s, ops.publication as p where s.as_of_date = p.as_of_date
        union all
        select 'propensity', s.* from ml.propensity_scores as s, ops.publication as p where s.as_of_date = p.as_of_date
        order by all
        """
    )


# ---- personal values ---------------------------------------------------------------------------------------------


def personal_traces(home: Home, *outcomes: Outcome) -> list[str]:
    """Where a name or phone of the sources turned up outside the sources and the lake. Must be empty."""
    wanted = [value.encode() for value in small_brand.PERSONAL]
    wanted += [json.dumps(value).strip('"').encode() for value in small_brand.PERSONAL]  # as \\uXXXX
    traces = [
        f"output of command {number}"
        for number, outcome in enumerate(outcomes, start=1)
        if any(value in outcome.text.encode() for value in wanted)
    ]
    lake = home.settings.lake
    for path in home.settings.brand_home.rglob("*"):
        if path.is_file() and lake not in path.parents and any(value in path.read_bytes() for value in wanted):
            traces.append(str(path.relative_to(home.root)))
    # Column files are compressed: ask the tables too.
    for file in (home.published, home.settings.build_file):
        if file.exists():
            traces += _traces_in_tables(file)
    return traces


def _traces_in_tables(file: Path) -> list[str]:
    pattern = "|".join(small_brand.PERSONAL)
    traces = []
    with warehouse.read_only(file) as connection:
        columns = connection.execute(
            "select c.schema_name, c.table_name, c.column_name from duckdb_columns() as c "
            "join duckdb_tables() as t on c.table_oid = t.table_oid and c.database_name = t.database_name "
            "where c.database_name = current_database() and not c.internal and c.data_type like 'VARCHAR%'"
        ).fetchall()
        assert columns
        for schema, table, column in columns:
            (hits,) = connection.execute(
                f'select count(*) from "{schema}"."{table}" where regexp_matches(cast("{column}" as varchar), $1)',
                [pattern],
            ).fetchone() or (0,)
            if hits:
                traces.append(f"{file.name}: {schema}.{table}.{column}: {hits} rows")
    return traces
