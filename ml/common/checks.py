"""One line of what is watched: a figure, the bound it must keep, and whether it does. Rows of `ml.model_monitoring`.

Figures that speak of leaks are made in `ml.common.leakage`, those of drift and decay in `ml.common.watching`. Whether a line
stops a run or only warns is decided by gate_models.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from ml.common import columns as col

CHECK_COLUMNS = [
    col.MODEL_NAME, col.MODEL_VERSION, "check_name", "subject", "value", "threshold", "is_ok", col.AS_OF_DATE,
]  # fmt: skip
DECIMALS = 6  # beyond them the order of floating-point sums shows


@dataclass(frozen=True)
class Check:
    """`value` of `subject` (a column, a cut, `scores`) against `threshold`; what each check means is in docs/model-registry.md."""

    check_name: str
    subject: str
    value: float
    threshold: float
    is_ok: bool


def check_rows(
    model_name: str, model_version: str, as_of_date: date | pd.Timestamp, checks: Iterable[Check]
) -> pd.DataFrame:
    """Checks as rows with CHECK_COLUMNS, in the order given; figures rounded to DECIMALS. No checks: no rows."""
    rows = [
        {
            col.MODEL_NAME: model_name,
            col.MODEL_VERSION: model_version,
            "check_name": check.check_name,
            "subject": check.subject,
            "value": round(float(check.value), DECIMALS),
            "threshold": round(float(check.threshold), DECIMALS),
            "is_ok": bool(check.is_ok),
            col.AS_OF_DATE: pd.Timestamp(as_of_date),
        }
        for check in checks
    ]
    return pd.DataFrame(rows, columns=CHECK_COLUMNS)
