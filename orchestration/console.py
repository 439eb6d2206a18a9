"""How results look: query results as table, CSV or JSON, the status page, and what is said of a proposed source.

Pure rendering: values in, text out. Getting the values belongs in `orchestration.cli` and below.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from orchestration.landing.propose.proposal import Proposal

Row = Sequence[Any]

# Piped into a file or another program, a table is as wide as its content; on a terminal, as wide as the terminal.
_UNLIMITED_WIDTH = 100_000


# ---- values ------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A database value as JSON knows it, except that a Decimal stays one: dates are ISO text, UTC moments end in Z."""
    if value is None or isinstance(value, bool | int | str | Decimal):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has no NaN and no infinity
    if isinstance(value, datetime):
        offset = value.utcoffset()
        return value.isoformat() if offset is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    return str(value)


def to_json(value: Any) -> str:
    """One line of JSON. Decimals are numbers with exactly their digits, which json.dumps cannot do."""
    value = plain(value)
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {to_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(to_json(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def to_text(value: Any) -> str:
    """A value as one cell of a CSV file or a table; NULL is empty."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return to_json(value) if isinstance(value, dict | list) else str(value)


def unique_names(names: Sequence[str]) -> list[str]:
    """Column names that do not repeat: a, a → a, a_1 (as the engine names them in a subquery)."""
    taken = set(names)
    seen: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 0
        while unique in seen or (number and unique in taken):
            number += 1
            unique = f"{name}_{number}"
        seen.add(unique)
        result.append(unique)
    return result


# ---- query results -----------------------------------------------------------------------------------------------


def write_csv(stream: TextIO, names: Sequence[str], rows: Iterable[Row]) -> None:
    """RFC 4180 with a header line; NULL is an empty field."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([to_text(value) for value in row] for row in rows)


def write_json(stream: TextIO, names: Sequence[str], rows: Iterable[Row]) -> None:
    """A list of objects, one on a line; written as rows come."""
    keys = unique_names(names)
    stream.write("[")
    for number, row in enumerate(rows):
        stream.write(",\n " if number else "\n ")
        stream.write(to_json(dict(zip(keys, row, strict=True))))
    stream.write("\n]\n")


def result_console(stream: TextIO) -> Console:
    """Where a table goes: full width unless a person looks at it."""
    console = Console(file=stream, highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(file=stream, highlight=False, width=_UNLIMITED_WIDTH)


def print_table(console: Console, names: Sequence[str], rows: Sequence[Row]) -> None:
    """A table; one block a row when it would not fit the screen. Numbers are right-aligned, NULL is told from ''.

    A name may have two lines, such as 行数 above row_count.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for position, name in enumerate(names):
        table.add_column(Text(name), justify="right" if _is_numeric(rows, position) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if rows and Measurement.get(console, console.options.update(width=_UNLIMITED_WIDTH), table).maximum > console.width:
        for number, row in enumerate(rows, start=1):
            console.rule(f"row {number}", align="left", style="dim")
            block = Table.grid(padding=(0, 2))
            for name, value in zip(names, row, strict=True):
                block.add_row(Text(name.replace("\n", " "), style="bold"), _cell(value))
            console.print(block)
    else:
        console.print(table)


def _cell(value: Any) -> Text:
    return Text("NULL", style="dim") if value is None else Text(to_text(value))


def _is_numeric(rows: Sequence[Row], position: int) -> bool:
    values = [row[position] for row in rows if row[position] is not None]
    return bool(values) and all(isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in values)


# ---- status ------------------------------------------------------------------------------------------------------


def age_text(seconds: float) -> str:
    """How long ago, in the largest unit that fits: 45 s, 12 min, 5 h, 3 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"


def size_text(size_bytes: int) -> str:
    """12,345,678 → 12.3 MB."""
    return f"{size_bytes / 1e9:.2f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def print_status(console: Console, status: Mapping[str, Any]) -> None:
    """The page behind `tessera status`; `status` is what `--json` prints."""
    published = status["published"]
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    facts.add_row("brand", Text(status["brand"]))
    if published is None:
        facts.add_row("published", Text(f"nothing yet; run `tessera run --brand {status['brand']}`"))
    else:
        gates = published["gates"]
        facts.add_row("version", Text(published["version"]))
        facts.add_row("as of", Text(f"{published['as_of_date']} (facts before this date)"))
        facts.add_row("published", Text(f"{published['published_at']}, {age_text(published['age_seconds'])} ago"))
        for clock, title in (
            ("event_to_mart_seconds", "newest event"),
            ("arrival_to_mart_seconds", "newest files"),
        ):
            if clock in published:
                facts.add_row(title, Text(f"{age_text(int(published[clock]))} old when published"))
        facts.add_row("code", Text(str(published["code_version"])))
        facts.add_row(
            "gates", Text(f"{gates['passed']} passed, {gates['failed']} failed, {gates['warned']} with a warning")
        )
        facts.add_row("file", Text(f"{published['file']} ({size_text(published['size_bytes'])})"))
    if status["running"]:
        running = status["running"]
        facts.add_row("running", Text(f"process {running['pid']} since {running['started_at']}: {running['command']}"))
    console.print(facts)
    if published is None:
        return

    schemas = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    schemas.add_column("schema")
    schemas.add_column("tables", justify="right")
    schemas.add_column("rows", justify="right")
    for name, counts in published["schemas"].items():
        schemas.add_row(Text(name), f"{counts['tables']:,}", f"{counts['rows']:,}")
    console.print()
    console.print(schemas)

    kept = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading, justify in (("kept version", "left"), ("as of", "left"), ("size", "right"), ("", "left")):
        kept.add_column(heading, justify=justify)  # pyright: ignore[reportArgumentType]
    for item in status["versions"]:
        mark = "current" if item["is_current"] else ""
        kept.add_row(Text(item["version"]), Text(item["as_of_date"]), size_text(item["size_bytes"]), mark)
    console.print()
    console.print(kept)


# ---- proposals ---------------------------------------------------------------------------------------------------


def print_proposal(console: Console, path: str, proposal: Proposal, *, is_written: bool) -> None:
    """What `tessera source add` says beside the file: what is found, what is missing, what became of the sample."""
    guess, trial, brand = proposal.guess, proposal.trial, proposal.draft.brand
    required = [field for field in guess.entity.fields if field.required]
    found = len(required) - len(guess.missing)

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    say(f"{'wrote' if is_written else 'would write'} {path}", "bold")
    say(
        f"  {guess.entity.name} ({guess.entity.label.zh}), {found} of {len(required)} required fields and "
        f"{len(guess.guesses) - found} others, from {proposal.draft.origin}"
    )
    if guess.unused:
        say(f"  {len(guess.unused)} column(s) without a field: {_names(shape.name for shape in guess.unused)}")
    if guess.ignored:
        say(f"  {len(guess.ignored)} column(s) dropped: {_names(shape.name for shape in guess.ignored)}")
    if proposal.missing:
        say(f"still missing, required: {', '.join(proposal.missing)}", "yellow")
    for problem in proposal.problems:
        say(f"to correct: {problem}", "yellow")
    _print_trial(console, say, proposal)
    todo = "fill in what is missing, " if proposal.missing or proposal.problems else "read every guess, "
    if is_written:
        say(
            f"next: {todo}then `tessera check --brand {brand}`"
            + ("" if trial.problem else f" and `tessera run --brand {brand}`")
        )


def _print_trial(console: Console, say: Callable[[str], None], proposal: Proposal) -> None:
    trial = proposal.trial
    if trial.problem:
        say(f"trial: {trial.problem}")
        return
    without = ", leaving aside what is missing" if proposal.missing else ""
    say(f"trial: of {trial.rows:,} rows {trial.landed:,} would land, {trial.quarantined:,} be quarantined{without}")
    if trial.reasons:
        first = {
            sample.reason: (sample.source_row_number, ", ".join(f"{k}={v}" for k, v in sample.values.items()))
            for sample in trial.samples
        }
        rows = [(reason, count, *first.get(reason, (None, None))) for reason, count in trial.reasons.items()]
        print_table(console, ["reason", "rows", "first line", "its value by shape"], rows)


def _names(names: Iterable[str], shown: int = 12) -> str:
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
