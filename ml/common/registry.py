"""Which version of a model scores the members: a log of decisions, one JSON line each, beside the model's artifacts.

A decision is never changed or taken out: the newest one of a version is its status, the newest champion scores. Who deserves to be
champion is judged in `ml.common.contest`; commands and the published table belong in `orchestration`. Why files and a table, not a
tracking server: docs/decisions/0025-model-registry.md.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

LOG_FILE = "registry.jsonl"
Status = Literal["champion", "challenger", "retired", "declined"]
Decider = Literal["run", "operator"]


class UnknownVersionError(ValueError):
    """No such model or version is registered, or it cannot take the status; str() says what can be done."""


@dataclass(frozen=True)
class Entry:
    """One decision: from `promoted_at` on, `model_version` has `status`."""

    model_name: str
    model_version: str
    status: Status
    promoted_by: Decider
    reason: str
    data_hash: str  # of the training rows; "" for a training that declined
    metrics: str  # JSON object of the figures on the version's own test cut
    artifact_path: str  # below the brand's artifacts folder; "" for a training that declined
    as_of_date: date  # the cut the version was trained for
    promoted_at: datetime  # UTC

    def to_line(self) -> str:
        values = asdict(self) | {
            "as_of_date": self.as_of_date.isoformat(),
            "promoted_at": self.promoted_at.astimezone(UTC).isoformat(),
        }
        return json.dumps(values, sort_keys=True, ensure_ascii=False)

    @staticmethod
    def from_line(line: str) -> Entry:
        values = json.loads(line)
        return Entry(
            **values
            | {
                "as_of_date": date.fromisoformat(values["as_of_date"]),
                "promoted_at": datetime.fromisoformat(values["promoted_at"]),
            }
        )


def read_log(folder: Path) -> list[Entry]:
    """Decisions about the model whose artifacts lie in `folder`, oldest first; none is an empty list."""
    file = folder / LOG_FILE
    if not file.exists():
        return []
    return merged([Entry.from_line(line) for line in file.read_text(encoding="utf-8").splitlines() if line])


def write_log(folder: Path, entries: Sequence[Entry]) -> None:
    """Put the whole log in place at once; a log that says the same is left alone."""
    text = "".join(entry.to_line() + "\n" for entry in entries)
    file = folder / LOG_FILE
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as building:
        building.write(text)
        building.flush()
        os.fsync(building.fileno())
    Path(name).chmod(0o644)  # mkstemp makes it readable by its owner only
    Path(name).replace(file)


def merged(*logs: Iterable[Entry]) -> list[Entry]:
    """Every decision of the logs once, oldest first: what one of them has lost, another gives back."""
    entries = {(entry.promoted_at, entry.model_version, entry.status): entry for log in logs for entry in log}
    return [entries[key] for key in sorted(entries)]


def known(entries: Iterable[Entry], as_of_date: date, known_at: datetime) -> list[Entry]:
    """The decisions that a run for `as_of_date`, knowing what was known at `known_at`, may go by.

    Versions trained for a later cut do not exist for it, nor decisions made later; but those that an earlier run made about
    versions of this very cut are its own.
    """
    return [
        entry
        for entry in entries
        if entry.as_of_date <= as_of_date
        and (entry.promoted_at <= known_at or (entry.as_of_date == as_of_date and entry.promoted_by == "run"))
    ]


def statuses(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The newest decision about each version, versions in the order in which they were first heard of."""
    return {entry.model_version: entry for entry in entries}


def champion(entries: Sequence[Entry]) -> Entry | None:
    """The version that scores: the newest decision that made one champion. None before the first."""
    return next((entry for entry in reversed(entries) if entry.status == "champion"), None)


def registered(entries: Sequence[Entry], new: Entry) -> list[Entry]:
    """The log with one more decision, and the champion it replaces retired by the same hand. Moments always grow."""
    at = max([new.promoted_at, *(entry.promoted_at + timedelta(microseconds=1) for entry in entries)])
    new = replace(new, promoted_at=at)
    before = champion(entries)
    if new.status != "champion" or before is None or before.model_version == new.model_version:
        return [*entries, new]
    left = replace(
        before,
        status="retired",
        promoted_by=new.promoted_by,
        reason=f"replaced by {new.model_version}",
        promoted_at=at,
    )
    return merged(entries, [left, new])


def promoted(entries: Sequence[Entry], version: str, reason: str, at: datetime) -> list[Entry]:
    """The log after an operator made `version` champion; it stays so until an operator decides otherwise.

    Raises UnknownVersionError for a version that is not there, has no artifact (declined), or is an operator's champion already.
    """
    found = statuses(entries).get(version)
    if found is None or found.status == "declined":
        names = [name for name, entry in statuses(entries).items() if entry.status != "declined"]
        raise UnknownVersionError(f"no version {version!r} can be promoted; there are: {', '.join(names) or 'none'}")
    if champion(entries) == found and found.promoted_by == "operator":
        raise UnknownVersionError(f"{version} is champion by an operator's decision already")
    return registered(entries, replace(found, status="champion", promoted_by="operator", reason=reason, promoted_at=at))


def rolled_back(entries: Sequence[Entry], reason: str, at: datetime) -> list[Entry]:
    """The log after an operator put the champion before the present one in its place again.

    Raises UnknownVersionError when there was none.
    """
    present = champion(entries)
    crowned = [entry.model_version for entry in entries if entry.status == "champion"]
    earlier = [version for version in crowned if present and version != present.model_version]
    if present is None or not earlier:
        raise UnknownVersionError("no other version was champion before: there is nothing to roll back to")
    return promoted(entries, earlier[-1], reason, at)


def released(entries: Sequence[Entry], reason: str, at: datetime) -> list[Entry]:
    """The log after an operator let runs decide again: the champion stays until a run finds one that is not worse.

    Raises UnknownVersionError where no operator's decision holds.
    """
    present = champion(entries)
    if present is None or present.promoted_by != "operator":
        raise UnknownVersionError("no operator's decision holds: runs decide already")
    return registered(entries, replace(present, promoted_by="run", reason=reason, promoted_at=at))
