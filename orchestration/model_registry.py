"""The registry of a brand's models between its two places: a log beside the artifacts, and the published ml.model_registry.

Each place gives back what the other has lost. What the decisions are belongs in `ml.common.registry` and `ml.common.contest`; when
they are asked for belongs in `orchestration.defs.ml` and `orchestration.commands.models`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.common.registry import (
    LOG_FILE,
    Entry,
    UnknownVersionError,
    champion,
    known,
    merged,
    promoted,
    read_log,
    registered,
    released,
    rolled_back,
    statuses,
    write_log,
)
from orchestration.locking import brand_lock
from orchestration.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from ml.common.artifacts import LoadedModel
    from ml.common.pipeline import TrainResult

# Versions of a model whose files are kept, 0.2 to 10 MB each: a month of daily runs can be gone back to.
KEPT_VERSIONS = 30
# Figures of a version's own test cut that the registry shows.
SHOWN_METRICS = (
    "auc", "average_precision", "brier", "log_loss", "ece_10_equal_count", "lift_at_10_percent", "mean_score_over_base",
    "population_count", "base_rate",
)  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """The clocks of a run: its cut, what it knows, and when it decides."""

    as_of_date: date
    known_at: datetime
    decided_at: datetime


@dataclass(frozen=True, eq=False)
class Settled:
    """What a training led to: the log, who scores (None: nobody), and the scores given."""

    log: list[Entry]
    scorer: dict[str, Any] | None  # metadata of the version that scored
    scores: pd.DataFrame
    # False: no champion can score; the new version does, so that the gate can say what is wrong with it.
    is_champion: bool


def rows_to_log(rows: pd.DataFrame) -> list[Entry]:
    """Entries of rows of ml.model_registry."""
    import pandas as pd  # here: a run with nothing new reads the log, and says so within a second

    return merged(
        Entry(
            **{str(name): value for name, value in row.items()}
            | {
                "as_of_date": pd.Timestamp(row["as_of_date"]).date(),
                "promoted_at": pd.Timestamp(row["promoted_at"]).tz_convert(UTC).to_pydatetime(),
            }
        )
        for row in rows.to_dict("records")
    )


def log_to_rows(entries: Sequence[Entry]) -> pd.DataFrame:
    """Rows of ml.model_registry of a log."""
    import pandas as pd

    return pd.DataFrame([asdict(entry) for entry in entries])


def settle(
    artifacts: Path,
    published: Sequence[Entry],
    result: TrainResult,
    features: pd.DataFrame,
    purchase_days: pd.DataFrame,
    moment: Moment,
) -> Settled:
    """Save and register what was trained, decide who is champion, and let the champion score the members of `as_of_date`.

    `published` are the decisions of ml.model_registry. A run decides about a version once: the same version again changes nothing.
    A training that declined is registered and nobody scores. Nothing is written but the model's folder below `artifacts`.
    """
    from ml.common.artifacts import save_artifact
    from ml.common.contest import decide, why_unusable

    folder = artifacts / result.task.name
    log = merged(read_log(folder), published)
    heard = known(log, moment.as_of_date, moment.known_at)
    is_past = any(entry.as_of_date > moment.as_of_date for entry in log)
    if result.status == "trained":
        save_artifact(result, folder)
    standing = champion(heard)
    model = _read_back(artifacts, standing)
    new = _new_entry(
        result,
        heard,
        lambda: decide(result, standing, model, features, purchase_days, moment.as_of_date),
        moment,
        is_past=is_past,
    )
    if new is not None:
        heard = registered(heard, new)
        log = _with_past(log, new) if is_past else merged(log, heard)
    write_log(folder, log)
    _forget_old(folder, log)
    crowned = champion(heard)
    if result.status != "trained":
        return Settled(log, None, result.scores, is_champion=False)
    if crowned is None or crowned.model_version == result.model_version:
        return Settled(log, result.metadata, result.scores, is_champion=crowned is not None)
    if model is None or why_unusable(result, model, features):
        return Settled(log, result.metadata, result.scores, is_champion=False)
    import pandas as pd

    present = features.loc[pd.to_datetime(features["as_of_date"]) == pd.Timestamp(moment.as_of_date)]
    return Settled(log, model.metadata, model.score(present), is_champion=True)


def _with_past(log: list[Entry], new: Entry) -> list[Entry]:
    """The log after a run for a past cut: its version is on record, once, and champion of nothing that a later cut stands on."""
    if new.model_version in statuses(log):
        return log
    if new.status == "champion":
        new = replace(new, status="challenger", reason=f"scored the past cut {new.as_of_date} alone: {new.reason}")
    return registered(log, new)


def _new_entry(
    result: TrainResult, heard: list[Entry], decide: Callable[[], Any], moment: Moment, *, is_past: bool
) -> Entry | None:
    """What this run decides; None where it says nothing new.

    A version is decided about once, unless nobody is champion. A run for a past cut, of which little is recorded, decides anew.
    """
    if result.status != "trained":
        version = f"{result.task.name}-{moment.as_of_date:%Y%m%d}-none"
        before = statuses(heard).get(version)
        is_new = before is None or before.reason != result.reason
        return _entry(result, version, "declined", result.reason, moment) if is_new else None
    before = statuses(heard).get(result.model_version)
    if before is not None and champion(heard) is not None and not is_past:
        return None
    verdict = decide()
    if before is not None and before.status == verdict.status and not is_past:
        return None
    return _entry(result, result.model_version, verdict.status, verdict.reason, moment)


def _entry(result: TrainResult, version: str, status: Any, reason: str, moment: Moment) -> Entry:
    is_trained = result.status == "trained"
    figures = {name: result.metadata["test"][name] for name in SHOWN_METRICS} if is_trained else {}
    return Entry(
        model_name=result.task.name,
        model_version=version,
        status=status,
        promoted_by="run",
        reason=reason,
        data_hash=result.metadata["data_hash"] if is_trained else "",
        metrics=json.dumps(figures, sort_keys=True),
        artifact_path=f"{result.task.name}/{version}" if is_trained else "",
        as_of_date=moment.as_of_date,
        promoted_at=moment.decided_at.astimezone(UTC),
    )


def _read_back(artifacts: Path, entry: Entry | None) -> LoadedModel | None:
    """The model of an entry; None where there is no entry or its files are gone."""
    from ml.common.artifacts import load_artifact

    if entry is None or not (artifacts / entry.artifact_path).is_dir():
        return None
    return load_artifact(artifacts / entry.artifact_path)


def _forget_old(folder: Path, log: Sequence[Entry]) -> None:
    """Remove the files of versions that nobody will go back to; what was decided about them stays in the log.

    Kept are the KEPT_VERSIONS newest, whoever is champion, and every version that an operator ever made champion.
    """
    trained = [version for version, entry in statuses(log).items() if entry.artifact_path]
    by_hand = {entry.model_version for entry in log if (entry.status, entry.promoted_by) == ("champion", "operator")}
    crowned = champion(log)
    kept = by_hand | set(trained[-KEPT_VERSIONS:]) | ({crowned.model_version} if crowned else set())
    for version in trained:
        files = folder / version
        if version not in kept and files.is_dir() and not files.is_symlink():
            shutil.rmtree(files)


def logs(settings: Settings) -> dict[str, list[Entry]]:
    """The log of every model of a brand, by model name."""
    files = sorted(settings.artifacts_dir.glob(f"*/{LOG_FILE}"))
    return {file.parent.name: read_log(file.parent) for file in files}


def log_of(settings: Settings, model: str) -> list[Entry]:
    """The log of one model. Raises UnknownVersionError for a model that nothing was decided of."""
    found = logs(settings)
    if model not in found:
        raise UnknownVersionError(
            f"no model {model!r} is registered for {settings.brand}; there are: {', '.join(found) or 'none yet'}"
        )
    return found[model]


def promote(settings: Settings, model: str, version: str, reason: str) -> Entry:
    """Make a version champion, by an operator: the next run scores with it, and no run replaces it until it is released.

    Raises UnknownVersionError for a version that cannot be promoted, also because its artifact is gone or must not be loaded.
    """
    return _decide(settings, model, lambda log, at: promoted(log, version, reason, at))


def rollback(settings: Settings, model: str, reason: str) -> Entry:
    """Make the champion before the present one champion again; otherwise as `promote`."""
    return _decide(settings, model, lambda log, at: rolled_back(log, reason, at))


def release(settings: Settings, model: str, reason: str) -> Entry:
    """Let runs decide again who replaces the champion."""
    return _decide(settings, model, lambda log, at: released(log, reason, at))


def _decide(settings: Settings, model: str, change: Callable[[list[Entry], datetime], list[Entry]]) -> Entry:
    from ml.common.artifacts import UntrustedModelError

    with brand_lock(settings):
        log = change(log_of(settings, model), datetime.now(UTC))
        crowned = champion(log)
        assert crowned is not None
        try:
            model_files = _read_back(settings.artifacts_dir, crowned)
        except UntrustedModelError as refused:
            raise UnknownVersionError(str(refused)) from refused
        if model_files is None:
            raise UnknownVersionError(
                f"the artifact of {crowned.model_version} is gone: there is no {settings.artifacts_dir / crowned.artifact_path}"
            )
        write_log(settings.artifacts_dir / model, log)
    return crowned


def operator_decisions(settings: Settings) -> str:
    """sha256 over what operators decided, "" when that is nothing: an input of a run, which has something to do when it changes."""
    lines = [entry.to_line() for log in logs(settings).values() for entry in log if entry.promoted_by == "operator"]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def copy_registry(source: Settings, target: Settings) -> None:
    """Give another home the registered models, which are only read, and a log of its own: a past run goes by its clocks."""
    for model, log in logs(source).items():
        folder = target.artifacts_dir / model
        write_log(folder, log)
        for version in statuses(log):
            files = source.artifacts_dir / model / version
            if files.is_dir():
                (folder / version).symlink_to(files.resolve(), target_is_directory=True)
