"""A run with nothing wrong: what it publishes, what it costs to run again, and that it can be queried."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import small_brand
from pipeline import Home, Outcome, personal_traces, snapshot

pytestmark = pytest.mark.slow


def test_run_publishes_every_schema(clean_run: tuple[Home, Outcome]) -> None:
    home, outcome = clean_run
    assert outcome.code == 0
    assert str(home.published) in outcome.out
    assert "Try:" in outcome.out
    found = {schema for (schema,) in home.query("select distinct schema_name from duckdb_tables()")}
    assert found == {"reference", "marts", "tags", "segments", "ml", "metrics", "ops"}
    assert home.value("select as_of_date from ops.publication") == small_brand.LAST_DAY + timedelta(days=1)
    manifest = home.manifest
    counts = {
        f"{schema}.{table}": home.value(f'select count(*) from "{schema}"."{table}"')
        for schema, table in home.query("select schema_name, table_name from duckdb_tables()")
    }
    assert manifest["row_counts"] == counts
    assert home.last_run().status == "SUCCESS"


def test_batches_account_for_every_source_line(clean: Home, shop: small_brand.Shop) -> None:
    files = sorted(path for path in clean.sources.rglob("*.csv"))
    lines = {path.relative_to(clean.sources).as_posix(): len(path.read_text().splitlines()) - 1 for path in files}
    batches = clean.query("select source_file, rows_in, rows_landed, rows_quarantined from ops.load_batches")
    assert {name: rows_in for name, rows_in, *_ in batches} == lines
    assert all(rows_in == landed + quarantined for _, rows_in, landed, quarantined in batches)
    spoilt = f"{small_brand.BRAND}/orders/{small_brand.BAD_ROWS_DAY}.csv"
    assert {name: n for name, *_, n in batches if n} == {spoilt: small_brand.BAD_ROWS}
    assert clean.value("select count(*) from ops.reconciliation where difference <> 0") == 0
    good = shop.lines[(shop.lines["day"] <= small_brand.LAST_DAY) & shop.lines["quantity"].str.fullmatch(r"-?\d+")]
    cents = round(good["amount"].astype(float).sum() * 100)
    assert cents == clean.value(
        "select cast(100 * ((select sum(line_amount) from marts.fct_order_lines) "
        "- (select sum(refund_amount) from marts.fct_refunds)) as bigint)"
    )


def test_every_gate_passed_and_is_on_record(clean: Home) -> None:
    gates = clean.query("select gate, bool_and(is_passed), count(distinct run_id) from ops.gate_results group by gate")
    assert {gate for gate, *_ in gates} == {
        "gate_raw", "dbt_warehouse", "gate_marts", "dbt_features", "gate_models", "gate_segments", "dbt_activation", "gate_tags",
        "gate_audiences", "gate_publish",
    }  # fmt: skip
    assert all(is_passed and runs == 1 for _, is_passed, runs in gates)
    assert clean.manifest["gates"] == {
        "passed": clean.value("select count(*) from ops.gate_results"), "failed": 0, "warned": 0,
    }  # fmt: skip


def test_dbt_reads_its_project_once_whatever_the_home(clean: Home) -> None:
    told = (clean.settings.brand_home / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert "Found" in told
    assert "Unable to do partial parsing" not in told


def test_business_dates_are_shanghais(clean: Home) -> None:
    def orders(at_utc: str, days_later: int) -> int:
        return clean.value(
            f"select count(*) from marts.fct_orders where strftime(ordered_at, '%H:%M:%S') = '{at_utc}' "
            f"and business_date = cast(ordered_at as date) + {days_later}"
        )

    # 16:00:00 UTC is the first second of the next day, 15:59:59 the last of this one.
    assert orders("16:00:00", 1) > 20 and orders("16:00:00", 0) == 0
    assert orders("15:59:59", 0) > 20 and orders("15:59:59", 1) == 0
    matched, all_of_them = clean.query(
        "select count(*) filter (where is_order_matched), count(*) from marts.fct_coupon_redemptions"
    )[0]
    assert matched >= all_of_them - small_brand.BAD_ROWS and matched > 100


def test_both_models_are_trained_and_beat_the_rule(clean: Home) -> None:
    champions = clean.query(
        "select model_name, auc, is_rule_beaten, is_leak_suspected from ml.model_evaluations where is_champion order by 1"
    )
    assert [name for name, *_ in champions] == ["churn", "propensity"]
    assert all(0.6 < auc < 0.97 and beaten and not leak for _, auc, beaten, leak in champions)
    assert clean.value("select count(distinct score) from ml.churn_scores") > 50


def test_nothing_personal_leaves_the_lake(clean_run: tuple[Home, Outcome]) -> None:
    home, outcome = clean_run
    lake = b"".join(path.read_bytes() for path in (home.settings.lake / "batches").iterdir())
    assert small_brand.NAME_PREFIX.encode() not in lake, "batch manifests are read into the warehouse"
    with_names = home.value(
        f"select count(*) from read_parquet('{home.settings.lake}/raw/order_lines/*.parquet') "
        f"where extra_fields like '%{small_brand.NAME_PREFIX}%' and extra_fields like '%{small_brand.PHONE_PREFIX}%'"
    )
    assert with_names > 10_000, "the sources do hold names and phones, or this test shows nothing"
    assert personal_traces(home, outcome) == []
    # The shop's own member numbers stay inside too.
    keys = home.query(
        "select c.table_name, c.column_name from duckdb_columns() as c where not c.internal and c.column_name like '%member_key%'"
    )
    assert keys == []


def test_second_run_does_nothing(clean: Home) -> None:
    before = snapshot(clean.root)
    outcome = clean.tessera("run")
    assert outcome.code == 0
    assert "nothing new" in outcome.out
    assert outcome.seconds < 15  # a run takes minutes on a busy machine; this only reads names and times
    after = snapshot(clean.root)
    # dbt's and Dagster's files too: nothing was started.
    assert {name for name in before | after if before.get(name) != after.get(name)} <= {"home/small_shop/run.lock"}


def test_query_reads_the_published_file(clean: Home) -> None:
    sql = "select count(*) as members, min(as_of_date) as cut from tags.member_tags"
    outcome = clean.tessera("query", sql, "--format", "json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == [
        {"members": clean.value("select count(*) from marts.dim_members"), "cut": "2024-11-16"}
    ]
    assert clean.tessera("query", "delete from tags.member_tags").code == 2


def test_status_tells_the_version(clean: Home) -> None:
    outcome = clean.tessera("status", "--json")
    status = json.loads(outcome.out)
    assert status["published"]["version"] == clean.manifest["version"]
    assert status["published"]["gates"]["failed"] == 0
    assert status["running"] is None


def test_a_past_cut_is_judged(clean: Home) -> None:
    """With features that dbt builds for other cuts, in a copy: the build file stays what it was."""
    before = clean.settings.build_file.stat().st_mtime_ns
    asked = ("evaluate", "--task", "churn", "--horizon", "28", "--json")
    outcome = clean.tessera(*asked, "--cut", "2024-10-01")
    assert outcome.code == 0, outcome.text
    told = json.loads(outcome.out)
    assert told["train_cuts"][-1] == "2024-09-03" and told["active_days"] == 28
    active = clean.value(
        "select count(distinct member_id) from marts.fct_orders where member_id is not null and is_valid "
        "and business_date between date '2024-10-01' - 28 and date '2024-09-30'"
    )
    lost = clean.value(
        "select count(*) from (select member_id from marts.fct_orders where member_id is not null and is_valid and business_date "
        "between date '2024-10-01' - 28 and date '2024-10-01' + 27 group by 1 "
        "having min(business_date) < date '2024-10-01' and max(business_date) < date '2024-10-01')"
    )
    assert (told["population_count"], told["positive_count"]) == (active, lost)
    figures = {model["name"]: model for model in told["models"]}
    assert 0.5 < figures["champion"]["auc"] < 0.97
    assert clean.settings.build_file.stat().st_mtime_ns == before
    assert not list(clean.settings.brand_home.glob("evaluation*"))

    late = clean.tessera(*asked, "--cut", "2024-11-01")
    assert late.code == 1 and "the latest cut with this horizon is 2024-10-19" in late.text.replace("\n", " ")
