"""Late files, corrected files and new days, landed by a run that is killed twice on its way, equal one run over all.

Beside that run a reader reads and a second run is refused. One chain of runs serves all the tests here: each step is
expensive, and what one step leaves is what the next one must cope with.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
import small_brand
from pipeline import Home, Outcome, differences, land_and_build, new_home, personal_traces, scores, snapshot

pytestmark = pytest.mark.slow

# Days before LAST_DAY: the last two are not there yet at first, one is late, one is wrong.
NEW_DAYS = [small_brand.LAST_DAY - timedelta(days=n) for n in (1, 0)]
LATE_DAY = small_brand.LAST_DAY - timedelta(days=7)
WRONG_DAY = small_brand.LAST_DAY - timedelta(days=5)
# Cut of the first run: before the late and the wrong day, so that its past is the clean home's past.
EARLY_CUT = small_brand.LAST_DAY - timedelta(days=9)

READER = """
import json, sys, time
from pathlib import Path
import duckdb
file, stop = sys.argv[1], Path(sys.argv[2])
seen = {"reads": 0, "errors": [], "versions": []}
while not stop.exists():
    try:
        with duckdb.connect(file, read_only=True) as connection:
            version, rows = connection.execute(
                "select version, (select count(*) from marts.fct_orders) from ops.publication").fetchone()
            assert rows > 1000
    except Exception as error:
        seen["errors"].append(repr(error))
    else:
        seen["reads"] += 1
        if version not in seen["versions"]:
            seen["versions"].append(version)
    time.sleep(0.01)
print(json.dumps(seen))
"""


@dataclass(frozen=True)
class Chain:
    """The home after the last run, and what each step said or left."""

    home: Home
    early: Outcome
    early_version: str
    early_features: Path  # build file as of EARLY_CUT
    killed_landing: Outcome
    after_landing: dict[str, object]
    killed_dbt: Outcome
    after_dbt: dict[str, object]
    last: Outcome
    second: Outcome
    reader: dict[str, list | int]


def wrong(lines: pd.DataFrame) -> pd.DataFrame:
    """The day as it was first exported: with an order that never was, an amount that was mistyped, one order missing."""
    orders = lines.loc[lines["kind"] == "sale", "order_no"].unique()
    first = lines[lines["order_no"] == orders[0]]
    invented = first.assign(order_no="S999999")
    mistyped = lines["amount"].where(lines["order_no"] != orders[1], "1234.56")
    return pd.concat([lines.assign(amount=mistyped)[lines["order_no"] != orders[2]], invented], ignore_index=True)


def left_behind(home: Home) -> dict[str, object]:
    """What a reader and the lake see after a run was killed."""
    lake = home.settings.lake
    committed = {path.stem for path in (lake / "batches").glob("*.json")}
    return {
        "version": home.manifest["version"],
        "published": home.published.read_bytes(),
        "batches": len(committed),
        "uncommitted": sorted(p.stem for p in lake.glob("raw/*/*.parquet") if p.stem not in committed),
    }


@pytest.fixture(scope="module")
def chain(shop: small_brand.Shop, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    whole = shop.until(small_brand.LAST_DAY)
    root = tmp_path_factory.mktemp("chain")
    home = new_home(root / "root", shop.until(NEW_DAYS[0] - timedelta(days=1)))
    small_brand.day_file(home.sources, LATE_DAY).unlink()
    small_brand.write_day(home.sources, WRONG_DAY, wrong(whole.lines[whole.lines["day"] == WRONG_DAY]))
    early = home.tessera("run", "--as-of", EARLY_CUT.isoformat())
    assert early.code == 0
    early_version = home.manifest["version"]
    early_features = root / "early.duckdb"
    early_features.write_bytes(home.settings.build_file.read_bytes())

    whole.write(home.sources)  # the late file, the corrected one, two new days, newer redemptions
    killed_landing = home.tessera("run", defect="killed_while_landing")
    after_landing = left_behind(home)
    killed_dbt = home.tessera("run", defect="killed_while_dbt_runs")
    after_dbt = left_behind(home)

    stop = root / "stop"
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(home.published), str(stop)], stdout=subprocess.PIPE, text=True
    )
    run = home.start("run")
    try:
        wait_for_lock(home, run)
        second = home.tessera("run")
        started = time.monotonic()
        out, err = run.communicate(timeout=900)
    finally:
        run.kill()
        stop.touch()
        seen, _ = reader.communicate(timeout=30)
    last = Outcome(run.returncode, out, err, time.monotonic() - started)
    print(last.text)
    return Chain(
        home, early, early_version, early_features, killed_landing, after_landing, killed_dbt, after_dbt, last, second,
        json.loads(seen),
    )  # fmt: skip


def wait_for_lock(home: Home, run: subprocess.Popen[str]) -> None:
    """Until the run holds the brand's lock."""
    holder = home.settings.lock_file.with_name("run.lock.json")
    for _ in range(600):
        if holder.exists() and json.loads(holder.read_text()).get("pid") == run.pid:
            return
        assert run.poll() is None, "the run ended before it was seen to hold the lock"
        time.sleep(0.05)
    raise AssertionError("the run never took the lock")


