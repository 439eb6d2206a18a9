"""One planted defect a stage: the gate that closes names itself, nothing behind it runs, the last publication stays.

docs/gates.md is the table of what is shown here. Every expectation of every suite by itself: test_suites.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
import small_brand
import yaml
from pipeline import Home, Outcome, ask_dagster, personal_traces

pytestmark = pytest.mark.slow

NEXT_DAY = small_brand.LAST_DAY + timedelta(days=1)
NEXT_AS_OF = NEXT_DAY + timedelta(days=1)
Untouched = Callable[[Home], None]

# Schemas of Dagster's asset keys in the order of the data's way.
STAGES = ("raw", "staging", "intermediate", "marts", "features", "ml", "tags", "segments", "metrics", "ops")


def stopped(home: Home, outcome: Outcome, gate: str, untouched: Untouched, *, last_stage: str) -> None:
    """The run is red and names `gate`; no asset behind `last_stage` was made; what was published is still there."""
    assert outcome.code == 1
    assert gate in outcome.out
    assert "stays published" in outcome.out
    untouched(home)
    run = home.last_run()
    assert run.status == "FAILURE"
    behind = set(STAGES[STAGES.index(last_stage) + 1 :])
    assert not run.schemas() & behind, f"made behind the closed gate: {sorted(run.schemas() & behind)}"
    assert last_stage in run.schemas(), "the run did not even get to the gate"
    assert home.value("select count(*) from ops.gate_results where run_id = $$" + run.run_id + "$$") == 0
    assert personal_traces(home, outcome) == []


def failed_checks(home: Home) -> set[tuple[str, str]]:
    """(gate, check) of the newest run, as ops.gate_results of the build file has them."""
    run_id = home.last_run().run_id
    return set(
        home.query(
            f"select gate, check_name from ops.gate_results where run_id = '{run_id}' and not is_passed "
            "and observed not like 'skipped%'",
            build=True,
        )
    )


def new_scores(home: Home) -> int:
    """Scores that Python wrote for the new cut."""
    return sum(
        home.value(f"select count(*) from ml.{table} where as_of_date = '{NEXT_AS_OF}'", build=True)
        for table in ("churn_scores", "propensity_scores")
    )


def edit_day(home: Home, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = small_brand.day_file(home.sources, NEXT_DAY)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    change(frame).to_csv(path, index=False)


def edit_source(home: Home, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = home.sources / small_brand.BRAND / f"{name}.csv"
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


def test_file_of_mostly_bad_rows_is_refused(tomorrow: Home, untouched: Untouched) -> None:
    def names_for_times(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(ordered_at_utc=frame["customer_name"].where(frame.index % 2 == 0, frame["ordered_at_utc"]))

    edit_day(tomorrow, names_for_times)
    batches = len(list((tomorrow.settings.lake / "batches").iterdir()))
    outcome = tomorrow.tessera("run")
    assert outcome.code == 1
    assert f"{small_brand.BRAND}/orders/{NEXT_DAY}.csv" in outcome.out
    assert "quarantine.max_share" in outcome.out and "ordered_at" in outcome.out
    untouched(tomorrow)
    run = tomorrow.last_run()
    assert (
        run.status == "FAILURE"
        and run.schemas() <= {"raw", "reference_data"}
        and ("raw", "order_lines") not in run.materialised
    )
    assert new_scores(tomorrow) == 0
    assert personal_traces(tomorrow, outcome) == []
    # Nothing of the refused file is in the lake; what else was new may be.
    assert not any("order_lines" in p.name and p.name > "2" for p in (tomorrow.settings.lake / ".tmp").glob("*"))
    manifests = [p.read_text() for p in (tomorrow.settings.lake / "batches").iterdir()]
    assert len(manifests) >= batches and not any(f"{NEXT_DAY}.csv" in text for text in manifests)


def test_lines_of_1970_close_gate_raw(tomorrow: Home, untouched: Untouched) -> None:
    def in_1970(frame: pd.DataFrame) -> pd.DataFrame:
        earlier = frame["ordered_at_utc"].str.replace("2024", "1970", n=1)
        return frame.assign(ordered_at_utc=frame["ordered_at_utc"].where(frame.index > 2, earlier))

    good = small_brand.day_file(tomorrow.sources, NEXT_DAY).read_bytes()
    edit_day(tomorrow, in_1970)
    outcome = tomorrow.tessera("run")
    stopped(tomorrow, outcome, "gate_raw", untouched, last_stage="raw")
    assert failed_checks(tomorrow) == {("gate_raw", "order_lines_ancient_row_count_is_zero")}
    assert new_scores(tomorrow) == 0

    # The gate opens again once the file is mended: what the bad batch brought is superseded, not mourned for ever.
    small_brand.day_file(tomorrow.sources, NEXT_DAY).write_bytes(good)
    assert mended(tomorrow) == []


def mended(home: Home) -> list[str]:
    """Land what is pending and judge gate_raw without a whole run; expectations that still fail."""
    from orchestration import build_file
    from orchestration.brands import load_brand
    from orchestration.defs.ingest.gate_raw import quarantine_limit
    from orchestration.landing.land import entities, land
    from orchestration.quality.suite import run_suite
    from orchestration.quality.suites import raw
    from orchestration.warehouse import read_only

    settings = home.settings
    brand = load_brand(settings)
    for entity in entities(brand):
        land(settings, brand, entity)
    build_file.prepare(settings, brand)
    limits = {entity: quarantine_limit(brand, entity) for entity in entities(brand)}
    with read_only(settings.build_file) as connection:
        results = [run_suite(suite, connection.execute(suite.sql).df()) for suite in raw.suites(limits)]
    return [outcome.check_name for result in results for outcome in result.outcomes if not outcome.is_passed]


def test_campaign_that_ends_before_it_starts_fails_a_dbt_test(tomorrow: Home, untouched: Untouched) -> None:
    edit_source(tomorrow, "campaigns", lambda f: f.assign(to_day=f["to_day"].where(f.index > 0, "2020-01-01")))
    outcome = tomorrow.tessera("run")
    # The dbt step is one: its own marts are made, what stands behind the step is not.
    stopped(tomorrow, outcome, "expression_is_true_dim_campaigns", untouched, last_stage="marts")
    assert {gate for gate, _ in failed_checks(tomorrow)} == {"dbt_warehouse"}
    assert new_scores(tomorrow) == 0


def test_wrong_source_zone_closes_gate_marts(tomorrow: Home, untouched: Untouched) -> None:
    for name in ("orders", "orders_history"):
        path = tomorrow.brands / small_brand.BRAND / "sources" / f"{name}.yml"
        source = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(
            yaml.safe_dump(source | {"timestamps_in": small_brand.ZONE}, allow_unicode=True), encoding="utf-8"
        )
    outcome = tomorrow.tessera("run")
    stopped(tomorrow, outcome, "gate_marts", untouched, last_stage="marts")
    assert failed_checks(tomorrow) == {("gate_marts", "fct_coupon_redemptions_matched_rate_in_range")}
    assert new_scores(tomorrow) == 0


def test_constant_scores_and_a_leak_close_gate_models(tomorrow: Home, untouched: Untouched) -> None:
    outcome = tomorrow.tessera("run", defect="bad_scores")
    stopped(tomorrow, outcome, "gate_models", untouched, last_stage="ml")
    failed = failed_checks(tomorrow)
    assert {gate for gate, _ in failed} == {"gate_models"}
    checks = {check for _, check in failed}
    assert "churn_scores_distinct_score_rate_in_range" in checks
    assert "propensity_scores_suspected_leak_count_is_zero" in checks


def test_lost_tags_close_gate_tags(tomorrow: Home, untouched: Untouched) -> None:
    outcome = tomorrow.tessera("run", defect="lost_tags")
    assert outcome.code == 1 and "gate_tags" in outcome.out
    untouched(tomorrow)
    run = tomorrow.last_run()
    assert run.status == "FAILURE"
    assert ("tags", "member_tags") in run.materialised and ("ops", "publication") not in run.materialised
    assert ("gate_tags", "member_tags_member_count_equals_tagged_member_count") in failed_checks(tomorrow)
    assert {gate for gate, _ in failed_checks(tomorrow)} == {"gate_tags"}
    assert personal_traces(tomorrow, outcome) == []


def test_full_disk_while_publishing(tomorrow: Home, untouched: Untouched) -> None:
    outcome = tomorrow.tessera("run", defect="full_disk")
    assert outcome.code == 1
    for words in ("staging a copy", "Check space", "what was published before stays current", "stays published"):
        assert words in outcome.text
    untouched(tomorrow)
    run = tomorrow.last_run()
    assert run.status == "FAILURE"
    assert ("tags", "member_tags") in run.materialised and ("ops", "publication") not in run.materialised
    assert not list((tomorrow.settings.published_dir / "versions").glob(".staging*"))
    assert personal_traces(tomorrow, outcome) == []


def test_rows_lost_on_the_way_close_gate_publish(clean: Home, untouched: Untouched, tmp_path: Path) -> None:
    home = clean.copy(tmp_path / "root")
    answer = ask_dagster(home, "publish", "lossy_copy")
    assert not answer["success"]
    assert any("gate_publish" in text for text in answer["failures"])
    assert answer["closed"] == ["publication_shrinkage"]
    untouched(home)
    assert ("ops", "publication") not in home.last_run().materialised
    assert failed_checks(home) == {("gate_publish", "publication_kept_rate_in_range")}
    assert not list((home.settings.published_dir / "versions").glob(".staging*"))
    # Without the loss the same step publishes.
    assert ask_dagster(home, "publish", "nothing")["success"]
    assert home.manifest["previous_version"] == clean.manifest["version"]
