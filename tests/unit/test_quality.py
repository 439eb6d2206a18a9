"""Suites on frames built by hand: each passes a clean frame, and each of its expectations fails on one defect of its own.

That the SQL of a suite computes such frames from real tables is shown in tests/integration/test_suites.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from orchestration import build_file, resources, warehouse
from orchestration.brands import BRAND_FILE
from orchestration.landing.contract import load_contract
from orchestration.quality import adapter
from orchestration.quality.suite import Expectation, Outcome, Suite, SuiteResult, run_suite
from orchestration.quality.suites import marts, models, publish, raw, segments, tags
from orchestration.quality.suites.expect import between, equal_columns, not_null, row_count, zero
from orchestration.resources import BrandRun
from orchestration.settings import Settings

EVERYTHING = list(load_contract())
LIMIT = raw.QuarantineLimit(max_share=0.01, tolerated_rows=10)
MODEL_SUITES = {suite.name: suite for suite in models.suites({"churn_scores": "churn"})}
SHRINKAGE = publish.shrinkage({"marts.fct_orders": 100}, max_shrink_rate=0.05)
# A value of a row, in a column that a frame might one day hold. No outcome, result or log may carry it.
PRIVATE = "Mrs Jane 4711"

Row = dict[str, Any]


def clean(**row: Any) -> list[Row]:
    return [row]


BATCHES, CLOCK, _ = raw.suites({"order_lines": LIMIT})
BATCHES_CLEAN = clean(
    batch_count=1, unaccounted_batch_count=0, mislaid_batch_count=0, quarantine_rate=0.01, set_aside_file_count=0
)
TAG = {
    "tag_code": PRIVATE,
    "label_zh": "标签",
    "label_en": "Tag",
    "coverage_rate": 1.0,
    "tag_count": 40,
    "column_count": 40,
    "shared_label_count": 0,
}


@dataclass(frozen=True, eq=False)
class Case:
    """A suite, a clean frame, and per expectation what to change in the frame's first row; None = keep that row only.

    `unreachable` names the expectation that a frame made this way cannot break; it has a test of its own.
    """

    suite: Suite
    rows: list[Row]
    defects: dict[str, Row | None]
    unreachable: str | None = None

    @property
    def title(self) -> str:
        return f"{self.suite.gate}-{self.suite.check_name}"


CASES = [
    Case(
        BATCHES,
        BATCHES_CLEAN,
        {
            "batch_count_in_range": {"batch_count": 0},
            "unaccounted_batch_count_is_zero": {"unaccounted_batch_count": 1},
            "mislaid_batch_count_is_zero": {"mislaid_batch_count": 1},
            "quarantine_rate_in_range": {"quarantine_rate": 0.0101},
            "set_aside_file_count_is_zero": {"set_aside_file_count": 1},
        },
    ),
    Case(
        CLOCK,
        clean(future_row_count=0, ancient_row_count=0),
        {
            "future_row_count_is_zero": {"future_row_count": 1},
            "ancient_row_count_is_zero": {"ancient_row_count": 1},
        },
    ),
    Case(
        raw.ORDER_LINES,
        clean(line_count=5, negative_sale_count=0, positive_refund_count=0, currency_count=1),
        {
            "line_count_in_range": {"line_count": 0},
            "negative_sale_count_is_zero": {"negative_sale_count": 1},
            "positive_refund_count_is_zero": {"positive_refund_count": 1},
            "currency_count_in_range": {"currency_count": 2},
        },
    ),
    Case(
        raw.REFUNDS,
        clean(negative_amount_count=0),
        {"negative_amount_count_is_zero": {"negative_amount_count": 1}},
    ),
    Case(
        raw.POINTS,
        clean(negative_earning_count=0, positive_spending_count=0),
        {
            "negative_earning_count_is_zero": {"negative_earning_count": 1},
            "positive_spending_count_is_zero": {"positive_spending_count": 1},
        },
    ),
    Case(
        raw.EVENTS,
        clean(instant_count=2, nobody_rate=0.5),
        {
            "instant_count_in_range": {"instant_count": 1},
            "nobody_rate_in_range": {"nobody_rate": 0.51},
        },
    ),
    Case(
        raw.COUPON_REDEMPTIONS,
        clean(unknown_coupon_count=0),
        {"unknown_coupon_count_is_zero": {"unknown_coupon_count": 1}},
    ),
    Case(
        marts.ORDERS,
        clean(business_date=PRIVATE, order_count=1, gross_amount=0.0, buyer_count=0, member_order_count=0),
        {"order_count_in_range": {"order_count": 0}, "gross_amount_in_range": {"gross_amount": -0.01}},
        unreachable="row_count_in_range",
    ),
    Case(
        marts.LINES,
        clean(
            staged_line_count=9, mart_line_count=9, staged_amount=10.5, mart_amount=10.5, unknown_product_count=0,
            unknown_member_count=0, valid_order_rate=0.5,
        ),
        {
            "staged_line_count_equals_mart_line_count": {"mart_line_count": 8},
            "staged_amount_equals_mart_amount": {"mart_amount": 10.4999},
            "unknown_product_count_is_zero": {"unknown_product_count": 1},
            "unknown_member_count_is_zero": {"unknown_member_count": 1},
            "valid_order_rate_in_range": {"valid_order_rate": 0.49},
        },
    ),
    Case(
        marts.REDEMPTIONS,
        clean(redemption_count=100, matched_rate=0.95),
        {"matched_rate_in_range": {"matched_rate": 0.949}},
    ),
    Case(
        marts.COVERAGE,
        clean(entity=PRIVATE, entity_row_count=1),
        {"entity_row_count_in_range": {"entity_row_count": 0}},
        unreachable="row_count_in_range",
    ),
    Case(
        marts.MEMBERS,
        clean(flagged_rate=0.2),
        {"flagged_rate_in_range": {"flagged_rate": 0.21}},
    ),
    Case(
        marts.REFUNDS,
        clean(
            staged_refund_count=3, mart_refund_count=3, staged_refund_amount=9.5, mart_refund_amount=9.5,
            known_order_rate=0.8,
        ),
        {
            "staged_refund_count_equals_mart_refund_count": {"mart_refund_count": 2},
            "staged_refund_amount_equals_mart_refund_amount": {"mart_refund_amount": 9.49},
            "known_order_rate_in_range": {"known_order_rate": 0.79},
        },
    ),
    Case(
        marts.EVENTS,
        clean(
            staged_event_count=9, mart_event_count=9, outside_calendar_rate=0.05, bot_rate=0.5, nobody_rate=0.5,
            purchase_counted_twice_count=0,
        ),
        {
            "staged_event_count_equals_mart_event_count": {"mart_event_count": 8},
            "outside_calendar_rate_in_range": {"outside_calendar_rate": 0.051},
            "bot_rate_in_range": {"bot_rate": 0.51},
            "nobody_rate_in_range": {"nobody_rate": 0.51},
            "purchase_counted_twice_count_is_zero": {"purchase_counted_twice_count": 1},
        },
    ),
    Case(
        marts.RECEIPTS,
        clean(staged_receipt_count=2, mart_receipt_count=2, impossible_discount_count=0),
        {
            "staged_receipt_count_equals_mart_receipt_count": {"mart_receipt_count": 3},
            "impossible_discount_count_is_zero": {"impossible_discount_count": 1},
        },
    ),
    Case(
        MODEL_SUITES["scores"],
        clean(
            scored_or_declined_count=1, duplicate_member_count=0, impossible_score_count=0, impossible_percentile_count=0,
            version_count=1, distinct_score_rate=0.01, mean_score_over_base_rate=0.4, unknown_member_count=0,
        ),
        {
            "scored_or_declined_count_in_range": {"scored_or_declined_count": 0},
            "duplicate_member_count_is_zero": {"duplicate_member_count": 1},
            "impossible_score_count_is_zero": {"impossible_score_count": 1},
            "impossible_percentile_count_is_zero": {"impossible_percentile_count": 1},
            "version_count_in_range": {"version_count": 2},
            "distinct_score_rate_in_range": {"distinct_score_rate": 0.009},
            "mean_score_over_base_rate_in_range": {"mean_score_over_base_rate": 2.51},
            "unknown_member_count_is_zero": {"unknown_member_count": 1},
        },
    ),
    Case(
        MODEL_SUITES["evaluation"],
        clean(judged_or_declined_count=1, below_rule_count=0, suspected_leak_count=0, auc=0.97),
        {
            "judged_or_declined_count_in_range": {"judged_or_declined_count": 0},
            "below_rule_count_is_zero": {"below_rule_count": 1},
            "suspected_leak_count_is_zero": {"suspected_leak_count": 1},
            "auc_in_range": {"auc": 0.971},
        },
        unreachable="row_count_in_range",  # its defect is a second row
    ),
    Case(
        MODEL_SUITES["monitoring"],
        clean(
            watched_or_declined_count=1, unregistered_score_count=0,
            **{f"{check}_alarm_count": 0 for check, *_ in models.WATCHED},
        ),
        {
            "watched_or_declined_count_in_range": {"watched_or_declined_count": 0},
            "unregistered_score_count_is_zero": {"unregistered_score_count": 1},
            **{f"{check}_alarm_count_is_zero": {f"{check}_alarm_count": 1} for check, *_ in models.WATCHED},
        },
    ),
    Case(
        tags.MEMBER_TAGS,
        clean(
            member_count=4, tagged_member_count=4, tagged_order_count=7, order_count=7, tagged_spend_amount=70.0,
            spend_amount=70.0, lifecycle_mismatch_count=0,
        ),
        {
            "member_count_equals_tagged_member_count": {"tagged_member_count": 5},
            "tagged_order_count_equals_order_count": {"order_count": 8},
            "tagged_spend_amount_equals_spend_amount": {"spend_amount": 70.01},
            "lifecycle_mismatch_count_is_zero": {"lifecycle_mismatch_count": 1},
        },
    ),
    Case(
        tags.CATALOGUE,
        [TAG] * 450,
        {
            "row_count_in_range": None,
            "label_zh_not_null": {"label_zh": None},
            "label_en_not_null": {"label_en": None},
            "shared_label_count_is_zero": {"shared_label_count": 1},
            "tag_count_equals_column_count": {"column_count": 41},
            "coverage_rate_in_range": {"coverage_rate": 1.01},
        },
    ),
    Case(
        tags.HISTORY,
        [{"family_code": "base", "member_count": 9, "open_row_count": 9}] * 4,
        {"row_count_in_range": None, "member_count_equals_open_row_count": {"open_row_count": 8}},
    ),
    Case(
        tags.RFM,
        [
            {"kind": "tier", "largest_member_rate": 0.8, "code_count": 8},
            {"kind": "recency_score", "largest_member_rate": 0.2, "code_count": 5},
        ],
        {
            "row_count_in_range": None,
            "largest_member_rate_in_range": {"largest_member_rate": 0.81},
            "code_count_in_range": {"code_count": 1},
        },
    ),
    Case(
        segments.MEMBERS,
        [
            {
                "scheme": scheme, "card_count": 3, "miscounted_cluster_count": 0, "duplicate_member_count": 0,
                "undescribed_member_count": 0, "unknown_member_count": 0,
            }
            for scheme in ("journeys", "strata")
        ],
        {
            "row_count_in_range": None,
            "card_count_in_range": {"card_count": 0},
            "miscounted_cluster_count_is_zero": {"miscounted_cluster_count": 1},
            "duplicate_member_count_is_zero": {"duplicate_member_count": 1},
            "undescribed_member_count_is_zero": {"undescribed_member_count": 1},
            "unknown_member_count_is_zero": {"unknown_member_count": 1},
        },
    ),
    Case(
        segments.CARDS,
        clean(least_stability=0.8, largest_member_rate=0.9, shared_label_count=0, unnamed_cluster_count=0),
        {
            "least_stability_in_range": {"least_stability": 0.799},
            "largest_member_rate_in_range": {"largest_member_rate": 0.901},
            "shared_label_count_is_zero": {"shared_label_count": 1},
            "unnamed_cluster_count_is_zero": {"unnamed_cluster_count": 1},
        },
        unreachable="row_count_in_range",
    ),
    Case(
        tags.TRACKING_EVENTS,
        clean(absent_event_count=0, unplanned_event_count=0),
        {
            "absent_event_count_is_zero": {"absent_event_count": 1},
            "unplanned_event_count_is_zero": {"unplanned_event_count": 1},
        },
    ),
    Case(
        tags.TRACKING_PROPERTIES,
        clean(absent_property_count=0, mistyped_property_count=0, incomplete_property_count=0),
        {
            "absent_property_count_is_zero": {"absent_property_count": 1},
            "mistyped_property_count_is_zero": {"mistyped_property_count": 1},
            "incomplete_property_count_is_zero": {"incomplete_property_count": 1},
        },
    ),
    Case(
        publish.RECONCILIATION,
        clean(check_code=PRIVATE, difference=0.0),
        {"difference_is_zero": {"difference": 0.0001}},
        unreachable="row_count_in_range",
    ),
    Case(
        publish.content(EVERYTHING),
        clean(
            member_count=4, tagged_member_count=4, order_count=1, event_count=1, receipt_count=1, churn_score_count=0,
            propensity_score_count=0, sales_day_count=1, batch_count=1, failed_check_count=0, identifier_column_count=0,
        ),
        {
            "member_count_equals_tagged_member_count": {"tagged_member_count": 3},
            "event_count_in_range": {"event_count": 0},
            "receipt_count_in_range": {"receipt_count": 0},
            "order_count_in_range": {"order_count": 0},
            "sales_day_count_in_range": {"sales_day_count": 0},
            "batch_count_in_range": {"batch_count": 0},
            "failed_check_count_is_zero": {"failed_check_count": 1},
            "identifier_column_count_is_zero": {"identifier_column_count": 1},
        },
    ),
    Case(
        SHRINKAGE,
        clean(table_name=PRIVATE, kept_rate=0.95),
        {"kept_rate_in_range": {"kept_rate": 0.9499}},
    ),
]  # fmt: skip
DEFECTS = [(case, name) for case in CASES for name in case.defects]
FRAMES = {case.suite.check_name: case.rows for case in CASES}


def name_of(value: object) -> str:
    return value.title if isinstance(value, Case) else str(value)


def broken(result: SuiteResult) -> list[str]:
    return [outcome.check_name for outcome in result.outcomes if not outcome.is_passed]


def declared_suites() -> list[Suite]:
    return [
        *raw.suites({"order_lines": LIMIT, **dict.fromkeys(raw.CONTENT, LIMIT)}),
        *marts.suites(EVERYTHING),
        *models.suites({"churn_scores": "churn"}),
        *segments.SUITES,
        *tags.suites(EVERYTHING, has_tracking_plan=True),
        publish.RECONCILIATION,
        publish.content(EVERYTHING),
        SHRINKAGE,
    ]


# ---- suites ------------------------------------------------------------------------------------------------------


def test_every_expectation_of_every_suite_has_a_defect_here() -> None:
    cases = {case.title: case for case in CASES}
    for suite in declared_suites():
        # The suites of batches and of the clock are the same declaration for every entity.
        shared = suite.gate == raw.GATE and suite.name in ("batches", "clock")
        title = f"{suite.gate}-{f'order_lines_{suite.name}' if shared else suite.check_name}"
        assert title in cases, f"add a Case for {title}: a clean frame, and a defect per expectation"
        case = cases[title]
        named = {*case.defects, case.unreachable} - {None}
        assert named == {expectation.name for expectation in suite.expectations}, case.title


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_clean_frame_passes(case: Case) -> None:
    result = run_suite(case.suite, pd.DataFrame(case.rows))
    assert broken(result) == [] and result.is_passed
    assert len(result.outcomes) == len(case.suite.expectations)


@pytest.mark.parametrize(("case", "expectation"), DEFECTS, ids=name_of)
def test_one_defect_fails_one_expectation_and_shows_no_value(case: Case, expectation: str) -> None:
    change = case.defects[expectation]
    frame = pd.DataFrame(case.rows[:1] if change is None else [case.rows[0] | change, *case.rows[1:]])
    result = run_suite(case.suite, frame)
    assert broken(result) == [f"{case.suite.subject[1]}_{expectation}"]
    (severity,) = (found.severity for found in case.suite.expectations if found.name == expectation)
    assert result.is_passed is (severity == "warn"), "an error closes the gate, a warning does not"
    assert PRIVATE not in repr(result.outcomes)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_frame_without_rows_fails(case: Case) -> None:
    result = run_suite(case.suite, pd.DataFrame(case.rows).head(0))
    assert broken(result) == [f"{case.suite.check_name}_has_rows"] and not result.is_passed


def test_a_second_evaluation_row_fails() -> None:
    suite = MODEL_SUITES["evaluation"]
    frame = pd.DataFrame(FRAMES[suite.check_name] * 2)
    assert broken(run_suite(suite, frame)) == ["churn_scores_row_count_in_range"]


def test_a_second_summary_of_cards_fails() -> None:
    frame = pd.DataFrame(FRAMES[segments.CARDS.check_name] * 2)
    assert broken(run_suite(segments.CARDS, frame)) == ["segment_cards_row_count_in_range"]


def test_a_declined_model_passes_with_its_rates_unknown() -> None:
    unknown = {"scores": ["version_count", "distinct_score_rate", "mean_score_over_base_rate"], "evaluation": ["auc"]}
    for name, columns in unknown.items():
        suite = MODEL_SUITES[name]
        frame = pd.DataFrame(FRAMES[suite.check_name]).assign(**dict.fromkeys(columns, float("nan")))
        assert broken(run_suite(suite, frame)) == []


def test_raw_suites_follow_what_the_brand_has() -> None:
    assert {s.subject for s in raw.suites({"members": LIMIT})} == {("raw", "members")}
    assert raw.ORDER_LINES in raw.suites({"order_lines": LIMIT})


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        (["events"], [marts.COVERAGE, marts.MEMBERS, marts.EVENTS]),
        (["coupon_receipts", "offers"], [marts.COVERAGE, marts.MEMBERS, marts.RECEIPTS]),
        (["order_lines"], [marts.COVERAGE, marts.MEMBERS, marts.ORDERS, marts.LINES]),
        # Without orders there is nothing to hold the days of redemption against.
        (["coupon_redemptions"], [marts.COVERAGE, marts.MEMBERS]),
        (
            ["order_lines", "coupon_redemptions", "refunds"],
            [marts.COVERAGE, marts.MEMBERS, marts.ORDERS, marts.LINES, marts.REDEMPTIONS, marts.REFUNDS],
        ),
    ],
)
def test_marts_are_judged_by_what_the_brand_has(entities: list[str], expected: list[Suite]) -> None:
    assert list(marts.suites(entities)) == expected


def test_nobody_demands_rows_of_what_the_brand_does_not_have() -> None:
    def demanded(entities: list[str]) -> set[str]:
        return {e.name for e in publish.content(entities).expectations if e.name.endswith("_count_in_range")}

    assert demanded([]) == {"batch_count_in_range"}
    assert demanded(["events"]) == {"batch_count_in_range", "event_count_in_range"}
    assert demanded(["order_lines"]) == {"batch_count_in_range", "order_count_in_range", "sales_day_count_in_range"}
    assert tags.RFM not in tags.suites(["events"]) and tags.RFM in tags.suites(["order_lines"])
    assert tags.TRACKING_EVENTS not in tags.suites(["events"])
    assert tags.TRACKING_EVENTS in tags.suites(["events"], has_tracking_plan=True)


def test_checks_of_one_gate_have_names_of_their_own() -> None:
    keys = [(suite.subject, suite.check_name) for suite in declared_suites()]
    assert len(keys) == len(set(keys))


def test_the_kinds_in_use_observe_counts_only() -> None:
    # Their results hold a number of rows. Others (distinct values, quantiles, most common value) would quote the frame.
    assert {e.kind for suite in declared_suites() for e in suite.expectations} <= {
        "ExpectColumnValuesToBeBetween",
        "ExpectColumnValuesToNotBeNull",
        "ExpectColumnPairValuesToBeEqual",
        "ExpectTableRowCountToBeBetween",
    }


# ---- run_suite ---------------------------------------------------------------------------------------------------


def suite_of(*expectations: Expectation) -> Suite:
    return Suite("gate_test", ("marts", "things"), "facts", "Things are facts.", "select 1 as number", expectations)


@pytest.mark.parametrize(
    ("expectation", "good", "bad"),
    [
        (between("number", 1, 2, ""), {"number": [1, 2]}, {"number": [1, 2.01]}),
        (between("number", None, 2, ""), {"number": [-9, 2]}, {"number": [-9, 3]}),
        (zero("number", ""), {"number": [0, 0.0]}, {"number": [0, -1]}),
        (not_null("number", ""), {"number": [0, 1]}, {"number": [0, None]}),
        (equal_columns("number", "other", ""), {"number": [1], "other": [1]}, {"number": [1], "other": [2]}),
        (row_count(2, 2, ""), {"number": [1, 1]}, {"number": [1, 1, 1]}),
    ],
    ids=lambda v: v.name if isinstance(v, Expectation) else "",
)
def test_short_forms(expectation: Expectation, good: dict[str, list], bad: dict[str, list]) -> None:
    assert run_suite(suite_of(expectation), pd.DataFrame(good)).is_passed
    assert not run_suite(suite_of(expectation), pd.DataFrame(bad)).is_passed


def test_a_warning_does_not_close_the_gate() -> None:
    suite = suite_of(zero("number", "nothing", severity="warn"))
    result = run_suite(suite, pd.DataFrame({"number": [1]}))
    assert broken(result) == ["things_number_is_zero"] and result.is_passed


def test_an_expectation_that_cannot_be_computed_fails_and_says_so() -> None:
    result = run_suite(suite_of(zero("absent", "nothing")), pd.DataFrame({"number": [PRIVATE]}))
    assert not result.is_passed
    assert result.outcomes[0].observed == "the expectation could not be computed"


def test_a_value_of_a_wrong_type_is_not_quoted() -> None:
    result = run_suite(suite_of(between("number", 0, 1, "a share")), pd.DataFrame({"number": [PRIVATE]}))
    assert not result.is_passed and PRIVATE not in repr(result.outcomes)


def test_an_unknown_expectation_is_named() -> None:
    with pytest.raises(KeyError, match=r"facts.*ExpectMiracles"):
        run_suite(suite_of(Expectation("miracles", "ExpectMiracles", {}, "")), pd.DataFrame({"number": [1]}))


# ---- adapter -----------------------------------------------------------------------------------------------------


def result_of(*is_passed: bool, severity: Any = "error") -> SuiteResult:
    suite = suite_of()
    outcomes = tuple(
        Outcome(suite.name, suite.subject, f"things_{n}", severity, passed, f"{n} of 9 rows unexpected", f"rule {n}")
        for n, passed in enumerate(is_passed)
    )
    return SuiteResult(suite, outcomes)


def test_gate_rows_have_one_row_per_expectation() -> None:
    rows = adapter.gate_rows([result_of(True, False), result_of(True, severity="warn")])
    assert [row["check_name"] for row in rows] == ["things_0", "things_1", "things_0"]
    assert rows[1] == {
        "check_name": "things_1",
        "subject": "marts.things",
        "severity": "error",
        "is_passed": False,
        "observed": "1 of 9 rows unexpected",
    }
    assert set(rows[0]) | {"run_id", "gate", "checked_at"} == set(build_file.GATE_RESULTS)


def test_check_specs_block() -> None:
    spec = adapter.check_spec(suite_of())
    assert (spec.asset_key, spec.name, spec.blocking) == (dg.AssetKey(["marts", "things"]), "things_facts", True)


def test_check_result_describes_what_failed() -> None:
    check = adapter.check_result(result_of(True, False))
    assert check.passed is False
    assert check.description == "things_1: expected that rule 1; 1 of 9 rows unexpected"
    assert check.metadata["failed_count"].value == 1 and check.metadata["expectation_count"].value == 2
    assert "things_0" not in check.metadata
    passed = adapter.check_result(result_of(True))
    assert passed.passed and passed.description is None


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with a prepared build file; Dagster's resource speaks of it."""
    found = Settings("shop", tmp_path / "home", tmp_path / "brands", None)
    found.brand_dir.mkdir(parents=True)
    (found.brand_dir / BRAND_FILE).touch()
    with warehouse.writer(found.build_file) as connection:
        build_file.create_python_tables(connection)
    monkeypatch.setattr(resources, "current_settings", lambda: found)
    # Gates ask nothing of the brand's configuration, and there is nothing to simulate.
    monkeypatch.setattr(resources, "current_brand", lambda: None)
    monkeypatch.setattr(resources.simulated, "ensure_sources", lambda *_: None)
    return found


