"""All tags at scale: `python -m benchmarks.tags --build-file F [--times 1 7 34]`, from a built warehouse of the demo brand.

The members of the build file and their facts are repeated under new ids, so that a million members are as busy as twenty thousand were;
then dbt builds every model of tags on them. Beside it stands one scan of every column of the same facts. What the numbers said
is in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from orchestration import dbt_server
from orchestration.dbt import build_arguments, dbt_environment, run_dbt
from orchestration.settings import Settings
from orchestration.warehouse import quoted

# What tags are made of; products and the calendar do not grow with the members.
OF_MEMBERS = (
    "marts.dim_members",
    "marts.dim_consents_history",
    "marts.fct_orders",
    "marts.fct_order_lines",
    "marts.fct_refunds",
    "marts.fct_touches",
    "marts.fct_coupon_receipts",
    "marts.fct_coupon_redemptions",
    "marts.fct_points",
    "marts.fct_tier_changes",
    "marts.fct_reviews",
    "marts.fct_service_tickets",
    "metrics.agg_member_days",
    "metrics.agg_member_product_days",
    "ml.churn_scores",
    "ml.propensity_scores",
)
OTHERS = ("marts.dim_products", "reference.ref_calendar_days", "config.%", "intermediate.int_clocks_resolved")


def repeat(source: Path, target: Path, times: int) -> int:
    """A build file with the members of `source` `times` over, and nothing that tags do not read; the number of members."""
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '9GB'")
        connection.execute(f"attach '{source}' as build (read_only)")
        connection.execute(f"attach '{target}' as copy")
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'build' order by 1"
        ).fetchall()
        for (table,) in tables:
            schema = table.split(".")[0]
            if table not in OF_MEMBERS and not any(
                table == o or (o.endswith("%") and table.startswith(o[:-1])) for o in OTHERS
            ):
                continue
            connection.execute(f"create schema if not exists copy.{quoted(schema)}")
            if table not in OF_MEMBERS:
                connection.execute(f"create table copy.{table} as select * from build.{table}")
                continue
            connection.execute(
                f"""
                create table copy.{table} as
                select * replace (case when n = 0 then member_id else member_id || '_' || n end as member_id)
                from build.{table} cross join range({times}) as copies(n) order by n
                """
            )
            connection.execute(f"alter table copy.{table} drop column n")
        # The clock of the copy is the clock of the original: nothing of what it is worked out from is there.
        day = connection.execute("select as_of_date from build.intermediate.int_clocks_resolved").fetchone() or ("",)
        connection.execute("create schema if not exists copy.intermediate")
        connection.execute(
            f"create or replace table copy.intermediate.int_clocks_resolved as select date '{day[0]}' as as_of_date"
        )
        connection.execute("create schema if not exists copy.staging")
        for name in ("churn", "propensity"):
            connection.execute(
                f"create or replace table copy.staging.stg_{name}_scores as select * from copy.ml.{name}_scores"
            )
        found = connection.execute("select count(*) from copy.marts.dim_members").fetchone()
    return found[0] if found else 0


def scan(file: Path) -> float:
    """Seconds of reading every value of those facts once."""
    with duckdb.connect(str(file), read_only=True) as connection:
        started = time.perf_counter()
        for table in OF_MEMBERS:
            connection.execute(f"select count(*), sum(hash(facts)::hugeint) from {table} as facts").fetchall()
        return time.perf_counter() - started


def largest_process() -> float:
    """Most memory that one process of dbt held so far, in GB."""
    dbt_server.stop()  # a child's figures are known when it has ended
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-file", type=Path, required=True)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 7, 34])
    options = parser.parse_args()
    console = Console()
    table = Table("members", "tags, s", "per million members, s", "one scan, s", "ratio", "memory, GB")
    for times in options.times:
        with tempfile.TemporaryDirectory(prefix="tessera-tags-") as name:
            home = Path(name)
            settings = Settings("demo", home, Path(__file__).parents[1] / "brands", home)
            settings.build_file.parent.mkdir(parents=True)
            members = repeat(options.build_file, settings.build_file, times)
            scanned = scan(settings.build_file)
            started = time.perf_counter()
            done = run_dbt(
                build_arguments(["path:models/tags"]),
                dbt_environment(settings),
                target=home / "dbt",
                logs=home / "logs",
                tell=console.print,
            )
            seconds = time.perf_counter() - started
            gigabytes = largest_process()
            for node in sorted(done.nodes, key=lambda node: -node.seconds)[:8]:
                console.print(f"  {node.name} {node.status} {node.seconds:.1f} s", highlight=False)
            if done.return_code:
                console.print(done.complaint or [node.name for node in done.nodes if not node.is_good])
                return 1
            table.add_row(
                f"{members:,}",
                f"{seconds:.1f}",
                f"{seconds / members * 1e6:.0f}",
                f"{scanned:.1f}",
                f"{seconds / scanned:.1f}",
                f"{gigabytes:.1f}",
            )
            shutil.rmtree(home, ignore_errors=True)
    console.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
