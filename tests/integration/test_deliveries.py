"""A simulated brand whose files come in bit by bit, in random order and with random corrections: always what one run over all gives.

Every wave withholds files and lines, brings back what was withheld, and decides anew which accounts are one person: late events,
late refunds, merges, unmerges. The twins say the same of visits and histories without any SQL.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import history_twins
import pytest
import session_twin
import yaml
from pipeline import differences, land_and_build

from orchestration import warehouse
from orchestration.settings import PROJECT_ROOT, Settings, load_settings
from simulator import SimulatorConfig, write_brand

pytestmark = pytest.mark.slow

SEED = 11
WAVES = 3
CONFIG = SimulatorConfig(members=400, days=100, seed=SEED, events_per_member=60, products=80)
MODELS = (
    "path:models/staging",
    "path:models/reference",
    "path:models/intermediate",
    "path:models/marts",
    "seg_rfm_history",  # what metrics of segments are made of
    "seg_aipl",
    "path:models/metrics",
)
COMPARED = ("staging", "intermediate", "marts", "metrics", "restricted")
# Far from Shanghai, with a day that begins at four and clocks that change within the simulated months.
ELSEWHERE = {"zone": "America/Santiago", "day_start": "04:00"}
HISTORIES = 60


def new_home(root: Path, **changes: object) -> Settings:
    source, brand = PROJECT_ROOT / "brands" / "demo", root / "brands" / "demo"
    brand.mkdir(parents=True)
    for name in ("sources", "tracking_plan.yml"):
        (brand / name).symlink_to(source / name)
    document = yaml.safe_load((source / "brand.yml").read_text(encoding="utf-8")) | changes
    (brand / "brand.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    settings = load_settings("demo", {"TESSERA_HOME": str(root / "home"), "TESSERA_BRANDS": str(root / "brands")})
    write_brand(CONFIG, settings.generated_sources, settings.truth_dir)
    return settings


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.read_only(settings.build_file) as connection:
        return connection.execute(sql).fetchall()


class Waves:
    """The brand's files, of which each wave shows some: whole files of events, orders and refunds, and lines of profiles."""

    def __init__(self, settings: Settings, chance: random.Random) -> None:
        self._settings, self._chance = settings, chance
        files = [path for path in sorted(settings.generated_sources.rglob("*")) if path.is_file()]
        by_line = ("identities.csv", "bindings.csv", "users.csv", "accounts.csv")
        self._lines = {path: path.read_bytes().splitlines(keepends=True) for path in files if path.name in by_line}
        late = ("events", "refunds", "order_lines", "orders", "payments")
        by_file = [path for path in files if path.parent.name in late]
        # A source needs one file at least: the first of each folder is there from the start.
        first = {path.parent: path for path in reversed(by_file)}
        self._late = {path: path.read_bytes() for path in by_file if path != first[path.parent]}
        assert len(self._lines) >= 3 and len(self._late) >= 10

    def show(self, number: int) -> None:
        for path, (header, *lines) in self._lines.items():
            share = 1.0 if number == WAVES - 1 else self._chance.choice((0.75, 0.9))
            path.write_bytes(b"".join([header, *(line for line in lines if self._chance.random() < share)]))
        for path, content in self._late.items():
            if number == 0 and self._chance.random() < 0.4:
                path.unlink()
            elif number == WAVES - 1 or (not path.exists() and self._chance.random() < 0.5):
                path.write_bytes(content)

    def decide(self) -> None:
        """Lay ten pairs of accounts together, and take up to eight members apart."""
        sighted = query(
            self._settings,
            "select source_system, member_key from intermediate.int_accounts_sighted where member_key is not null order by all",
        )
        chosen = self._chance.sample(sighted, 20)
        joined = query(
            self._settings,
            "select list((source_system, member_key) order by account_id)[:2] from intermediate.int_accounts_resolved "
            "join intermediate.int_accounts_sighted using (account_id, source_system) where member_key is not null "
            "group by member_id having count(*) > 1 order by member_id",
        )
        apart = [pair for (pair,) in self._chance.sample(joined, min(8, len(joined)))]
        decisions = {
            "keep_together": [chosen[index : index + 2] for index in range(0, len(chosen), 2)],
            "keep_apart": apart,
        }
        document = {
            kind: [
                {
                    "code": f"{kind}_{number}",
                    "accounts": [{"source_system": system, "member_key": key} for system, key in pair],
                    "reason": "decided by the test",
                    "decided_on": date(2025, 10, 1),
                }
                for number, pair in enumerate(pairs)
            ]
            for kind, pairs in decisions.items()
        }
        (self._settings.brand_dir / "identity.yml").write_text(yaml.safe_dump(document), encoding="utf-8")


