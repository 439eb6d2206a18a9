"""Short forms of the expectations that suites use most. Anything rarer is written out as an `Expectation`."""

from __future__ import annotations

from orchestration.quality.suite import Expectation, Severity


def between(
    column: str,
    low: float | None,
    high: float | None,
    meaning: str,
    *,
    name: str | None = None,
    severity: Severity = "error",
) -> Expectation:
    """Every value of `column` lies in [low, high]; None leaves a side open."""
    return Expectation(
        name or f"{column}_in_range",
        "ExpectColumnValuesToBeBetween",
        {"column": column, "min_value": low, "max_value": high},
        meaning,
        severity,
    )


def zero(column: str, meaning: str, *, severity: Severity = "error") -> Expectation:
    """Every value of `column` is 0."""
    return between(column, 0, 0, meaning, name=f"{column}_is_zero", severity=severity)


def not_null(column: str, meaning: str) -> Expectation:
    return Expectation(f"{column}_not_null", "ExpectColumnValuesToNotBeNull", {"column": column}, meaning)


def equal_columns(left: str, right: str, meaning: str) -> Expectation:
    """Two columns agree in every row."""
    return Expectation(
        f"{left}_equals_{right}", "ExpectColumnPairValuesToBeEqual", {"column_A": left, "column_B": right}, meaning
    )


def row_count(low: int, high: int | None, meaning: str) -> Expectation:
    return Expectation(
        "row_count_in_range", "ExpectTableRowCountToBeBetween", {"min_value": low, "max_value": high}, meaning
    )
