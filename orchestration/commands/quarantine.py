"""`tessera quarantine`: what is set aside and why, what it looks like, and landing it after the mapping was fixed.

The work is done in `orchestration.landing.quarantine`; what is counted is summed up here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.commands.common import (
    EPILOG,
    FAILED,
    USAGE,
    BrandOption,
    Format,
    FormatOption,
    command_group,
    exit_codes,
    fail,
    print_rows,
)
from orchestration.locking import brand_lock
from orchestration.settings import load_settings

if TYPE_CHECKING:
    from orchestration.landing.lake import Batch
    from orchestration.landing.quarantine import Replay
    from orchestration.settings import Settings

app = command_group("quarantine", "Rows that break the contract: list them, look at them, land them again.")

EntityOption = Annotated[str | None, typer.Option("--entity", metavar="ENTITY", help="Rows of this entity only.")]
SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Rows of this source, or of this file of it, only.")
]
HEADINGS = {
    "source": "来源",
    "entity": "实体",
    "field": "字段",
    "reason": "原因",
    "row_count": "行数",
    "rows_in": "总行数",
    "share": "占比",
    "file": "文件",
    "line": "行号",
    "values": "值（已脱敏）",
}
_LIST = ["source", "entity", "field", "reason", "row_count", "rows_in", "share"]
_SHOW = ["entity", "file", "line", "reason", "values"]


@app.callback()
def _group() -> None:
    """Rows that break the contract: list them, look at them, land them again."""


@app.command("list", epilog=EPILOG)
def list_(
    brand: BrandOption = None,
    entity: EntityOption = None,
    source: SourceOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Count what is set aside now, by source, entity, field and reason.

    A row with two reasons counts in both. `share` is of the rows that the source delivered for the entity.
    """
    with exit_codes():
        settings = load_settings(brand)
        with exit_codes(_expected()):
            batches = _batches(settings)
            rows = summarise(batches, entity, source)
        if not rows and output is Format.table:
            typer.echo(_nothing(settings, batches, entity, source))
            return
        print_rows(output, _LIST, rows, HEADINGS)


@app.command(epilog=EPILOG)
def show(
    brand: BrandOption = None,
    entity: EntityOption = None,
    source: SourceOption = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Part of the reason, such as phone: or not_a_date.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="ROWS", help="At most this many rows.")] = 10,
    output: FormatOption = Format.table,
) -> None:
    """Show rows that are set aside, with file and line, their values by shape only.

    Letters are x, digits 9, Chinese characters 〇, punctuation as it is: enough to see a wrong format, nothing of a person.
    """
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.landing.quarantine import masked_samples

        with exit_codes(_expected()):
            batches = _batches(settings)
            samples: list[tuple[Any, ...]] = []
            for file, found in _files(batches, entity, source):
                left = limit - len(samples)
                rows = (
                    masked_samples(settings, entity=found, source_file=file, reason=reason, limit=left) if left else []
                )
                samples += [(r.entity, r.source_file, r.source_row_number, r.reason, r.values) for r in rows]
        if not samples and output is Format.table:
            typer.echo(_nothing(settings, batches, entity, source, reason))
            return
        if output is Format.table:
            samples = [
                (*row[:4], ", ".join(f"{k}={'NULL' if v is None else v}" for k, v in row[4].items())) for row in samples
            ]
        print_rows(output, _SHOW, samples, HEADINGS)


