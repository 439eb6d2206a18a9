"""The one adapter between suites and Dagster: suites → blocking asset checks, outcomes → ops.gate_results.

What must hold belongs in `quality.suites`, how a frame is judged in `quality.suite`.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import dagster as dg

from orchestration.quality.suite import Outcome, Suite, SuiteResult, run_suite
from orchestration.resources import BrandRun


def gate_rows(results: Iterable[SuiteResult]) -> list[dict[str, object]]:
    """Rows of ops.gate_results (without run, gate and time) of suite results."""
    return [
        {
            "check_name": outcome.check_name,
            "subject": ".".join(outcome.subject),
            "severity": outcome.severity,
            "is_passed": outcome.is_passed,
            "observed": outcome.observed,
        }
        for result in results
        for outcome in result.outcomes
    ]


def check_spec(suite: Suite, *, blocking: bool = True) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=suite.check_name,
        asset=dg.AssetKey(list(suite.subject)),
        description=f"{suite.gate}: {suite.description}",
        blocking=blocking,
    )


def check_result(result: SuiteResult) -> dg.AssetCheckResult:
    """Counts and meanings as metadata; no value of any row."""
    failed = [outcome for outcome in result.outcomes if not outcome.is_passed]
    return dg.AssetCheckResult(
        passed=result.is_passed,
        check_name=result.suite.check_name,
        asset_key=dg.AssetKey(list(result.suite.subject)),
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(describe(outcome) for outcome in failed) or None,
        metadata={
            "gate": result.suite.gate,
            "expectation_count": len(result.outcomes),
            "failed_count": len(failed),
            **{outcome.check_name: outcome.observed for outcome in failed},
        },
    )


def describe(outcome: Outcome) -> str:
    return f"{outcome.check_name}: expected that {outcome.meaning}; {outcome.observed}"


def gate_checks(
    gate: str, suites: Sequence[Suite], prepare: Callable[[BrandRun], None] | None = None
) -> dg.AssetChecksDefinition:
    """All suites of a gate as one step of blocking checks. `prepare` runs first, with the brand's build file closed."""

    @dg.multi_asset_check(name=gate, specs=[check_spec(suite) for suite in suites], can_subset=True)
    def _gate(context: dg.AssetCheckExecutionContext, brand_run: BrandRun):
        if prepare is not None:
            prepare(brand_run)
        wanted = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
        chosen = [s for s in suites if (dg.AssetKey(list(s.subject)), s.check_name) in wanted]
        results = [run_suite(suite, brand_run.query(suite.sql)) for suite in chosen]
        brand_run.write_gate_results(context.op_execution_context.run_id, gate, gate_rows(results), datetime.now(UTC))
        for result in results:
            for outcome in result.outcomes:
                if not outcome.is_passed and outcome.severity == "error":
                    context.log.error(f"{gate} closed: {describe(outcome)}")
                elif not outcome.is_passed:
                    context.log.warning(f"{gate} warns: {describe(outcome)}")
        count = sum(len(result.outcomes) for result in results)
        passed = sum(outcome.is_passed for result in results for outcome in result.outcomes)
        context.log.info(f"{gate}: {passed} of {count} expectations hold")
        for result in results:
            yield check_result(result)

    return _gate
