"""What of the probable pairs a run may join: nothing, unless their precision was measured and is high enough.

Kept below the brand's home by `orchestration.identity_candidates`, which finds and measures them; written for dbt by
`orchestration.identity`. Imported only where the option is on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path

import pandas as pd

from ml.identity.columns import PROBABILITY
from ml.identity.grouping import group_pairs
from ml.identity.measuring import measure
from orchestration.brands import IDENTITY_FILE, Account, Brand, BrandConfigError
from orchestration.explain import account_id_of

# Below a brand's home: what `tessera identity candidates` found, and what of it `tessera identity measure` has measured.
FOLDER, MEASURED = "identity", "measured"
PAIRS, GROUPS, ACCOUNTS, JUDGED = "pairs.parquet", "groups.parquet", "accounts.parquet", "judged.parquet"
FOUND_FILES = (PAIRS, GROUPS, ACCOUNTS)
GROUP_COLUMNS = ("group_id", "source_system", "member_key", "member_number", "account_count")
MEASUREMENT = "measurement.json"
# Begins the codes of decisions that nobody has written.
DECISION_PREFIX = "probabilistic_"


@dataclass(frozen=True)
class _Measured:
    threshold: float  # pairs less probable were not measured
    measured_at: datetime
    judged: pd.DataFrame


def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(folder: Path) -> _Measured | None:
    """The measurement; None where a file was changed or lost since."""
    try:
        document = json.loads((folder / MEASUREMENT).read_text(encoding="utf-8"))
        if any(file_digest(folder / name) != document["sha256"][name] for name in (*FOUND_FILES, JUDGED)):
            return None
        at = datetime.fromisoformat(document["measured_at"])
        return _Measured(float(document["threshold"]), at, pd.read_parquet(folder / JUDGED))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_measurement(brand: Brand, home: Path | None) -> str | None:
    """Why the probable pairs of a brand may not be joined, as `file: key: what is wrong; remedy`; None where they may.

    `home` is the brand's home.
    """
    option = brand.identity.probabilistic
    again = (
        f"run `tessera identity candidates --brand {brand.brand}`, answer its review file, then "
        f"`tessera identity measure --brand {brand.brand}`; or set enabled: false"
    )

    def problem(key: str, what: str, remedy: str) -> str:
        return f"{IDENTITY_FILE}: probabilistic.{key}: {what}; {remedy}"

    folder = home / FOLDER / MEASURED if home is not None else None
    if folder is None or not (folder / MEASUREMENT).exists():
        return problem("enabled", "the precision of these pairs has not been measured", again)
    measured = _read(folder)
    if measured is None:
        return problem("enabled", "the pairs are no longer those that were measured", again)
    if option.threshold < measured.threshold:
        what = f"is {option.threshold}, and only pairs from {measured.threshold} on were measured"
        return problem("threshold", what, f"raise it, or {again}")
    result = measure(measured.judged, [option.threshold])[0]
    if result.pair_count == 0:
        return None
    needed = min(option.min_reviewed_pairs, result.pair_count)
    if result.precision_low is None or result.judged_count < needed:
        what = f"{result.judged_count} of {result.pair_count} pairs from {option.threshold} on are judged, {needed} must be"
        return problem("min_reviewed_pairs", what, again)
    if result.precision_low < option.required_precision:
        what = (
            f"is {option.required_precision}, but {result.right_count} of {result.judged_count} judged pairs from "
            f"{option.threshold} on are one person, which shows a precision of {result.precision_low:.4f} (95 %)"
        )
        return problem("required_precision", what, "raise threshold, review more pairs, or set enabled: false")
    return None


def refuse_unmeasured(brand: Brand, home: Path | None) -> None:
    """Raises BrandConfigError where `check_measurement` finds a reason."""
    if problem := check_measurement(brand, home):
        raise BrandConfigError(brand.brand, [problem])


def probable_decisions(brand: Brand, home: Path | None) -> list[tuple[object, ...]]:
    """Rows of config.identity_decisions that keep together what is probably one person, group by group.

    Groups with two member numbers, with accounts that identity.yml keeps apart, or with more than `max_accounts` are left out.
    Raises BrandConfigError where `check_measurement` finds a reason.
    """
    problem = check_measurement(brand, home)
    if problem is not None or home is None:
        raise BrandConfigError(brand.brand, [str(problem)])
    folder, threshold = home / FOLDER / MEASURED, brand.identity.probabilistic.threshold
    measured = _read(folder)
    at = measured.measured_at if measured else None
    groups = [
        tuple(row) for row in pd.read_parquet(folder / GROUPS, columns=list(GROUP_COLUMNS)).astype(object).to_numpy()
    ]
    group_of = pd.read_parquet(folder / ACCOUNTS).set_index("account_id")["group_id"].to_dict()

    def group(account: Account) -> str:
        return group_of.get(account_id_of(account.source_system, account.member_key), "")

    kept_apart = [
        (group(left), group(right))
        for decision in brand.identity.keep_apart
        for left, right in combinations(decision.accounts, 2)
    ]
    found = group_pairs(
        pd.read_parquet(folder / PAIRS),
        threshold,
        max_size=brand.identity.max_accounts,
        sizes={id_: count for id_, _, _, _, count in groups},
        apart={id_: number for id_, _, _, number, _ in groups if isinstance(number, str)},
        kept_apart=kept_apart,
    )
    keys = {id_: (system, key) for id_, system, key, _, _ in groups}
    together: dict[str, list[str]] = {}
    for id_, whole in found.group_of.items():
        together.setdefault(whole, []).append(id_)
    return [
        (_code(ids), "keep_together", *keys[id_], None, None, f"{PROBABILITY} of at least {threshold}", at)
        for ids in together.values()
        for id_ in ids
    ]


def _code(ids: list[str]) -> str:
    return DECISION_PREFIX + hashlib.sha256("|".join(sorted(ids)).encode()).hexdigest()[:16]
