"""The `tessera` command: arguments in, one call, an exit code and a clear message out.

No work is done here. Groups of commands are in `orchestration.commands`; what a command does belongs in the module it
calls, how results look in `orchestration.console`.
Heavy modules are imported inside the commands that need them: `--help` and `check` answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from orchestration.commands import (
    audience,
    coverage,
    evaluate,
    explain,
    history,
    identity,
    models,
    parity,
    quarantine,
    sources,
    tags,
    tracking,
)
from orchestration.commands.common import EPILOG, FAILED, USAGE, BrandOption, Format, FormatOption, exit_codes, fail
from orchestration.locking import brand_lock, read_holder
from orchestration.settings import PROJECT_ROOT, Settings, available_brands, load_settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLE_LIMIT = 100  # rows a table shows unless --limit says otherwise
_FETCH_ROWS = 10_000

app = typer.Typer(
    name="tessera",
    help="Member analytics for e-commerce brands: land, build, check and publish a brand's warehouse, and query it.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"tessera {metadata.version('tessera')}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""


# ---- commands ----------------------------------------------------------------------------------------------------


@app.command(epilog=EPILOG)
def run(
    brand: BrandOption = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="First business date that is not known. Default: TESSERA_AS_OF_DATE, else the brand's clock.",
        ),
    ] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild every table from the lake instead of what changed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Build and publish even when nothing is new.")] = False,
) -> None:
    """Land new input, build, check and publish a brand.

    Exits 0 only if everything is published. When a gate closes, what was published before stays current.
    """
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.brands import BrandConfigError
        from orchestration.landing.errors import LakeError, LandingError
        from orchestration.publishing import PublishError
        from orchestration.runner import run_brand

        codes: dict[type[Exception], int] = {BrandConfigError: USAGE}
        codes |= dict.fromkeys((LandingError, LakeError, PublishError), FAILED)
        with exit_codes(codes):
            code = run_brand(
                settings,
                as_of=as_of.date() if as_of else None,
                full_refresh=full_refresh,
                force=force,
                console=Console(),
            )
    raise typer.Exit(code)


@app.command(epilog=EPILOG)
def check(brand: BrandOption = None) -> None:
    """Validate a brand's configuration and that its sources can be read; changes nothing."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.audiences.definitions import load_audiences
        from orchestration.audiences.destinations import load_destinations
        from orchestration.brands import BrandConfigError, load_brand
        from orchestration.landing.errors import LandingError

        with exit_codes({BrandConfigError: USAGE, LandingError: USAGE}):
            loaded = load_brand(settings)
            load_audiences(settings)
            load_destinations(settings)
            # Reading files needs the engine: a broken YAML is told before it is loaded.
            from orchestration.landing.mapping import check_sources

            check_sources(settings, loaded)
    typer.echo(f"{settings.brand}: configuration and sources are in order")


@app.command(epilog=EPILOG)
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="A query; - reads it from standard input.")],
    output: FormatOption = Format.table,
    brand: BrandOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=1,
            metavar="ROWS",
            help=f"Print at most this many rows. Default: {TABLE_LIMIT} in a table, all in CSV and JSON.",
        ),
    ] = None,
) -> None:
    """Query the published warehouse (schemas marts, tags, segments, ml, metrics, ops).

    Reads only: the SQL cannot change the published file, nor read or write any other. Dates come out as ISO text,
    moments in UTC, decimals with exactly their digits, NULL as empty (CSV) or null (JSON, where NaN is null too).

    Example: `tessera query "select business_date, count(*) from marts.fct_orders group by all" -f csv`
    """
    with exit_codes():
        settings = load_settings(brand)
        if not settings.published_file.exists():
            raise fail(
                f"nothing is published for {settings.brand}: there is no {settings.published_file}. "
                f"Run `tessera run --brand {settings.brand}` first",
                USAGE,
            )
        text = sys.stdin.read() if sql == "-" else sql
        from orchestration import warehouse

        expected = {warehouse.StatementRefused: USAGE, warehouse.EngineError: FAILED}
        with exit_codes(expected), warehouse.sealed_reader(settings.published_file) as connection:
            for statement in warehouse.read_statements(connection, text):
                connection.execute(statement)
            _print_result(connection, output, limit)


def _print_result(connection: DuckDBPyConnection, output: Format, limit: int | None) -> None:
    from orchestration import console

    names = [column[0] for column in connection.description or []]
    if output is Format.table:
        shown = limit or TABLE_LIMIT
        rows = connection.fetchmany(shown + 1)
        console.print_table(console.result_console(sys.stdout), names, rows[:shown])
        note = f"first {shown} rows; more with --limit" if len(rows) > shown else f"{len(rows)} row(s)"
        typer.echo(f"({note})", err=True)
        return
    write = console.write_csv if output is Format.csv else console.write_json
    write(sys.stdout, names, islice(_rows(connection), limit))