def test_first_run_ends_at_the_cut_asked_for(chain: Chain) -> None:
    from orchestration import warehouse

    with warehouse.read_only(chain.early_features) as connection:
        found = connection.execute(
            "select as_of_date, latest_business_date from intermediate.int_clocks_resolved"
        ).fetchone()
    assert found == (EARLY_CUT, NEW_DAYS[0] - timedelta(days=1))


def test_killed_while_landing_leaves_nothing_half_landed(chain: Chain) -> None:
    assert chain.killed_landing.code == -signal.SIGKILL
    assert chain.after_landing["version"] == chain.early_version
    assert chain.after_landing["uncommitted"], "the kill came before any row was in the lake: it shows nothing"
    # The next run, although killed later, has removed it.
    assert chain.after_dbt["uncommitted"] == []


def test_killed_while_dbt_runs_keeps_the_publication(chain: Chain) -> None:
    assert chain.killed_dbt.code == -signal.SIGKILL
    assert chain.after_dbt["version"] == chain.early_version
    assert chain.after_dbt["published"] == chain.after_landing["published"]
    assert chain.after_dbt["batches"] > chain.after_landing["batches"]


def test_run_after_the_kills_completes(chain: Chain) -> None:
    assert chain.last.code == 0, chain.last.text
    assert chain.home.manifest["previous_version"] == chain.early_version


def test_incremental_equals_one_run_over_everything(chain: Chain, clean: Home) -> None:
    assert differences(chain.home.published, clean.published) == {}
    # What is only in the build file too: staged rows and the features that models were given.
    built = differences(chain.home.settings.build_file, clean.settings.build_file, schemas=("features",))
    assert built == {}


def test_comparison_can_fail(chain: Chain, clean: Home, tmp_path: Path) -> None:
    from orchestration import warehouse

    changed = tmp_path / "changed.duckdb"
    changed.write_bytes(clean.published.read_bytes())
    changed.chmod(0o644)
    with warehouse.writer(changed) as connection:
        connection.execute(
            "update marts.fct_orders set gross_amount = gross_amount + 0.01 "
            "where order_id = (select min(order_id) from marts.fct_orders)"
        )
        connection.execute(
            "delete from tags.member_tags where member_id = (select min(member_id) from tags.member_tags)"
        )
    assert differences(changed, clean.published) == {"marts.fct_orders": 2, "tags.member_tags": 1}


def test_incremental_gives_the_same_models_and_scores(chain: Chain, clean: Home) -> None:
    assert scores(chain.home) == scores(clean)
    assert len(scores(clean)) > 1000
    evaluations = """
        select * from ml.model_evaluations where model_version in (
            select model_version from ml.churn_scores where as_of_date = (select max(as_of_date) from ml.churn_scores)
        ) order by all
    """
    assert chain.home.query(evaluations) == clean.query(evaluations)


