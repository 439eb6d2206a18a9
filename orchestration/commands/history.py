"""`tessera rebuild` and `tessera backfill`: the warehouse of a past day, and parts of today's again.

What they build belongs in `orchestration.history`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from orchestration.commands.common import FAILED, USAGE, BrandOption, exit_codes, fail
from orchestration.settings import load_settings

_DAY = ["%Y-%m-%d"]


def _instant(value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(
            f"{value!r} is no instant with its offset, such as 2026-05-01T03:00:00+08:00 or 2026-04-30T19:00:00Z"
        )
    return found.astimezone(UTC)


def _codes() -> dict[type[Exception], int]:
    from orchestration.brands import BrandConfigError
    from orchestration.history import HistoryError
    from orchestration.landing.errors import LakeError
    from orchestration.publishing import PublishError

    return {BrandConfigError: USAGE, HistoryError: USAGE, LakeError: FAILED, PublishError: FAILED}


def rebuild(
    brand: BrandOption = None,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=_DAY, metavar="YYYY-MM-DD", help="First business date not known."),
    ] = None,
    known_at: Annotated[
        Any,
        typer.Option(
            "--known-at",
            parser=_instant,
            metavar="INSTANT",
            help="Rows loaded later do not exist. Default: all that is known now.",
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", metavar="VERSION", help="The clocks of a kept version (`current`: of the current one)."
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="With --version: compare every table with that version, row by row.")
    ] = False,
) -> None:
    """Build the warehouse as it was, or as it would now be known, apart from what is published.

    The file is <home>/<brand>/rebuilds/<as of>[_<known at>]/<brand>/published/current.duckdb. With --compare exits 1 when a
    table differs.
    """
    with exit_codes():
        settings = load_settings(brand)
        if (version is None) == (as_of is None):
            raise fail("say which moment: --as-of with or without --known-at, or --version", USAGE)
        if version is not None and known_at is not None:
            raise fail("--version brings its own --known-at; leave one out", USAGE)
        if compare and version is None:
            raise fail("--compare needs --version: what to compare with", USAGE)
        from orchestration import history

        console = Console()
        with exit_codes(_codes()):
            if as_of is not None:
                code, _ = history.rebuild(settings, history.Moment(as_of.date(), known_at), console)
                raise typer.Exit(code)
            kept = history.kept_version(settings, None if version == "current" else version)
            moment = history.moment_of(kept)
            code, file = history.rebuild(settings, moment, console)
            if code or not compare:
                raise typer.Exit(code)
            from orchestration.comparison import compare_files

            found = compare_files(kept.file, file, as_of_date=moment.as_of_date)
        different = [table for table in found if not table.is_equal]
        for table in different:
            typer.echo(
                f"{table.table}: {_rows(table.left_rows)} published, {_rows(table.right_rows)} rebuilt; "
                f"only published {table.only_left:,}, only rebuilt {table.only_right:,}"
            )
        rows = sum(table.left_rows or 0 for table in found)
        typer.echo(f"{len(found) - len(different)} of {len(found)} tables are equal, row by row ({rows:,} rows)")
    raise typer.Exit(FAILED if different else 0)


def _rows(count: int | None) -> str:
    return "no table" if count is None else f"{count:,} rows"


def backfill(
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="A dbt model; what is computed from it follows.")
    ],
    brand: BrandOption = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=_DAY, metavar="YYYY-MM-DD", help="First business date to build again."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=_DAY, metavar="YYYY-MM-DD", help="Last business date to build again."),
    ] = None,
) -> None:
    """Build a model and everything computed from it again, for some business dates or wholly; then publish.

    The gates behind the model are asked as in any run. Nothing is landed.
    """
    with exit_codes():
        settings = load_settings(brand)
        if (first is None) != (last is None):
            raise fail("--from and --to come together", USAGE)
        from orchestration import history

        window = (first.date(), last.date()) if first and last else None
        with exit_codes(_codes()):
            code = history.backfill(settings, model, window, Console())
    raise typer.Exit(code)
