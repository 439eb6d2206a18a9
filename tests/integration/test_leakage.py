"""The leakage battery on every feature set: no fact of the future is known, and each guard closes on a planted leak.

Injection into the marts here; raw instants on the other side of midnight are in test_incremental.py; labels, ceilings and
shuffles, which need no warehouse, are in tests/unit/ml/test_leak_checks.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import small_brand
from leaks import FeatureSet, cuts_of, feature_sets, findings
from pipeline import Home, differences, land_and_build

from orchestration import warehouse

pytestmark = pytest.mark.slow

BEFORE_THE_CUT = re.compile(r"(\w+\.(?:business_date|first_seen_date)) < (\w+\.as_of_date)")


@pytest.fixture(scope="module")
def facts(clean: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the clean build file to plant facts in; under its own name, which dbt writes into its SQL."""
    file = tmp_path_factory.mktemp("leakage") / clean.settings.build_file.name
    file.write_bytes(clean.settings.build_file.read_bytes())
    with warehouse.writer(file) as connection:
        yield connection


@pytest.fixture(scope="module")
def sets(clean: Home, facts: duckdb.DuckDBPyConnection) -> dict[str, FeatureSet]:
    compiled = clean.settings.brand_home / "dbt" / "compiled" / "tessera"
    return {features.name: features for features in feature_sets(facts, compiled)}


def test_every_feature_set_is_found_with_its_facts(sets: dict[str, FeatureSet]) -> None:
    assert {"feat_members_purchases", "feat_members_promotions", "feat_members_journeys"} <= set(sets)
    without = [name for name, features in sets.items() if not features.facts]
    assert without == [], "a feature set without dated facts cannot be shown to keep to its cut"
    assert {table for table, _ in sets["feat_members_purchases"].facts} == {
        "marts.fct_orders", "marts.fct_order_lines", "marts.fct_refunds",
    }  # fmt: skip


def test_fake_facts_of_the_future_change_no_feature_and_no_row(
    facts: duckdb.DuckDBPyConnection, sets: dict[str, FeatureSet]
) -> None:
    """Test 1: orders, lines, refunds, touches, redemptions, events and members from the cut on, of 1e6 each."""
    assert [finding for features in sets.values() for finding in findings(facts, features, is_future=True)] == []


def test_fake_facts_a_second_before_the_cut_change_features(
    facts: duckdb.DuckDBPyConnection, sets: dict[str, FeatureSet]
) -> None:
    """The reverse of test 1: otherwise the rows above might be ones that nothing looks at."""
    for features in sets.values():
        seen = {(finding.table, finding.cut) for finding in findings(facts, features, is_future=False)}
        wanted = {(table, cut) for table, _ in features.facts for cut in cuts_of(facts, features)}
        assert seen == wanted, f"{features.name} does not look at {sorted(wanted - seen)[:3]}"


@pytest.mark.parametrize(
    "leak",
    ["{fact} <= {cut}", "true", "{fact} < {cut} + 1"],
    ids=["facts of the cut itself", "no cut at all", "a cut one day late"],
)
def test_a_planted_leak_of_any_feature_set_is_found(
    facts: duckdb.DuckDBPyConnection, sets: dict[str, FeatureSet], leak: str
) -> None:
    """Tests 1 and 2: each place where a feature set keeps to its cut is opened alone; each opening is found."""
    for features in sets.values():
        places = list(BEFORE_THE_CUT.finditer(features.sql))
        assert places, (
            f"{features.name} says in another way than `x.business_date < y.as_of_date` that it keeps to its cut"
        )
        for place in places:
            opened = leak.format(fact=place[1], cut=place[2])
            sql = features.sql[: place.start()] + opened + features.sql[place.end() :]
            found = findings(facts, replace(features, sql=sql), is_future=True)
            assert any(found), f"{features.name}: `{opened}` in place of `{place[0]}` was not found"


def test_yesterdays_cut_replayed_with_late_facts_landed_is_bit_identical(clean: Home, tmp_path: Path) -> None:
    """Test 4: what came in late, or was corrected, after the run is not known at its known_at. Without that clock it is."""
    home, cut = clean.copy(tmp_path / "root"), small_brand.LAST_DAY + timedelta(days=1)
    for days in (3, 8, 20):
        file = small_brand.day_file(home.sources, cut - timedelta(days=days))
        head, *lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        # Corrected: a third of the day's lines are gone, and the rest were sold a second time.
        kept = lines[len(lines) // 3 :]
        again = [f"N{line}" for line in kept]
        file.write_text("".join([head, *kept, *again]), encoding="utf-8")
    land_and_build(home.settings, "+path:models/features", as_of_date=cut)
    late = differences(clean.settings.build_file, home.settings.build_file, schemas=("features",))
    assert late.get("features.feat_members_purchases", 0) > 20, "the planted leak: today's knowledge of yesterday's cut"
    known_at = clean.manifest["known_at"]
    land_and_build(home.settings, "+path:models/features", as_of_date=cut, known_at=known_at, full_refresh=True)
    assert differences(clean.settings.build_file, home.settings.build_file, schemas=("features",)) == {}