def test_corrected_file_lost_an_order_and_changed_another(chain: Chain) -> None:
    """The correction was more than nothing: both batches are on record, the older one no longer counts."""
    batches = chain.home.query(
        f"select is_current, rows_in from ops.load_batches where source_file like '%{WRONG_DAY}.csv' order by loaded_at"
    )
    assert [is_current for is_current, _ in batches] == [False, True]
    assert chain.home.value("select count(*) from marts.fct_orders where order_id like '%S999999'") == 0
    assert chain.home.value("select count(*) from marts.fct_order_lines where line_amount = 1234.56") == 0


def test_readers_see_no_error_while_a_run_builds_and_publishes(chain: Chain) -> None:
    assert chain.reader["errors"] == []
    assert chain.reader["versions"] == [chain.early_version, chain.home.manifest["version"]]
    assert chain.reader["reads"] > 100


def test_second_run_during_a_run_is_refused_with_the_holder(chain: Chain) -> None:
    assert chain.second.code == 3
    assert "is locked by process" in chain.second.err and "tessera run" in chain.second.err
    assert chain.second.seconds < 15


def test_nothing_personal_leaves_the_lake(chain: Chain) -> None:
    said = (chain.early, chain.killed_landing, chain.killed_dbt, chain.last, chain.second)
    assert personal_traces(chain.home, *said) == []


def test_nothing_new_after_it(chain: Chain) -> None:
    before = snapshot(chain.home.settings.published_dir)
    outcome = chain.home.tessera("run")
    assert outcome.code == 0 and "nothing new" in outcome.out
    assert snapshot(chain.home.settings.published_dir) == before


# ---- leakage -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(clean: Home, shop: small_brand.Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str, str]:
    """The clean home's features built again as of EARLY_CUT, with two orders planted: a second before that date begins, and at its
    first second. Gives the home and the numbers of the two members."""
    home = clean.copy(tmp_path_factory.mktemp("planted") / "root")
    day_before = EARLY_CUT - timedelta(days=1)
    lines = shop.lines[shop.lines["kind"] == "sale"]
    buyers = [n for n in lines.loc[lines["day"] < day_before, "member_no"].unique() if n]
    near = set(lines.loc[lines["day"].isin([day_before, EARLY_CUT]), "member_no"])
    late, next_day = sorted(set(buyers) - near)[:2]
    for day, member, at, number in (
        (day_before, late, "15:59:59", "S888888"),
        (EARLY_CUT, next_day, "16:00:00", "S888889"),
    ):
        same_day = shop.lines[shop.lines["day"] == day]
        template = same_day[(same_day["kind"] == "sale") & (same_day["amount"] != "0.00")].iloc[:1]
        extra = template.assign(
            order_no=number, line_no=1, member_no=member, ordered_at_utc=f"{day_before} {at}", coupon_discount="0.00"
        )
        small_brand.write_day(home.sources, day, pd.concat([same_day, extra], ignore_index=True))
    land_and_build(home.settings, "+path:models/features", as_of_date=EARLY_CUT)
    return home, late, next_day


def features(file: Path, *, until: object = EARLY_CUT) -> pd.DataFrame:
    """Every feature of every member at every cut up to `until`, indexed by member and cut."""
    from orchestration import warehouse

    with warehouse.read_only(file) as connection:
        frame = connection.execute(
            "select * from features.feat_members_purchases full join features.feat_members_promotions "
            "using (member_id, as_of_date) "
            f"where as_of_date <= '{until}' order by member_id, as_of_date"
        ).df()
    return frame.set_index(["member_id", "as_of_date"])


