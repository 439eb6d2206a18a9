"""Centres as a file, and back: `<folder>/<as_of_date>/{centres.json, card.md}`. Plain data: loading runs nothing.

One model of a scheme and cut is kept: what a run of the same day finds anew replaces it, all at once. Where the folder lies
belongs in `orchestration`.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np

CENTRES_FILE, CARD_FILE = "centres.json", "card.md"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class StoredCentresError(ValueError):
    """A file of centres cannot be read; says which, and what to do."""


@dataclass(frozen=True)
class StoredCentres:
    """What a later refit needs of an earlier one: centres (k, d) and the names they have; codes that none has any more."""

    model_version: str
    as_of_date: str
    features: list[str]
    codes: list[str]
    labels: list[list[str]]
    centres: list[list[float]]
    retired_codes: list[str]


def save_centres(stored: StoredCentres, card: str, folder: Path) -> Path:
    """Write both files of a model, each whole or not at all, and return their folder."""
    target = folder / stored.as_of_date
    target.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(stored), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    for name, content in ((CARD_FILE, card), (CENTRES_FILE, text)):
        handle, building = tempfile.mkstemp(prefix=".tmp-", dir=target)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        Path(building).chmod(0o644)  # mkstemp makes it readable by its owner only
        Path(building).replace(target / name)
    return target


def load_newest(folder: Path, as_of_date: date) -> StoredCentres | None:
    """The model of the newest cut that is not after this one; None where there is none.

    Raises StoredCentresError for a file that is not one of `save_centres`.
    """
    days = sorted(path.parent.name for path in folder.glob(f"*/{CENTRES_FILE}") if _DATE.fullmatch(path.parent.name))
    known = [day for day in days if day <= as_of_date.isoformat()]
    if not known:
        return None
    file = folder / known[-1] / CENTRES_FILE
    try:
        stored = StoredCentres(**json.loads(file.read_text(encoding="utf-8")))
        shape = np.asarray(stored.centres, dtype=np.float64).shape
    except (ValueError, TypeError) as error:
        raise StoredCentresError(_complaint(file)) from error
    if shape != (len(stored.codes), len(stored.features)) or len(stored.labels) != len(stored.codes):
        raise StoredCentresError(_complaint(file))
    return stored


def _complaint(file: Path) -> str:
    return f"{file.parent.parent.name}/{file.parent.name}/{file.name}: holds no centres; remove that folder, the next run makes it anew"