@dataclass(frozen=True)
class Delivered:
    settings: Settings  # its build file is the full refresh
    bit_by_bit: Path
    run_again: Path
    moved: list[int]  # accounts that got another member, by wave


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    root = tmp_path_factory.mktemp("deliveries")
    settings = new_home(root)
    waves = Waves(settings, random.Random(SEED))
    moved: list[int] = []
    before: dict[str, str] = {}
    for number in range(WAVES):
        waves.show(number)
        if number:
            waves.decide()
        land_and_build(settings, *MODELS)
        now = dict(query(settings, "select account_id, member_id from intermediate.int_accounts_resolved"))
        moved.append(sum(before[account] != now.get(account) for account in before))
        before = now
    bit_by_bit = shutil.copy(settings.build_file, root / "bit_by_bit.duckdb")
    land_and_build(settings, *MODELS)
    run_again = shutil.copy(settings.build_file, root / "run_again.duckdb")
    settings.build_file.unlink()  # all but the lake
    land_and_build(settings, *MODELS)
    return Delivered(settings, Path(bit_by_bit), Path(run_again), moved)


def test_bit_by_bit_equals_a_full_refresh_row_for_row(delivered: Delivered) -> None:
    assert sum(delivered.moved[1:]) > 20, "no account moved: the test shows nothing"
    assert differences(delivered.bit_by_bit, delivered.settings.build_file, schemas=COMPARED) == {}


def test_a_run_with_nothing_new_changes_nothing(delivered: Delivered) -> None:
    assert differences(delivered.run_again, delivered.bit_by_bit, schemas=COMPARED) == {}


# ---- visits ------------------------------------------------------------------------------------------------------


def rows(settings: Settings, sql: str) -> Iterator[dict[str, Any]]:
    with warehouse.read_only(settings.build_file) as connection:
        found = connection.execute(sql)
        names = [column[0] for column in found.description or ()]
        yield from (dict(zip(names, row, strict=True)) for row in found.fetchall())


def comparable(row: dict[str, Any], names: Any) -> tuple[tuple[str, Any], ...]:
    seconds = ("duration_seconds", "dwell_seconds")
    return tuple(
        (name, round(float(row[name]), 4) if name in seconds and row[name] is not None else row[name])
        for name in sorted(names)
    )


def check_visits(settings: Settings) -> None:
    roles = dict(query(settings, "select event_name, visit_role from staging.stg_standard_events"))
    events = rows(settings, session_twin.EVENTS_SQL)
    sessions, views = session_twin.sessions_and_views(events, roles, timedelta(minutes=30))
    expected = [session for day in sessions.values() for session in day]
    assert len(expected) > 200 and any(s["business_date"] != s["ended_date"] for s in expected)
    found = list(rows(settings, "select * from marts.fct_sessions"))
    assert {comparable(row, expected[0]) for row in found} == {comparable(row, row) for row in expected}
    assert len(found) == len(expected)
    viewed = list(rows(settings, "select * from marts.fct_page_views"))
    assert {comparable(row, views[0]) for row in viewed} == {comparable(row, row) for row in views}
    assert len(viewed) == len(views)
    days = "select sum(session_count), sum(event_count), sum(page_view_count) from metrics.agg_member_days"
    counted = "member_id is not null and not is_bot and not is_internal"
    (in_sessions,) = query(settings, f"select count(*) from marts.fct_sessions where {counted}")[0]
    (in_events,) = query(settings, f"select count(*) from marts.fct_events where is_behaviour and {counted}")[0]
    assert query(settings, days)[0][:2] == (in_sessions, in_events)