def test_future_facts_change_no_feature_and_a_fact_before_the_cut_does(
    chain: Chain, planted: tuple[Home, str, str]
) -> None:
    home, late, _ = planted
    known_early, known_late = features(chain.early_features), features(home.settings.build_file)
    # Both know the same past; the early one had other facts after the cut, and fewer of them.
    assert len(known_early) > 5_000
    assert known_early.index.equals(known_late.index)
    pd.testing.assert_index_equal(known_early.columns, known_late.columns)
    equal = (known_early == known_late) | (known_early.isna() & known_late.isna())
    changed = known_early.index[~equal.all(axis=1)]
    member_id = home.value(
        "select member_id from intermediate.int_accounts_resolved join staging.stg_members using (account_id) "
        f"where member_key = '{late}'",
        build=True,
    )
    # The order a second before the cut changes its member's row at that cut, and nothing else in the whole table does.
    assert [(member, cut.date()) for member, cut in changed] == [(member_id, EARLY_CUT)]
    assert known_late.loc[changed, "recency_days"].tolist() == [1.0]


def test_removing_every_fact_from_a_cut_on_changes_none_of_its_features(clean: Home, tmp_path: Path) -> None:
    """For each cut: delete all facts from that date on, compute the features anew with dbt's own SQL, compare."""
    from orchestration import warehouse

    compiled = clean.settings.brand_home / "dbt" / "compiled" / "tessera" / "models" / "features"
    file = tmp_path / clean.settings.build_file.name  # dbt writes the file's name into its SQL
    file.write_bytes(clean.settings.build_file.read_bytes())
    facts = ("fct_orders", "fct_order_lines", "fct_refunds", "fct_touches", "fct_coupon_redemptions", "fct_events")
    with warehouse.writer(file) as connection:
        spine = "select as_of_date from intermediate.int_as_of_dates_spined order by 1"
        cuts = [cut for (cut,) in connection.execute(spine).fetchall()]
        assert len(cuts) == small_brand.PARAMETERS["training_cut_count"] + 1
        for cut in cuts:
            connection.execute("begin")
            for table in facts:
                connection.execute(f"delete from marts.{table} where business_date >= '{cut}'")
            for model in ("feat_members_purchases", "feat_members_promotions"):
                sql = (compiled / f"{model}.sql").read_text(encoding="utf-8")
                kept = f"select * from features.{model} where as_of_date <= '{cut}'"
                anew = f"select * from ({sql}) where as_of_date <= '{cut}'"
                one_way, other_way, rows = connection.execute(
                    f"select (select count(*) from ({kept} except all {anew})), "
                    f"(select count(*) from ({anew} except all {kept})), (select count(*) from ({anew}))"
                ).fetchone() or (None, None, 0)
                assert (one_way, other_way) == (0, 0), f"{model} at {cut} knows something of its future"
                assert rows > 500
            connection.execute("rollback")


def test_changed_product_kind_reaches_the_orders(clean: Home, tmp_path: Path) -> None:
    home = clean.copy(tmp_path / "root")
    products = home.sources / small_brand.BRAND / "products.csv"
    lines = products.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = [line.replace(",goods,", ",service,") if line.startswith("P0005,") else line for line in lines]
    assert changed != lines
    products.write_text("".join(changed), encoding="utf-8")
    land_and_build(home.settings, "path:models/staging", "path:models/intermediate", "path:models/marts")
    kinds = "select distinct product_kind from {table} where product_id like '%P0005'"
    assert home.query(kinds.format(table="marts.dim_products"), build=True) == [("service",)]
    assert home.query(kinds.format(table="marts.fct_order_lines"), build=True) == [("service",)]
    # … and what is computed from them: a service is no goods.
    sold = "select coalesce(sum(service_amount), 0) from marts.fct_orders where order_id in ({orders})"
    orders = "select order_id from marts.fct_order_lines where product_id like '%P0005' and line_kind = 'sale' and line_amount > 0"
    assert home.value(sold.format(orders=orders), build=True) > 0
