"""A suite: a small frame computed in the engine, and what must hold of it. Pure: knows neither Dagster nor files.

Great Expectations judges the frame; it is imported on first use because that takes seconds. What must hold of a table
belongs in `orchestration.quality.suites`; how outcomes become asset checks belongs in `orchestration.quality.adapter`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import pandas as pd

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Expectation:
    """One expectation: the class of great_expectations.expectations, its arguments, and what it means to a reader."""

    name: str
    kind: str
    arguments: dict[str, Any]
    meaning: str
    severity: Severity = "error"


@dataclass(frozen=True)
class Suite:
    """Expectations on the result of one query.

    `sql` must aggregate: its frame holds counts, sums and rates, never a member's value, so nothing personal can reach a
    check's metadata. `subject` is the table the suite speaks of, as (schema, table).
    """

    gate: str
    subject: tuple[str, str]
    name: str
    description: str
    sql: str
    expectations: tuple[Expectation, ...]

    @property
    def check_name(self) -> str:
        return f"{self.subject[1]}_{self.name}"


@dataclass(frozen=True)
class Outcome:
    """What came of one expectation. `observed` holds counts and aggregates only."""

    suite: str
    subject: tuple[str, str]
    check_name: str
    severity: Severity
    is_passed: bool
    observed: str
    meaning: str


@dataclass(frozen=True)
class SuiteResult:
    suite: Suite
    outcomes: tuple[Outcome, ...] = field(default=())

    @property
    def is_passed(self) -> bool:
        return all(outcome.is_passed for outcome in self.outcomes if outcome.severity == "error")


@lru_cache(maxsize=1)
def _great_expectations() -> tuple[Any, Any]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return gx, context


def prepare() -> None:
    """Load Great Expectations, which takes seconds; `run_suite` does it when nobody has."""
    _great_expectations()


def _observed(result: dict[str, Any]) -> str:
    """Counts of a Great Expectations result as text."""
    if "unexpected_count" in result:
        return f"{result['unexpected_count']} of {result.get('element_count', '?')} rows unexpected"
    if "observed_value" in result:
        return f"observed {result['observed_value']}"
    return "no detail"


def _was_raised(exception_info: dict[str, Any]) -> bool:
    """Whether an expectation could not be computed; Great Expectations nests this per metric, or not at all."""
    nested = [value for value in exception_info.values() if isinstance(value, dict)]
    return any(info.get("raised_exception") for info in (exception_info, *nested))


def run_suite(suite: Suite, frame: pd.DataFrame) -> SuiteResult:
    """Judge `frame` (rows of the suite's query) by every expectation of the suite.

    A frame without rows fails: a check that saw nothing has shown nothing. Raises KeyError for an unknown expectation.
    """
    if frame.empty:
        outcome = Outcome(
            suite.name,
            suite.subject,
            f"{suite.check_name}_has_rows",
            "error",
            False,
            "0 rows",
            "the suite's query returned nothing",
        )
        return SuiteResult(suite, (outcome,))
    gx, context = _great_expectations()
    source = context.data_sources.add_or_update_pandas(name="suite_frames")
    asset = source.add_dataframe_asset(name=suite.check_name)
    batch = asset.add_batch_definition_whole_dataframe("frame").get_batch(batch_parameters={"dataframe": frame})
    outcomes = []
    for expectation in suite.expectations:
        cls = getattr(gx.expectations, expectation.kind, None)
        if cls is None:
            raise KeyError(f"{suite.name}: great_expectations has no expectation {expectation.kind!r}")
        judged = batch.validate(
            cls(**expectation.arguments), result_format={"result_format": "BASIC", "partial_unexpected_count": 0}
        )
        error = _was_raised(judged.exception_info or {})
        outcomes.append(
            Outcome(
                suite=suite.name,
                subject=suite.subject,
                check_name=f"{suite.subject[1]}_{expectation.name}",
                severity=expectation.severity,
                is_passed=bool(judged.success),
                observed="the expectation could not be computed" if error else _observed(judged.result or {}),
                meaning=expectation.meaning,
            )
        )
    return SuiteResult(suite, tuple(outcomes))
