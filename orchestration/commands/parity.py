"""`tessera parity`: the same models on DuckDB and on Spark, compared row by row.

What is built and compared belongs in `orchestration.spark`; how a table is printed in `orchestration.console`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.commands.common import FAILED, USAGE, BrandOption, Format, FormatOption, exit_codes, print_rows
from orchestration.settings import load_settings

if TYPE_CHECKING:
    from orchestration.spark.parity import ModelParity

NAMES = [
    "model", "status", "duckdb_rows", "spark_rows", "differences", "differing_columns", "duckdb_seconds", "spark_seconds",
]  # fmt: skip
HEADINGS = {
    "model": "模型",
    "status": "结果",
    "duckdb_rows": "DuckDB 行数",
    "spark_rows": "Spark 行数",
    "differences": "差异行数",
    "differing_columns": "差异字段",
    "duckdb_seconds": "DuckDB 秒",
    "spark_seconds": "Spark 秒",
}


def parity(
    brand: BrandOption = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="First business date that is not known. Default: the brand's clock.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Tags, segments, metrics and ops too, not only staging to features.")
    ] = False,
    unit_tests: Annotated[
        bool, typer.Option("--unit-tests", help="Run the models' unit tests on Spark as well.")
    ] = False,
    output: FormatOption = Format.table,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep both warehouses and the logs, as a difference does by itself.")
    ] = False,
) -> None:
    """Build staging to features on DuckDB and on a local Spark cluster over the brand's lake, and compare every table.

    Starts a master, two workers and a Thrift server on loopback and stops them at its end, also after an error or Ctrl-C. The
    brand's warehouse and what is published stay as they are. Exits 0 only if no table differs. `make spark` sets up what it needs.
    """
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.brands import BrandConfigError, load_brand
        from orchestration.dbt import ParseError
        from orchestration.locking import brand_lock
        from orchestration.spark import cluster
        from orchestration.spark import parity as comparing

        codes: dict[type[Exception], int] = {BrandConfigError: USAGE, cluster.SparkMissing: USAGE}
        codes |= dict.fromkeys((comparing.ParityError, cluster.ClusterError, ParseError), FAILED)
        with exit_codes(codes), brand_lock(settings):
            found = comparing.run_parity(
                settings,
                load_brand(settings),
                select=comparing.ALL_SELECT if everything else comparing.SELECT,
                with_unit_tests=unit_tests,
                as_of_date=as_of.date() if as_of else None,
                tell=lambda line: typer.echo(line, err=True),
            )
            if found.is_equal and not keep:
                comparing.clean(settings)
        print_rows(output, NAMES, [_row(model) for model in found.models], HEADINGS)
        for name, status in sorted(found.unit_tests.items()):
            if status != "pass":
                typer.echo(f"unit test {name}: {status} on Spark", err=True)
        typer.echo(comparing.summary(found), err=True)
        if not found.is_equal:
            typer.echo(f"What both engines built, and their logs: {comparing.work_folder(settings)}", err=True)
            raise typer.Exit(FAILED)


def _row(model: ModelParity) -> tuple[Any, ...]:
    compared = model.comparison
    return (
        f"{model.schema}.{model.name}",
        model.status,
        compared.left_rows if compared else None,
        compared.right_rows if compared else None,
        compared.differences if compared else None,
        ", ".join([*compared.columns, *compared.shape]) if compared else "",
        round(model.duckdb.seconds, 1),
        round(model.spark.seconds, 1),
    )