def test_sessions_and_page_views_are_those_of_the_twin(delivered: Delivered) -> None:
    check_visits(delivered.settings)


# ---- histories ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled(delivered: Delivered) -> dict[str, str]:
    """dbt's own SQL of the models with histories, reading tables of the connection it runs in."""
    folder = delivered.settings.brand_home / "dbt" / "compiled" / "tessera" / "models"
    models = ("marts/dim_members_history", "marts/dim_consents_history", "intermediate/int_anonymous_resolved")
    return {
        Path(name).name: re.sub(r'"build"\."\w+"\."(\w+)"', r"\1", (folder / f"{name}.sql").read_text(encoding="utf-8"))
        for name in models
    }


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_histories_are_those_of_the_twins(compiled: dict[str, str], seed: int) -> None:
    chance = random.Random(seed)
    with warehouse.scratch() as connection:
        connection.execute("set TimeZone = 'UTC'")
        member = history_twins.random_accounts(connection, chance)

        versions = history_twins.random_versions(connection, chance, member)
        fields = ", ".join(history_twins.FIELDS)
        sql = f"select member_id, valid_from, valid_to, is_current, {fields} from ({compiled['dim_members_history']})"
        assert sorted(connection.execute(sql).fetchall(), key=str) == sorted(versions, key=str)

        consents = history_twins.random_consents(connection, chance, member)
        sql = f"select member_id, channel, valid_from, valid_to, is_granted from ({compiled['dim_consents_history']})"
        history = connection.execute(sql).fetchall()
        for (name, channel, now), is_granted in consents.items():
            answers = [
                granted
                for of, on, start, end, granted in history
                if (of, on) == (name, channel) and start <= now and (end is None or now < end)
            ]
            assert answers == ([] if is_granted is None else [is_granted])

        owners = history_twins.random_logins(connection, chance, member)
        sql = f"select anonymous_id, member_id, valid_from, valid_to from ({compiled['int_anonymous_resolved']})"
        turns = connection.execute(sql).fetchall()
        for (device, now), owner in owners.items():
            answers = [of for on, of, start, end in turns if on == device and start <= now < end]
            assert answers == ([] if owner is None else [owner])


# ---- another zone ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = new_home(tmp_path_factory.mktemp("elsewhere"), **ELSEWHERE)
    land_and_build(settings, *MODELS)
    return settings


INSTANT_OF = {
    "fct_events": "event_at",
    "fct_sessions": "started_at",
    "fct_page_views": "viewed_at",
    "fct_orders": "ordered_at",
    "fct_order_lines": "ordered_at",
    "fct_refunds": "refunded_at",
    "fct_payments": "paid_at",
    "fct_points": "occurred_at",
    "fct_touches": "touched_at",
    "fct_coupon_receipts": "received_at",
}


@pytest.mark.parametrize("fact", INSTANT_OF)
def test_business_dates_follow_the_brands_zone_and_hour(elsewhere: Settings, fact: str) -> None:
    column = INSTANT_OF[fact]
    assumed = "and not is_time_assumed" if fact == "fct_events" else ""
    found = query(elsewhere, f"select {column}, business_date from marts.{fact} where {column} is not null {assumed}")
    zone, shift = ZoneInfo(ELSEWHERE["zone"]), timedelta(hours=4)
    assert len(found) > 5
    dates = {(at.astimezone(zone).replace(tzinfo=None) - shift).date() == day for at, day in found}
    assert dates == {True}
    # Some instants would have had another date in Shanghai, at midnight in the zone, or before clocks changed.
    shanghai = sum(at.astimezone(ZoneInfo("Asia/Shanghai")).date() != day for at, day in found)
    assert shanghai > 0


def test_clocks_change_within_the_data(elsewhere: Settings) -> None:
    found = query(elsewhere, "select distinct event_at from marts.fct_events where is_behaviour")
    offsets = {
        at.astimezone(ZoneInfo(ELSEWHERE["zone"])).utcoffset()
        for (at,) in found
        if at > datetime(2025, 7, 1, tzinfo=UTC)
    }
    assert len(offsets) == 2


def test_visits_are_those_of_the_twin_elsewhere(elsewhere: Settings) -> None:
    check_visits(elsewhere)
