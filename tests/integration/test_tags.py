"""Every tag of every sampled member equals the twin's, on a simulated brand and on the shop; and the past of tags is what it was."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import tag_twin
import yaml
from pipeline import Home, land_and_build

from orchestration import tagging, warehouse
from orchestration.brands import Brand, load_brand
from orchestration.dbt import dbt_environment, run_dbt
from orchestration.landing.land import entities
from orchestration.settings import PROJECT_ROOT, Settings, load_settings
from simulator import SimulatorConfig, write_brand

pytestmark = pytest.mark.slow

SAMPLED = 20
CUTS = 3
FAMILIES = "path:models/tags"
UNTIL_TAGS = (
    "+member_tags",
    "tag_statistics",
    "tag_distributions",
    "tag_catalogue",
    "tag_versions",
    "tag_values",
    FAMILIES,
)


def sample(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Twenty members by a seeded draw, and those with most events and most orders."""
    members = [m for (m,) in connection.execute("select member_id from tags.member_tags order by 1").fetchall()]
    busiest = connection.execute(
        """
        (select member_id from metrics.agg_member_days group by 1 order by sum(event_count) desc, 1 limit 5)
        union
        (select member_id from marts.fct_orders where member_id is not null and is_valid group by 1 order by count(*) desc, 1 limit 5)
        """
    ).fetchall()
    return sorted({*random.Random(5).sample(members, min(SAMPLED, len(members))), *(m for (m,) in busiest)})


def is_same(found: object, expected: object) -> bool:
    if isinstance(found, float | Decimal) and isinstance(expected, int | float | Decimal):
        return abs(float(found) - float(expected)) <= 1e-6 * max(1.0, abs(float(expected)))
    return found == expected