def _rows(connection: DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while chunk := connection.fetchmany(_FETCH_ROWS):
        yield from chunk


@app.command(epilog=EPILOG)
def status(
    brand: BrandOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is published for a brand, how old it is, and which versions are kept.

    Exits 0 also when nothing is published yet ("published": null in JSON).
    """
    with exit_codes():
        settings = load_settings(brand)
        from orchestration import console
        from orchestration.publishing import PublishError

        with exit_codes({PublishError: FAILED}):
            document = _status(settings)
        if as_json:
            typer.echo(console.to_json(document))
        else:
            console.print_status(Console(highlight=False), document)


def _status(settings: Settings) -> dict[str, Any]:
    """What `status` shows, of JSON types."""
    from orchestration import publishing

    manifest = publishing.read_manifest_healed(settings)
    holder = read_holder(settings)
    published = None
    if manifest is not None:
        age = datetime.now(UTC) - datetime.fromisoformat(manifest["published_at"])
        schemas: dict[str, dict[str, int]] = {name: {"tables": 0, "rows": 0} for name in manifest["schemas"]}
        for table, rows in manifest["row_counts"].items():
            counts = schemas.setdefault(table.partition(".")[0], {"tables": 0, "rows": 0})
            counts["tables"] += 1
            counts["rows"] += rows
        published = {
            "version": manifest["version"],
            "as_of_date": manifest["as_of_date"],
            "known_at": manifest["known_at"],
            "published_at": manifest["published_at"],
            "age_seconds": int(age.total_seconds()),
            "latest_event_at": manifest.get("latest_event_at"),
            **publishing.latencies(manifest),
            "code_version": manifest["code_version"],
            "gates": manifest["gates"],
            "file": str(settings.published_file),
            "size_bytes": settings.published_file.stat().st_size,
            "schemas": schemas,
        }
    return {
        "brand": settings.brand,
        "published": published,
        "versions": [
            {
                "version": item.version,
                "is_current": item.is_current,
                "as_of_date": item.manifest["as_of_date"],
                "published_at": item.manifest["published_at"],
                "size_bytes": item.size_bytes,
            }
            for item in publishing.list_versions(settings)
        ],
        "running": asdict(holder) if holder else None,
    }


@app.command(epilog=EPILOG)
def rollback(
    brand: BrandOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="VERSION", help="A kept version, older or newer. Default: the one before current."
        ),
    ] = None,
) -> None:
    """Make an earlier published version current again; readers notice nothing but the data."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration import publishing

        with exit_codes({publishing.PublishError: FAILED}), brand_lock(settings):
            manifest = publishing.rollback(settings, to)
    typer.echo(f"{settings.brand}: version {manifest['version']} (as of {manifest['as_of_date']}) is current")


@app.command(epilog=EPILOG)
def ui(
    brand: BrandOption = None,
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Open Dagster for a brand on http://127.0.0.1: assets, checks, runs, schedule and sensor."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.brands import BrandConfigError
        from orchestration.runner import open_ui

        with exit_codes({BrandConfigError: USAGE}):
            typer.echo(f"{settings.brand}: http://127.0.0.1:{port}  (Ctrl+C ends it)")
            open_ui(settings, port)


@app.command(epilog=EPILOG)
def brands() -> None:
    """List the brands that have a configuration, and what is published of each."""
    with exit_codes():
        folder = Path(os.environ.get("TESSERA_BRANDS") or PROJECT_ROOT / "brands").expanduser().resolve()
        names = available_brands(folder)
        if not names:
            raise fail(f"no brand has a brand.yml in {folder}; to add one, see docs/add-a-brand.md", USAGE)
        settings = load_settings(names[0])
        from orchestration.publishing import PublishError, read_manifest

        for name in names:
            with exit_codes({PublishError: FAILED}):
                manifest = read_manifest(replace(settings, brand=name))
            state = f"version {manifest['version']}, as of {manifest['as_of_date']}" if manifest else "not published"
            typer.echo(f"{name:<24} {state}")


app.command(epilog=EPILOG)(coverage.coverage)
app.command(epilog=EPILOG)(evaluate.evaluate)
app.command(epilog=EPILOG)(parity.parity)
app.command(epilog=EPILOG)(history.rebuild)
app.command(epilog=EPILOG)(history.backfill)
app.add_typer(audience.app)
app.add_typer(explain.app)
app.add_typer(identity.app)
app.add_typer(models.app)
app.add_typer(sources.app)
app.add_typer(quarantine.app)
app.add_typer(tracking.app)
app.add_typer(tags.app)


def main() -> None:
    """Entry point of the console command."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # Labels are Chinese and English whatever the machine's locale says.
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(encoding="utf-8")
    app()


if __name__ == "__main__":
    main()