def run_gate(*suites: Suite, prepare: Any = None) -> dg.ExecuteInProcessResult:
    job = dg.Definitions(
        asset_checks=[adapter.gate_checks("gate_test", suites, prepare)],
        jobs=[dg.define_asset_job("gate_job", dg.AssetSelection.all_asset_checks())],
        resources={"brand_run": BrandRun()},
    ).resolve_job_def("gate_job")
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_gate_records_outcomes_and_fails_the_run_without_quoting_a_value(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    good = suite_of(zero("number", "nothing is wrong"))
    bad = Suite("gate_test", ("marts", "people"), "names", "Names.", f"select '{PRIVATE}' as name, 3 as number",
                (zero("number", "no one is lost"), not_null("name", "a name")))  # fmt: skip
    zero_sql = Suite(good.gate, good.subject, good.name, good.description, "select 0 as number", good.expectations)
    result = run_gate(zero_sql, bad)
    assert not result.success
    checks = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert checks["things_facts"].passed and not checks["people_names"].passed
    with warehouse.read_only(settings.build_file) as connection:
        rows = connection.execute(
            "select run_id, gate, check_name, is_passed from ops.gate_results order by check_name"
        ).fetchall()
    assert rows == [
        (result.run_id, "gate_test", "people_name_not_null", True),
        (result.run_id, "gate_test", "people_number_is_zero", False),
        (result.run_id, "gate_test", "things_number_is_zero", True),
    ]
    told = json.dumps([str(event) for event in result.all_events]) + caplog.text
    assert PRIVATE not in told and "no one is lost" in told


def test_a_gate_prepares_before_it_reads(settings: Settings) -> None:
    def prepare(brand_run: BrandRun) -> None:
        with warehouse.writer(brand_run.settings.build_file) as connection:
            connection.execute("create schema marts; create table marts.late as select 0 as number")

    suite = Suite("gate_test", ("marts", "late"), "facts", "", "select * from marts.late", (zero("number", "zero"),))
    assert run_gate(suite, prepare=prepare).success


def test_gate_results_of_a_run_replace_those_of_its_first_attempt(settings: Settings) -> None:
    run, rows = BrandRun(), adapter.gate_rows([result_of(True, False)])
    run.write_gate_results("r1", "gate_test", rows, datetime(2026, 1, 1, tzinfo=UTC))
    run.write_gate_results("r1", "gate_test", rows[:1], datetime(2026, 1, 2, tzinfo=UTC))
    run.write_gate_results("r2", "gate_test", rows[:1], datetime(2026, 1, 2, tzinfo=UTC))
    run.write_gate_results("r3", "gate_test", [], datetime(2026, 1, 2, tzinfo=UTC))
    counted = run.query("select run_id, count(*) as rows from ops.gate_results group by run_id order by run_id")
    assert counted.to_dict("records") == [{"run_id": "r1", "rows": 1}, {"run_id": "r2", "rows": 1}]