def differences(connection: duckdb.DuckDBPyConnection, brand: Brand) -> list[str]:
    """Tags of sampled members that are another than the twin's. Fails by name where the two know different tags."""
    connection.execute("set timezone = 'UTC'")
    categories = [(item.code, item.value) for item in brand.tag_dimensions.categories]
    world = tag_twin.world_of(connection, brand.zone, entities(brand), categories)
    wrong = []
    for member in sample(connection):
        twin = tag_twin.Twin(connection, world, member).tags
        (row,) = tag_twin.rows(
            connection, "select * exclude (member_id, as_of_date) from tags.member_tags where member_id = ?", member
        )
        assert row.keys() - twin.keys() == set(), (
            "declared, and unknown to tests/integration/tag_twin.py: add them there"
        )
        assert twin.keys() - row.keys() == set(), "known to tag_twin.py alone: no longer declared?"
        wrong += [
            f"{code} of {member}: {row[code]!r}, twin {twin[code]!r}"
            for code in row
            if not is_same(row[code], twin[code])
        ]
    return wrong


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A simulated brand of 400 members, built up to its tags."""
    root = tmp_path_factory.mktemp("tags")
    source, brand = PROJECT_ROOT / "brands" / "demo", root / "brands" / "demo"
    brand.mkdir(parents=True)
    for name in ("sources", "tracking_plan.yml", "brand.yml"):
        (brand / name).symlink_to(source / name)
    settings = load_settings("demo", {"TESSERA_HOME": str(root / "home"), "TESSERA_BRANDS": str(root / "brands")})
    config = SimulatorConfig(members=400, days=100, seed=11, events_per_member=60, products=80)
    write_brand(config, settings.generated_sources, settings.truth_dir)
    land_and_build(settings, *UNTIL_TAGS)
    return settings


def test_tags_of_a_simulated_brand_are_those_of_the_twin(simulated: Settings) -> None:
    with warehouse.read_only(simulated.build_file) as connection:
        assert differences(connection, load_brand(simulated)) == []
        told = connection.execute(
            "select count(*), count(*) filter (where covered_member_count > 0) from tags.tag_catalogue"
        ).fetchone()
    assert told is not None and told[0] >= 600 and told[1] >= 500, "five hundred tags say something of somebody"


def test_tags_of_the_shop_are_those_of_the_twin(clean: Home) -> None:
    """No categories of its own, no events: what cannot be known is NULL, the rest is right all the same."""
    with warehouse.read_only(clean.published) as connection:
        assert differences(connection, load_brand(clean.settings)) == []


def test_source_columns_exist(clean: Home) -> None:
    """Lineage is read off the declarations; what they name is there."""
    with warehouse.read_only(clean.settings.build_file) as connection:
        known = {
            f"{table}.{column}"
            for table, column in connection.execute(
                "select table_name, column_name from duckdb_columns() where not internal"
            ).fetchall()
        }
        named = connection.execute("select tag_code, source_columns from tags.tag_catalogue").fetchall()
    assert all(columns for _, columns in named), "every tag comes from somewhere"
    assert {(code, c) for code, columns in named for c in columns.split(", ") if c not in known} == set()


# ---- the past ------------------------------------------------------------------------------------------------------


def run_tags(settings: Settings, copy: Path, day: date) -> None:
    home = settings.brand_home
    done = run_dbt(
        ["run", "--select", "int_clocks_resolved", FAMILIES],
        dbt_environment(settings, as_of_date=day) | {"TESSERA_BUILD_FILE": str(copy)},
        target=home / "dbt",
        logs=home / "logs",
        tell=lambda _: None,
    )
    assert done.return_code == 0, [node.name for node in done.nodes if not node.is_good]


def current(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, object]]:
    return {
        row["member_id"]: row
        for row in tag_twin.rows(connection, "select * exclude (as_of_date) from tags.member_tags")
    }


@pytest.fixture(scope="module")
def lived(
    simulated: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[date, dict[str, dict[str, object]]]]]:
    """Three cuts in order on a copy whose past begins anew, and the tags of each."""
    copy = tmp_path_factory.mktemp("lived") / simulated.build_file.name
    shutil.copyfile(simulated.build_file, copy)
    with warehouse.writer(copy) as connection:
        last = connection.execute("select as_of_date from intermediate.int_clocks_resolved").fetchone()
        assert last
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'tags' and (table_name like '%_history' or table_name in "
            "('tag_versions', 'tag_distributions'))"
        ).fetchall():
            connection.execute(f"drop table tags.{name}")
    seen = {}
    for day in (last[0] - timedelta(n) for n in (40, 8, 0)):
        run_tags(simulated, copy, day)
        with warehouse.read_only(copy) as connection:
            seen[day] = current(connection)
    assert len(seen) == CUTS
    yield copy, seen


def test_a_tag_of_a_past_day_is_what_it_was(lived: tuple[Path, dict[date, dict[str, dict[str, object]]]]) -> None:
    copy, seen = lived
    wrong = []
    with warehouse.read_only(copy) as connection:
        codes = tagging.known_codes(connection)
        for day, members in seen.items():
            for code in codes:
                past = dict(row[:2] for row in tagging.value_on(connection, code, day).fetchall())
                assert past.keys() == members.keys(), (day, code)
                wrong += [(day, code, m) for m, row in members.items() if not is_same(past[m], row[code])]
    assert wrong == []


def test_histories_are_short_where_nothing_happens(
    lived: tuple[Path, dict[date, dict[str, dict[str, object]]]],
) -> None:
    """Days since and decaying scores drift for everybody, and make no rows."""
    copy, seen = lived
    with warehouse.read_only(copy) as connection:
        for family in ("loyalty", "service", "base", "lifecycle"):
            rows = (connection.execute(f"select count(*) from tags.tags_{family}_history").fetchone() or (0,))[0]
            assert rows < 2 * len(seen[max(seen)]), family
        doubled = connection.execute(
            "select count(*) from (select member_id from tags.tags_behaviour_history where valid_to is null group by 1 having count(*) > 1)"
        ).fetchone()
    assert doubled == (0,)


def test_the_newest_cut_again_and_an_earlier_one_change_nothing(
    simulated: Settings, lived: tuple[Path, dict[date, dict[str, dict[str, object]]]], tmp_path: Path
) -> None:
    """But for a tag that is new since: its past begins with the newest cut."""
    copy, seen = lived
    again = tmp_path / copy.name
    shutil.copyfile(copy, again)
    newest, new_tag = max(seen), "order_count_30d"

    def kept() -> dict[str, list[tuple[object, ...]]]:
        with warehouse.read_only(again) as connection:
            return {
                family: connection.execute(
                    f"select columns(c -> c <> '{new_tag}') from tags.tags_{family}_history order by member_id, valid_from"
                ).fetchall()
                for family in ("transaction", "behaviour", "lifecycle")
            }

    before = kept()
    with warehouse.writer(again) as connection:
        connection.execute(f"alter table tags.tags_transaction_history drop column {new_tag}")
    run_tags(simulated, again, newest)
    assert kept() == before
    with warehouse.read_only(again) as connection:
        found = connection.execute(
            f"select member_id, valid_from, {new_tag} from tags.tags_transaction_history"
        ).fetchall()
    assert len({day for _, day, _ in found}) > 1
    assert found == [(m, day, seen[newest][m][new_tag] if day == newest else None) for m, day, _ in found]
    run_tags(simulated, again, sorted(seen)[1])
    assert kept() == before


def test_a_member_who_is_no_more_is_closed(
    simulated: Settings, lived: tuple[Path, dict[date, dict[str, dict[str, object]]]], tmp_path: Path
) -> None:
    """A member merged into another has tags until the cut of the merge, and none from it on."""
    copy, seen = lived
    days = sorted(seen)
    again = tmp_path / copy.name
    shutil.copyfile(copy, again)
    with warehouse.writer(again) as connection:
        # As if the last cut had not been run.
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'tags' and table_name like 'tags\\_%\\_history' escape '\\'"
        ).fetchall():
            connection.execute(f"delete from tags.{name} where valid_from = ?", [days[-1]])
            connection.execute(f"update tags.{name} set valid_to = null where valid_to = ?", [days[-1]])
        gone = connection.execute("select min(member_id) from marts.dim_members").fetchone()
        assert gone
        connection.execute("delete from marts.dim_members where member_id = ?", list(gone))
    run_tags(simulated, again, days[-1])
    with warehouse.read_only(again) as connection:
        for family in ("base", "transaction", "behaviour"):
            stretches = connection.execute(
                f"select valid_to from tags.tags_{family}_history where member_id = ? order by valid_from", list(gone)
            ).fetchall()
            assert stretches[-1] == (days[-1],), family


def test_the_catalogue_compares_with_the_cut_before(
    lived: tuple[Path, dict[date, dict[str, dict[str, object]]]],
) -> None:
    copy, seen = lived
    days = sorted(seen)
    with warehouse.read_only(copy) as connection:
        rows = tag_twin.rows(connection, "select * from tags.tag_catalogue")
    assert {(r["previous_date"], r["reference_date"]) for r in rows} == {(days[-2], days[0])}
    told = {r["tag_code"]: r for r in rows}
    for code in ("gender", "has_bought", "lifecycle_state"):
        now, then = ([row[code] for row in seen[day].values()] for day in (days[-1], days[-2]))
        values = {*now, *then}
        moved = sum(abs(now.count(v) / len(now) - then.count(v) / len(then)) for v in values) / 2
        assert told[code]["changed_share"] == pytest.approx(moved, abs=1e-12)


def test_a_declared_category_without_items_has_no_tags(clean: Home) -> None:
    document = yaml.safe_load((PROJECT_ROOT / "brands" / "demo" / "brand.yml").read_text(encoding="utf-8"))
    code = document["tag_dimensions"]["categories"][0]["code"]
    with warehouse.read_only(clean.published) as connection:
        found = connection.execute(
            "select count(*) from tags.tag_catalogue where starts_with(tag_code, $1)", [f"{code}_"]
        ).fetchone()
    assert found == (0,)
