"""One history of a product table delivered in the four modes, through landing and dbt's staging: the same table four times.

That any history gives the same table in any order of arrival is a property test of landing (tests/unit/landing/test_modes.py)
which reads the lake by a rule of its own; here that rule is dbt's.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipeline import land_and_build

from orchestration import warehouse
from orchestration.brands import load_brand
from orchestration.landing.lake import Lake, read_batches
from orchestration.landing.land import pending
from orchestration.settings import Settings, load_settings

pytestmark = pytest.mark.slow

BRAND = "four_ways"
COLUMNS = ["code", "name", "kind", "updated_at", "lsn", "op"]
DAYS = [f"2024-05-{day:02d}" for day in range(1, 6)]
# After each day: product → name. P2 and P6 go at once and P2 comes back, P3 is deleted for good, P4 is deleted, changed and deleted.
STATES = [
    {"P1": "a", "P2": "b", "P3": "c", "P6": "f"},
    {"P1": "a", "P3": "c2", "P4": "d"},
    {"P1": "a2", "P2": "b", "P3": "c2"},
    {"P1": "a2", "P2": "b", "P4": "d2", "P5": "e"},
    {"P1": "a2", "P2": "b3", "P5": "e"},
]
EXPECTED = [
    ("P1", "a2", False, None),
    ("P2", "b3", False, None),
    ("P3", "c2", True, "2024-05-04 00:00:00+00"),
    ("P4", "d2", True, "2024-05-05 00:00:00+00"),
    ("P5", "e", False, None),
    ("P6", "f", True, "2024-05-02 00:00:00+00"),
]

Rows = list[tuple[str, ...]]


def snapshots() -> list[Rows]:
    return [[(code, name, "goods", "", "", "") for code, name in sorted(state.items())] for state in STATES]


def changes() -> list[Rows]:
    """What changed on each day, with the day as version, a number that grows, and an operation."""
    found: list[Rows] = []
    number = 0
    for day, before, state in zip(DAYS, [{}, *STATES], STATES, strict=False):
        rows: Rows = []
        for code in sorted(before | state):
            if before.get(code) == state.get(code):
                continue
            number += 1
            op = "D" if code not in state else "U" if code in before else "I"
            # A log writes the row that was deleted, and here a value in between that no snapshot saw.
            if op == "U":
                rows.append((code, "in between", "goods", f"{day} 00:00:00", str(number), "U"))
                number += 1
            rows.append((code, {**before, **state}[code], "goods", f"{day} 00:00:00", str(number), op))
        found.append(rows[::-1])
    return found


def flagged() -> list[Rows]:
    """The same as an incremental export: one row of each product that changed."""
    return [[row for row in rows if row[1] != "in between"] for rows in changes()]


VERSIONS = {"changed_at": "updated_at", "is_deleted": "op = 'D'"}
MODES: dict[str, tuple[Callable[[], list[Rows]], dict[str, str]]] = {
    "full": (snapshots, {}),
    "compare": (snapshots, {}),
    "incremental": (flagged, VERSIONS),
    "change_log": (changes, VERSIONS | {"change_sequence": "lsn"}),
}


def write_brand(root: Path, mode: str) -> Settings:
    folder = root / "brands" / BRAND
    (folder / "sources").mkdir(parents=True)
    (root / "sources" / "products").mkdir(parents=True)
    brand = {
        "brand": BRAND,
        "label_zh": "四种",
        "label_en": "Four ways",
        "currency": "CNY",
        "calendar_start": "2024-01-01",
    }
    text = yaml.safe_dump(brand, allow_unicode=True).replace("'2024-01-01'", "2024-01-01")
    (folder / "brand.yml").write_text(text, encoding="utf-8")
    fields = {"product_code": "code", "product_name": "name", "product_kind": "kind"}
    source: dict[str, Any] = {
        "source_system": "erp",
        "mode": mode,
        "reader": {"kind": "csv", "path": "products/{date}.csv"},
        "timestamps_in": "UTC",
        "entities": {"products": {"fields": fields, **MODES[mode][1]}},
        "ignored_columns": ["updated_at", "lsn", "op"],
    }
    (folder / "sources" / "products.yml").write_text(yaml.safe_dump(source), encoding="utf-8")
    # The same rows once more, as a large fact that is staged batch by batch.
    fields = {"event_key": "code", "event_name": "kind", "page_name": "name", "occurred_at": "'2024-05-01 08:00:00'"}
    source["entities"] = {"events": {"fields": fields, **MODES[mode][1]}}
    (folder / "sources" / "events.yml").write_text(yaml.safe_dump(source), encoding="utf-8")
    environ = {
        "TESSERA_HOME": str(root / "home"),
        "TESSERA_BRANDS": str(root / "brands"),
        "TESSERA_SOURCES": str(root / "sources"),
    }
    return load_settings(BRAND, environ)


def deliver(root: Path, mode: str, days: list[int]) -> None:
    files = MODES[mode][0]()
    for day in days:
        with (root / "sources" / "products" / f"{DAYS[day]}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([tuple(COLUMNS), *files[day]])


MODELS = ("stg_load_batches", "stg_products", "stg_events")


def staged(settings: Settings) -> list[tuple[Any, ...]]:
    with warehouse.read_only(settings.build_file) as connection:
        return connection.execute(
            "select product_code, product_name, is_deleted, deleted_at::varchar from staging.stg_products order by 1"
        ).fetchall()


def staged_events(settings: Settings) -> list[tuple[Any, ...]]:
    with warehouse.read_only(settings.build_file) as connection:
        return connection.execute(
            "select substr(event_id, 5), page_name, is_deleted, deleted_at::varchar from staging.stg_events order by 1"
        ).fetchall()


@pytest.mark.parametrize("mode", list(MODES))
def test_staged_products_do_not_depend_on_the_mode_nor_on_what_came_late(tmp_path: Path, mode: str) -> None:
    settings = write_brand(tmp_path, mode)
    # The second day's file is late, the last one's is corrected: it first comes without its last two rows.
    deliver(tmp_path, mode, [0, 2, 3, 4])
    path = tmp_path / "sources" / "products" / f"{DAYS[4]}.csv"
    whole = path.read_text(encoding="utf-8")
    path.write_text("\n".join(whole.splitlines()[:-2]) + "\n", encoding="utf-8")
    land_and_build(settings, *MODELS)
    assert staged(settings) != EXPECTED
    path.write_text(whole, encoding="utf-8")
    deliver(tmp_path, mode, [1])
    land_and_build(settings, *MODELS)
    assert staged(settings) == EXPECTED
    assert staged_events(settings) == EXPECTED
    if mode == "compare":  # here landing writes tombstones of its own, which have no row in any file
        land_and_build(settings, *MODELS, full_refresh=True)
        assert staged_events(settings) == EXPECTED
    assert pending(settings, load_brand(settings)) == []
    for batch in read_batches(Lake(settings.lake)):
        assert batch.rows_in == batch.rows_landed + batch.rows_quarantined
    with warehouse.read_only(settings.build_file) as connection:
        ours = connection.execute("select batch_id from raw.current_batches order by 1").fetchall()
        dbts = connection.execute(
            "select batch_id from staging.stg_load_batches where is_current order by 1"
        ).fetchall()
    assert ours == dbts, "gate_raw and staging read the same batches"
