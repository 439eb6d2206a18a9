"""`tessera models`: which versions of a model there are, who scores, why, and an operator's right to decide otherwise.

What is recorded belongs in `orchestration.model_registry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.commands.common import (
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
from orchestration.settings import Settings, load_settings

if TYPE_CHECKING:
    from ml.common.registry import Entry

app = command_group("models", "Trained models: versions, who scores, and who decided so.")

HEADINGS = {
    "model_name": "模型",
    "model_version": "版本",
    "status": "状态",
    "promoted_by": "决定者",
    "reason": "原因",
    "auc": "AUC",
    "brier": "Brier",
    "ece_10_equal_count": "校准误差",
    "as_of_date": "截止日",
    "promoted_at": "决定时间",
}
_FIGURES = ("auc", "brier", "ece_10_equal_count")

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="churn, propensity …; see `tessera models list`.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; it is kept and published.")]


@contextmanager
def _settings(brand: str | None) -> Iterator[Settings]:
    with exit_codes():
        from ml.common.registry import UnknownVersionError

        with exit_codes({UnknownVersionError: USAGE}):
            yield load_settings(brand)


def _row(entry: Entry) -> tuple[object, ...]:
    figures = json.loads(entry.metrics)
    return (
        entry.model_name,
        entry.model_version,
        entry.status,
        entry.promoted_by,
        *(figures.get(name) for name in _FIGURES),
        entry.as_of_date,
        entry.promoted_at.replace(microsecond=0),
        entry.reason,
    )


_NAMES = ["model_name", "model_version", "status", "promoted_by", *_FIGURES, "as_of_date", "promoted_at", "reason"]


@app.command(name="list")
def list_(
    brand: BrandOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Retired and declined versions too.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """List the versions of every model, with the figures of their test period: champions score, challengers wait."""
    from ml.common.registry import statuses
    from orchestration.model_registry import logs

    with _settings(brand) as settings:
        found = [entry for log in logs(settings).values() for entry in statuses(log).values()]
        if not found:
            raise fail(f"no model of {settings.brand} is registered. Run `tessera run` first", USAGE)
        shown = [entry for entry in found if everything or entry.status in ("champion", "challenger")]
        print_rows(output, _NAMES, [_row(entry) for entry in shown], HEADINGS)


@app.command()
def show(
    model: ModelArgument,
    brand: BrandOption = None,
    version: Annotated[str | None, typer.Option("--version", metavar="VERSION", help="One version alone.")] = None,
    output: FormatOption = Format.table,
) -> None:
    """Show every decision about a model, oldest first: who scored since when, by whose hand and why."""
    from orchestration.model_registry import log_of

    with _settings(brand) as settings:
        entries = [entry for entry in log_of(settings, model) if version in (None, entry.model_version)]
        if not entries:
            raise fail(f"{model} has no version {version}; see `tessera models list --all`", USAGE)
        print_rows(output, _NAMES, [_row(entry) for entry in entries], HEADINGS)


@app.command()
def promote(
    model: ModelArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A registered version.")],
    reason: ReasonOption,
    brand: BrandOption = None,
) -> None:
    """Make a version champion: the next run scores with it, and no run replaces it until `tessera models release`."""
    from orchestration import model_registry

    with _settings(brand) as settings:
        _say(settings, model_registry.promote(settings, model, version, reason))


@app.command()
def rollback(model: ModelArgument, reason: ReasonOption, brand: BrandOption = None) -> None:
    """Put the champion before the present one in its place again; it holds until `tessera models release`."""
    from orchestration import model_registry

    with _settings(brand) as settings:
        _say(settings, model_registry.rollback(settings, model, reason))


@app.command()
def release(model: ModelArgument, reason: ReasonOption, brand: BrandOption = None) -> None:
    """Let runs decide again: the champion stays until a run trains a version that is not worse."""
    from orchestration import model_registry

    with _settings(brand) as settings:
        _say(settings, model_registry.release(settings, model, reason))


def _say(settings: Settings, entry: Entry) -> None:
    holds = "until it is released" if entry.promoted_by == "operator" else "until a run finds one that is not worse"
    typer.echo(
        f"{settings.brand}: {entry.model_version} is champion of {entry.model_name}, {holds}. "
        "It scores with the next `tessera run`"
    )


@app.command()
def card(
    model: ModelArgument,
    brand: BrandOption = None,
    version: Annotated[str | None, typer.Option("--version", metavar="VERSION", help="Default: the champion.")] = None,
    is_opened: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Print the path of a version's model card: question, figures, plots, limits."""
    from ml.common.artifacts import HTML_CARD_FILE
    from ml.common.registry import champion, statuses
    from orchestration.model_registry import log_of

    with _settings(brand) as settings:
        log = log_of(settings, model)
        entry = champion(log) if version is None else statuses(log).get(version)
        if entry is None or not entry.artifact_path:
            named = f"no version {version}" if version else "no champion"
            raise fail(f"{model} has {named} with a card; see `tessera models list --all`", USAGE)
        file = settings.artifacts_dir / entry.artifact_path / HTML_CARD_FILE
        if not file.exists():
            raise fail(f"{entry.model_version} has no card: there is no {file}", FAILED)
        typer.echo(str(file))
        if is_opened:
            typer.launch(file.as_uri())