@app.command(epilog=EPILOG)
def replay(
    brand: BrandOption = None,
    entity: EntityOption = None,
    source: SourceOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Land what is set aside once more, as the mappings read it now, and say what came of it.

    Where a file is still there it is landed again whole, where it is gone its quarantined rows alone are. Exits 1 when
    a file could not be replayed. What has landed is built into the warehouse by the next `tessera run`.
    """
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.brands import load_brand
        from orchestration.landing import quarantine
        from orchestration.landing.mapping import check_mappings

        with exit_codes(_expected()):
            loaded = load_brand(settings)
            check_mappings(loaded)
            with brand_lock(settings):
                batches = _batches(settings)
                results: list[Replay] = []
                for file, found in _files(batches, entity, source):
                    results += quarantine.replay(settings, loaded, entity=found, source_file=file)
        if not results and output is Format.table:
            typer.echo(_nothing(settings, batches, entity, source))
            return
        names = ["entity", "file", "how", "before", "landed", "after"]
        rows = [(r.entity, r.source_file, r.how, r.rows_replayed, r.rows_landed, r.rows_quarantined) for r in results]
        print_rows(
            output, names, rows, HEADINGS | {"how": "方式", "before": "原隔离", "landed": "已入湖", "after": "仍隔离"}
        )
        if any(r.rows_landed for r in results):
            typer.echo(
                f"the rows that landed come into the warehouse with `tessera run --brand {settings.brand}`", err=True
            )
        if skipped := [r for r in results if r.problem]:
            raise fail("\n".join(f"{r.entity}: {r.source_file}: {r.problem}" for r in skipped), FAILED)


# ---- what is set aside -------------------------------------------------------------------------------------------


def summarise(batches: list[Batch], entity: str | None = None, source: str | None = None) -> list[tuple[Any, ...]]:
    """(source, entity, field, reason, rows, rows in, share) of what is set aside now; the largest first."""
    from orchestration.landing.lake import latest_batches
    from orchestration.landing.quarantine import current_batches

    rows_in: dict[tuple[str, str], int] = defaultdict(int)
    for batch in latest_batches(batches).values():
        if batch.replay_of is None:  # its rows were counted when their file came
            rows_in[_name(batch), batch.entity] += batch.rows_in
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for batch in _wanted(current_batches(batches), entity, source):
        for reason, count in batch.quarantine_reasons.items():
            counts[_name(batch), batch.entity, reason] += count
    rows = []
    for (name, of, reason), count in counts.items():
        whole = rows_in[name, of]
        field, _, why = reason.partition(":")
        rows.append((name, of, field, why, count, whole, round(count / whole, 6) if whole else None))
    return sorted(rows, key=lambda row: (-row[4], row[:4]))


def _name(batch: Batch) -> str:
    """The source of a batch; those of the first version know its system alone."""
    return batch.source_name or batch.source_system


def _wanted(batches: Iterable[Batch], entity: str | None, source: str | None) -> list[Batch]:
    return [
        batch
        for batch in batches
        if entity in (None, batch.entity)
        and source in (None, _name(batch), batch.source_file, batch.base_file, Path(batch.base_file).name)
    ]


def _files(batches: list[Batch], entity: str | None, source: str | None) -> list[tuple[str, str]]:
    """(file, entity) of what is set aside now."""
    from orchestration.landing.quarantine import current_batches

    wanted = _wanted(current_batches(batches), entity, source)
    return list(dict.fromkeys((batch.source_file, batch.entity) for batch in wanted))


def _batches(settings: Settings) -> list[Batch]:
    from orchestration.landing.lake import Lake, read_batches

    return read_batches(Lake(settings.lake))


def _expected() -> dict[type[Exception], int]:
    from orchestration.brands import BrandConfigError
    from orchestration.landing.errors import LakeError, LandingError

    return {BrandConfigError: USAGE, LandingError: FAILED, LakeError: FAILED}


def _nothing(
    settings: Settings, batches: list[Batch], entity: str | None, source: str | None, reason: str | None = None
) -> str:
    if not batches:
        return f"{settings.brand}: nothing has been landed yet; run `tessera run --brand {settings.brand}`"
    filters = {"--entity": entity, "--source": source, "--reason": reason}
    given = " ".join(f"{option} {value}" for option, value in filters.items() if value is not None)
    if given:
        return f"{settings.brand}: nothing is in quarantine for {given}"
    return f"{settings.brand}: nothing is in quarantine; {len(batches):,} batch(es) landed whole"
