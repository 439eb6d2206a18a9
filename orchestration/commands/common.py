"""What every command shares: options, exit codes, and how an error becomes one clear message.

Heavy modules are imported inside the commands that need them. What a command does belongs in the module that it calls.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from orchestration.locking import RunLocked
from orchestration.settings import DEFAULT_BRAND, PROJECT_ROOT, SettingsError

FAILED, USAGE, LOCKED = 1, 2, 3

EPILOG = (
    "Exit codes: **0** done · **1** the run failed, a gate closed or the query has an error · "
    "**2** usage or configuration error · **3** another run holds the brand's lock."
)


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


BrandOption = Annotated[
    str | None,
    typer.Option(
        "--brand", "-b", metavar="BRAND", help=f"Folder under brands/. Default: TESSERA_BRAND, else {DEFAULT_BRAND}."
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the result.")]


def fail(message: object, code: int) -> typer.Exit:
    """Say what went wrong on stderr; to be raised. Soft-wrapped, so that a path can be copied whole."""
    stderr = Console(stderr=True, highlight=False)
    stderr.print(Text.assemble(("error: ", "bold red"), str(message)), soft_wrap=True)
    return typer.Exit(code)


@contextmanager
def exit_codes(expected: Mapping[type[Exception], int] | None = None) -> Iterator[None]:
    """Turn exceptions into one message and an exit code.

    An exception nobody foresaw is told by type and place only: its text may quote a member's data.
    """
    codes = {SettingsError: USAGE, RunLocked: LOCKED} | dict(expected or {})
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        for kind, code in codes.items():
            if isinstance(error, kind):
                raise fail(error, code) from error
        if isinstance(error, OSError):
            raise fail(f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}", FAILED) from error
        if _debug():
            traceback.print_exc()
        frame = next(
            (f for f in reversed(traceback.extract_tb(error.__traceback__)) if str(PROJECT_ROOT) in f.filename), None
        )
        place = f" at {Path(frame.filename).name}:{frame.lineno}" if frame else ""
        raise fail(
            f"unexpected {type(error).__name__}{place}; this is a defect of tessera. "
            "`tessera --debug …` shows the whole traceback (it may quote data)",
            FAILED,
        ) from error


def _debug() -> bool:
    import click

    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("debug"))


def command_group(name: str, help_: str) -> typer.Typer:
    """A group of commands that looks like the rest of `tessera`."""
    return typer.Typer(
        name=name,
        help=help_,
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def print_rows(output: Format, names: list[str], rows: list[tuple[Any, ...]], headings: Mapping[str, str]) -> None:
    """Rows on standard output; a table's header says `headings` above the names, the data formats keep the names alone."""
    from orchestration import console

    if output is Format.table:
        titles = [f"{headings[name]}\n{name}" if name in headings else name for name in names]
        console.print_table(console.result_console(sys.stdout), titles, rows)
        return
    write = console.write_csv if output is Format.csv else console.write_json
    write(sys.stdout, names, rows)
