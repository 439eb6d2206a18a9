"""`tessera source`: propose a mapping of a file or table that nobody has mapped, and write it to be edited.

How the proposal comes about belongs in `orchestration.landing.propose`.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.commands.common import EPILOG, FAILED, USAGE, BrandOption, command_group, exit_codes, fail
from orchestration.settings import SECRET_PREFIX, load_settings

if TYPE_CHECKING:
    from orchestration.landing.propose.proposal import Proposal
    from orchestration.settings import Settings

app = command_group("source", "Add a source to a brand: a file, or a table of a database.")


@app.callback()
def _group() -> None:
    """Add a source to a brand: a file, or a table of a database."""


class Mode(StrEnum):
    incremental = "incremental"
    full = "full"
    compare = "compare"
    change_log = "change_log"


@app.command(epilog=EPILOG)
def add(
    brand: BrandOption = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="PATH", help="A source file, below TESSERA_SOURCES or from the current folder."),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="NAME", help="A table or view of a database, such as public.orders."),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            metavar="VARIABLE",
            help=f"Environment variable {SECRET_PREFIX}… that holds the database's SQLAlchemy URL; with --table.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the source. Default: the file's or table's.")
    ] = None,
    source_system: Annotated[
        str | None,
        typer.Option(
            "--source-system", metavar="CODE", help="System of origin, part of every id. Default: the file's folder."
        ),
    ] = None,
    entity: Annotated[
        str | None,
        typer.Option("--entity", metavar="ENTITY", help="Contract entity (docs/contract.md). Default: the likeliest."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B,…", help="Names of the columns of a file that has no header."),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option("--mode", help="How deliveries follow each other. Default: guessed, mostly incremental."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the YAML instead of writing it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a source of this name.")] = False,
) -> None:
    """Look at a file or table and write a first mapping of it to edit.

    Guesses encoding, delimiter, types, the contract entity and its fields from the first rows, writes
    brands/BRAND/sources/NAME.yml, then tries it: how many of these rows would land, how many be quarantined and why.
    Values are shown by their shape only. Fields that could not be guessed are listed, and stand in the file as comments.

    Example: `tessera source add --brand shop --file exports/orders_2026-01-31.csv`
    """
    from rich.console import Console

    with exit_codes():
        settings = load_settings(brand)
        named = tuple(part.strip() for part in columns.split(",")) if columns else ()
        _check_wishes(file, table, secret, name, source_system)
        from orchestration import console
        from orchestration.brands import SOURCES_DIR, BrandConfigError, load_brand_config
        from orchestration.landing.errors import LandingError, SourceUnavailable
        from orchestration.landing.propose.proposal import Wishes, propose_file, propose_table

        expected: dict[type[Exception], int] = {
            BrandConfigError: USAGE,
            SourceUnavailable: FAILED,
            LandingError: USAGE,
        }
        with exit_codes(expected):
            config = load_brand_config(settings)
            wishes = Wishes(name, source_system, entity, mode.value if mode else None, named)
            if file is not None:
                proposal = propose_file(settings, config, file, wishes)
            else:
                proposal = propose_table(settings, config, str(table), str(secret), wishes)
        path = settings.brand_dir / SOURCES_DIR / f"{proposal.name}.yml"
        if dry_run:
            typer.echo(proposal.text, nl=False)
        else:
            _write(path, proposal, force)
        # The report stands beside the YAML, not in it: with --dry-run standard output holds the YAML alone.
        report = Console(stderr=dry_run, highlight=False)
        console.print_proposal(report, _shown(settings, path), proposal, is_written=not dry_run)


def _check_wishes(
    file: Path | None, table: str | None, secret: str | None, name: str | None, source_system: str | None
) -> None:
    if (file is None) == (table is None):
        raise fail("give either --file PATH, or --table NAME with --secret VARIABLE", USAGE)
    if (table is None) != (secret is None):
        raise fail("--table and --secret belong together: the secret's variable holds the database's URL", USAGE)
    if secret is not None and not re.fullmatch(rf"{SECRET_PREFIX}[A-Z0-9_]+", secret):
        # What was given may be the secret itself: it is not repeated.
        raise fail(f"--secret: give the name of an environment variable {SECRET_PREFIX}…, not what it holds", USAGE)
    if table is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?", table):
        raise fail(f"--table: {table!r} is not a name such as orders or public.orders", USAGE)
    for option, value in (("--name", name), ("--source-system", source_system)):
        if value is not None and not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            raise fail(
                f"{option}: {value!r} must be lower case letters, digits and underscores, such as shop_orders", USAGE
            )


def _write(path: Path, proposal: Proposal, force: bool) -> None:
    if path.exists() and not force:
        raise fail(
            f"{path} is there already; give the new source another name (--name), look at the proposal (--dry-run), "
            "or write over it (--force)",
            USAGE,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(proposal.text, encoding="utf-8")
    draft.replace(path)


def _shown(settings: Settings, path: Path) -> str:
    """The path as a person would write it."""
    return str(path.relative_to(settings.project_root) if path.is_relative_to(settings.project_root) else path)
