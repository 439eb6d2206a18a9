"""The four ways in which a source can deliver: the same history gives the same table, whatever arrives when."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.landing import lake as lakes
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import Batch
from orchestration.landing.land import pending

from .conftest import Tiny
from .reading import staged

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ["code", "name", "price", "updated_at", "lsn", "op"]
FIELDS = ["product_name", "list_price"]
VERSIONED = "changed_at: updated_at, is_deleted: op = 'D'"
VERSIONS = {
    "full": "",
    "compare": "",
    "incremental": VERSIONED,
    "change_log": VERSIONED + ", change_sequence: lsn",
}


def products_yml(mode: str, *, path: str = "products/{date}.csv", more: str = "", versions: str | None = None) -> str:
    own = VERSIONS[mode] if versions is None else versions
    return f"""
source_system: erp
mode: {mode}
reader: {{kind: csv, path: "{path}"}}
timestamps_in: UTC
entities:
  products:
    fields: {{product_code: code, product_name: name, list_price: price, product_kind: "'goods'"}}
    {chr(10).join(f"    {part.strip()}" for part in own.split(", ") if part).strip()}
ignored_columns: [updated_at, lsn, op]
quarantine: {{max_share: 0.5, max_deleted_share: 1.0}}
{more}"""


Row = tuple[str, str, str, str, str, str]


def text_of(rows: list[Row], columns: list[str] = COLUMNS) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def day(number: int) -> datetime:
    return FIRST + timedelta(days=number)


@dataclass(frozen=True)
class Change:
    """What happens to a key between two deliveries: a new value, or none = it is deleted. `noise`: values in between."""

    key: str
    value: int | None
    noise: tuple[int, ...] = ()


History = list[list[Change]]


def states(history: History) -> list[dict[str, int]]:
    """Key → value after each delivery."""
    found: list[dict[str, int]] = []
    for changes in history:
        state = dict(found[-1]) if found else {}
        for change in changes:
            if change.value is None:
                state.pop(change.key, None)
            else:
                state[change.key] = change.value
        found.append(state)
    return found


def row(key: str, value: int, number: int = 0, lsn: str = "", op: str = "") -> Row:
    return (key, f"name {value}", f"{value}.50", day(number).isoformat() if op else "", lsn, op)


def snapshot_files(history: History) -> list[str]:
    return [text_of([row(key, value) for key, value in sorted(state.items())]) for state in states(history)]


def incremental_files(history: History) -> list[str]:
    """Only what changed: with the version, and a flag where the key is gone."""
    files = []
    after = states(history)
    for number in range(len(history)):
        before = after[number - 1] if number else {}
        rows = [row(k, v, number, op="U") for k, v in sorted(after[number].items()) if before.get(k) != v]
        rows += [row(k, v, number, op="D") for k, v in sorted(before.items()) if k not in after[number]]
        files.append(text_of(rows))
    return files


def log_files(history: History) -> list[str]:
    """Every change, in the order of its log sequence number, values that nobody saw in a snapshot among them."""
    files, lsn = [], 0
    after = states(history)
    for number, changes in enumerate(history):
        rows = []
        for change in changes:
            before = after[number - 1].get(change.key) if number else None
            if change.value is None:
                steps = [("D", before)] if before is not None else []
            else:
                steps = [("D", value) if value < 0 else ("U", value) for value in change.noise]
                steps.append(("U", change.value))
            for op, value in steps:
                lsn += 1
                rows.append(row(change.key, abs(value or 0), number, str(lsn), op))
        # A log is read in parallel: the order of its lines says nothing.
        files.append(text_of(sorted(rows, key=lambda r: r[::-1])))
    return files


FILES = {"full": snapshot_files, "compare": snapshot_files, "incremental": incremental_files, "change_log": log_files}


def twin(history: History) -> pd.DataFrame:
    """What must stand in the table at the end, by brute force."""
    known: dict[str, tuple[int, datetime | None]] = {}
    before: dict[str, int] = {}
    for number, state in enumerate(states(history)):
        for key, value in before.items():
            if key not in state:
                known[key] = (value, day(number))
        for key, value in state.items():
            known[key] = (value, None)
        before = state
    rows = [
        (key, f"name {value}", f"{value}.5000", deleted is not None, deleted)
        for key, (value, deleted) in sorted(known.items())
    ]
    return as_text(pd.DataFrame(rows, columns=["product_code", *FIELDS, "is_deleted", "deleted_at"]))


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    def instant(value: Any) -> str:
        return "" if pd.isna(value) else pd.Timestamp(value).tz_convert("UTC").isoformat()

    return frame.assign(
        list_price=["" if v is None else f"{float(v):.4f}" for v in frame["list_price"]],
        deleted_at=[instant(v) for v in frame["deleted_at"]],
        is_deleted=[bool(v) for v in frame["is_deleted"]],
    ).astype({"is_deleted": "bool", "product_code": "str", "product_name": "str"})


def table(tiny: Tiny) -> pd.DataFrame:
    return as_text(staged(tiny.settings, "products", ["product_code"], FIELDS))


def deliver(tiny: Tiny, mode: str, files: list[str], arrivals: list[list[int]]) -> list[Batch]:
    """Write and land the deliveries in the order of their arrival."""
    tiny.configure("sources/sales.yml", products_yml(mode))
    batches = []
    for together in arrivals:
        for number in together:
            tiny.write(f"products/{day(number):%Y-%m-%d}.csv", files[number])
        batches += tiny.land("products")
    return batches


KEYS = ["a", "b", "c"]


@st.composite
def histories(draw: st.DrawFn) -> History:
    change = st.builds(
        Change,
        key=st.sampled_from(KEYS),
        value=st.one_of(st.none(), st.integers(1, 5)),
        noise=st.lists(st.integers(-9, 9).filter(bool), max_size=2).map(tuple),
    )
    deliveries = st.lists(change, min_size=1, max_size=3, unique_by=lambda c: c.key)
    return draw(st.lists(deliveries, min_size=2, max_size=5))


@st.composite
def arrivals_of(draw: st.DrawFn, count: int) -> list[list[int]]:
    order = draw(st.permutations(range(count)))
    cut = draw(st.integers(0, count))
    return [part for part in (list(order[:cut]), list(order[cut:])) if part]


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_mode_gives_the_same_table_whatever_arrives_when(
    make_tiny: Callable[[Path], Tiny], data: st.DataObject
) -> None:
    history = data.draw(histories())
    expected = twin(history)
    for mode, files in FILES.items():
        arrivals = data.draw(arrivals_of(len(history)), label=mode)
        with tempfile.TemporaryDirectory() as folder:
            tiny = make_tiny(Path(folder))
            batches = deliver(tiny, mode, files(history), arrivals)
            pd.testing.assert_frame_equal(table(tiny), expected, obj=mode, check_dtype=False)
            assert pending(tiny.settings, tiny.brand) == []
            for batch in batches:
                assert batch.rows_in == batch.rows_landed + batch.rows_quarantined


# --- snapshots, one by one ----------------------------------------------------------------------------------------


def snapshot(tiny: Tiny, number: int, *rows: Row, name: str | None = None) -> Path:
    return tiny.write(name or f"products/{day(number):%Y-%m-%d}.csv", text_of(list(rows)))


def lake_rows(
    tiny: Tiny, batch: Batch, columns: str = "product_code, product_name, is_deleted"
) -> list[tuple[Any, ...]]:
    file = tiny.lake.raw_file("products", batch.batch_id)
    return tiny.rows(f"select {columns} from '{file}' order by all")


def truth(tiny: Tiny) -> dict[str, tuple[str, bool]]:
    found = table(tiny)
    return {
        str(code): (str(name), bool(deleted))
        for code, name, deleted in zip(found["product_code"], found["product_name"], found["is_deleted"], strict=True)
    }


@pytest.mark.parametrize("mode", ["full", "compare"])
def test_row_in_quarantine_does_not_delete_its_key(tiny: Tiny, mode: str) -> None:
    tiny.configure("sources/sales.yml", products_yml(mode))
    snapshot(tiny, 0, row("a", 1), row("b", 1), row("c", 1))
    snapshot(tiny, 1, row("a", 2), ("b", "name 2", "much", "", "", ""), row("c", 1))
    first, second = tiny.land("products")
    assert truth(tiny) == {"a": ("name 2", False), "b": ("name 1", False), "c": ("name 1", False)}
    assert (second.rows_quarantined, second.rows_tombstoned) == (1, 0)
    assert second.rows_carried == (1 if mode == "full" else 0)
    assert second.rows_unchanged == (0 if mode == "full" else 1)
    assert second.based_on == first.batch_id
    snapshot(tiny, 2, row("a", 2), row("b", 2), row("c", 1))
    tiny.land("products")
    assert truth(tiny) == {"a": ("name 2", False), "b": ("name 2", False), "c": ("name 1", False)}


@pytest.mark.parametrize("mode", ["full", "compare"])
@pytest.mark.parametrize("bad", ["x,name 1", ",name 1,1.50,,,"], ids=["not_split", "without_key"])
def test_snapshot_with_a_row_that_nobody_can_name_deletes_nothing(tiny: Tiny, mode: str, bad: str) -> None:
    tiny.configure("sources/sales.yml", products_yml(mode))
    snapshot(tiny, 0, row("a", 1), row("b", 1))
    path = snapshot(tiny, 1, row("a", 1))
    path.write_text(path.read_text() + bad + "\n")
    _, second = tiny.land("products")
    assert second.rows_tombstoned == 0
    assert truth(tiny) == {"a": ("name 1", False), "b": ("name 1", False)}


@pytest.mark.parametrize("mode", ["full", "compare"])
def test_snapshot_that_lost_most_of_its_keys_is_refused(tiny: Tiny, mode: str) -> None:
    tiny.configure("sources/sales.yml", products_yml(mode).replace(", max_deleted_share: 1.0", ""))
    rows = [row(f"k{n:02d}", 1) for n in range(40)]
    snapshot(tiny, 0, *rows)
    snapshot(tiny, 1, *rows[:19])
    snapshot(tiny, 2)
    snapshot(tiny, 3, *rows[:20])
    with pytest.raises(LandingError) as error:
        tiny.land("products")
    for said in ("2026-01-02.csv: 21 of the 40 keys", "2026-01-03.csv: 40 of the 40", "max_deleted_share", "sales.yml"):
        assert said in str(error.value)
    assert sum(deleted for _, deleted in truth(tiny).values()) == 20, "what came after was compared with what landed"
    tiny.configure("sources/sales.yml", products_yml(mode))
    tiny.land("products")
    assert sum(deleted for _, deleted in truth(tiny).values()) == 20
    assert pending(tiny.settings, tiny.brand) == []


@pytest.mark.parametrize("mode", ["full", "compare"])
def test_file_that_is_overwritten_is_another_snapshot_each_time(tiny: Tiny, mode: str) -> None:
    tiny.configure("sources/sales.yml", products_yml(mode, path="products.csv"))
    deliveries = [[row("a", 1), row("b", 1)], [row("a", 2)], [row("a", 2), row("b", 1)], [row("b", 3)]]
    batch = None
    for number, rows in enumerate(deliveries):
        path = snapshot(tiny, number, *rows, name="products.csv")
        os.utime(path, ns=(0, 1_700_000_000_000_000_000))  # as a copying tool leaves it: the time says nothing
        (batch,) = tiny.land("products")
        assert tiny.land("products") == []
        assert batch.snapshot_at is not None
    assert truth(tiny) == {"a": ("name 2", True), "b": ("name 3", False)}
    mapping = products_yml(mode, path="products.csv").replace("product_name: name", "product_name: upper(name)")
    tiny.configure("sources/sales.yml", mapping)
    (again,) = tiny.land("products")
    assert batch is not None and again.snapshot_at == batch.snapshot_at
    assert truth(tiny) == {"a": ("name 2", True), "b": ("NAME 3", False)}


def test_older_snapshot_is_put_in_its_place_and_the_later_ones_are_compared_anew(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", products_yml("compare"))
    snapshot(tiny, 0, row("a", 1))
    snapshot(tiny, 2, row("a", 3))
    snapshot(tiny, 3, row("a", 3))
    assert len(tiny.land("products")) == 3
    snapshot(tiny, 1, row("a", 2), row("late", 1))
    assert [p.file.name for p in pending(tiny.settings, tiny.brand)] == ["products/2026-01-02.csv"]
    landed = tiny.land("products")
    assert [b.source_file[-14:-4] for b in landed] == ["2026-01-02", "2026-01-03", "2026-01-04"]
    assert truth(tiny) == {"a": ("name 3", False), "late": ("name 1", True)}
    assert pending(tiny.settings, tiny.brand) == []


def test_older_snapshot_without_the_file_after_it_is_refused_in_mode_compare(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", products_yml("compare"))
    snapshot(tiny, 0, row("a", 1))
    gone = snapshot(tiny, 2, row("a", 3))
    tiny.land("products")
    gone.unlink()
    snapshot(tiny, 1, row("a", 2))
    with pytest.raises(LandingError, match=r"2026-01-02\.csv: is older than products/2026-01-03\.csv"):
        tiny.land("products")
    assert truth(tiny) == {"a": ("name 3", False)}


def test_compare_holds_what_changed_and_full_holds_everything(tiny: Tiny) -> None:
    deliveries = [[row("a", 1), row("b", 1), row("c", 1)], [row("a", 1), row("b", 2)], [row("a", 1), row("b", 2)]]
    for number, rows in enumerate(deliveries):
        snapshot(tiny, number, *rows)
    tiny.configure("sources/sales.yml", products_yml("compare"))
    batches = tiny.land("products")
    held = [(b.rows_in, b.rows_landed, b.rows_unchanged, b.rows_tombstoned) for b in batches]
    assert held == [(3, 3, 0, 0), (1, 1, 1, 1), (0, 0, 2, 0)]
    assert lake_rows(tiny, batches[1]) == [("b", "name 2", False), ("c", "name 1", True)]
    tiny.configure("sources/sales.yml", products_yml("full"))
    batches = tiny.land("products")
    held = [(b.rows_in, b.rows_landed, b.rows_unchanged, b.rows_tombstoned) for b in batches]
    assert held == [(3, 3, 0, 0), (2, 2, 0, 1), (2, 2, 0, 1)]
    assert truth(tiny) == {"a": ("name 1", False), "b": ("name 2", False), "c": ("name 1", True)}
    assert lake_rows(tiny, batches[2], "source_row_number, changed_at::date::varchar") == [
        (1, "2026-01-03"),
        (2, "2026-01-03"),
        (None, "2026-01-02"),
    ]


@pytest.mark.parametrize("mode", ["full", "compare"])
def test_flag_of_the_source_and_its_own_version_are_heeded_in_a_snapshot(tiny: Tiny, mode: str) -> None:
    """A row may come back, or change, while the source's own clock stands still."""
    tiny.configure("sources/sales.yml", products_yml(mode, versions=VERSIONED))

    def line(key: str, value: int, op: str = "U") -> Row:
        return (key, f"name {value}", "1", "2025-06-01 00:00:00", "", op)

    snapshot(tiny, 0, line("a", 1), line("b", 1), line("c", 1))
    snapshot(tiny, 1, line("a", 2), line("c", 1, "D"))
    tiny.land("products")
    assert truth(tiny) == {"a": ("name 2", False), "b": ("name 1", True), "c": ("name 1", True)}
    snapshot(tiny, 2, line("a", 2), line("b", 1), line("c", 1, "D"))
    tiny.land("products")
    assert truth(tiny) == {"a": ("name 2", False), "b": ("name 1", False), "c": ("name 1", True)}


def test_second_row_of_a_key_in_a_snapshot_is_set_aside_whatever_its_version(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", products_yml("compare", versions=VERSIONED))
    snapshot(tiny, 0, ("a", "old", "1", "2025-01-01", "", "U"), ("a", "new", "1", "2025-01-02", "", "U"), row("b", 1))
    (batch,) = tiny.land("products")
    assert batch.quarantine_reasons == {"product_code:duplicate_key": 1}


def test_snapshot_of_no_real_date_is_refused(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", products_yml("full"))
    snapshot(tiny, 0, row("a", 1), name="products/2026-02-30.csv")
    with pytest.raises(LandingError, match="no real date"):
        pending(tiny.settings, tiny.brand)


def test_change_of_mode_keeps_what_was_known(tiny: Tiny) -> None:
    """Full to compare: what changed is seen against the last whole snapshot, whose file is long overwritten."""
    tiny.configure("sources/sales.yml", products_yml("full", path="products.csv"))
    snapshot(tiny, 0, row("a", 1), row("b", 1), row("c", 1), name="products.csv")
    tiny.land("products")
    tiny.configure("sources/sales.yml", products_yml("compare", path="products.csv"))
    snapshot(tiny, 0, row("a", 1), row("b", 2), name="products.csv")
    (batch,) = tiny.land("products")
    assert (batch.rows_landed, batch.rows_tombstoned) == (1, 1)
    assert truth(tiny) == {"a": ("name 1", False), "b": ("name 2", False), "c": ("name 1", True)}
    tiny.configure("sources/sales.yml", products_yml("incremental", path="products.csv", versions=""))
    tiny.land("products")
    assert {key for key, (_, deleted) in truth(tiny).items() if not deleted} == {"a", "b"}


# --- changes ------------------------------------------------------------------------------------------------------


def test_versions_of_a_key_in_one_file_are_no_conflict_and_two_of_one_version_are(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", products_yml("incremental"))
    lines: list[Row] = [
        ("a", "old", "1", "2026-01-01 10:00:00", "", "U"),
        ("a", "new", "1", "2026-01-02 10:00:00", "", "U"),
        ("b", "one", "1", "2026-01-01 10:00:00", "", "U"),
        ("b", "two", "1", "2026-01-01 10:00:00", "", "U"),
        ("c", "gone", "1", "2026-01-03 10:00:00", "", "D"),
        ("c", "gone", "1", "2026-01-03 10:00:00", "", "U"),
    ]
    snapshot(tiny, 0, *lines)
    (batch,) = tiny.land("products")
    assert batch.quarantine_reasons == {"product_code:duplicate_key": 2}
    assert truth(tiny) == {"a": ("new", False), "b": ("one", False), "c": ("gone", True)}


def test_log_without_a_sequence_is_read_in_the_order_of_its_lines(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", products_yml("change_log", versions=VERSIONED))
    at = "2026-01-01 10:00:00"
    snapshot(tiny, 0, ("a", "one", "1", at, "", "U"), ("a", "two", "1", at, "", "U"), ("b", "x", "1", at, "", "D"))
    tiny.land("products")
    assert truth(tiny) == {"a": ("two", False), "b": ("x", True)}


def test_deletion_that_holds_the_key_alone_is_landed(tiny: Tiny) -> None:
    mapping = products_yml("change_log").replace("\"'goods'\"", "case when op <> 'D' then 'goods' end")
    tiny.configure("sources/sales.yml", mapping)
    snapshot(tiny, 0, ("a", "one", "1", "2026-01-01", "1", "I"), ("b", "two", "1", "2026-01-01", "2", "I"))
    snapshot(tiny, 1, ("a", "", "", "2026-01-02", "3", "D"), ("", "", "", "2026-01-02", "4", "D"))
    _, second = tiny.land("products")
    assert second.quarantine_reasons == {"product_code:missing_value": 1}
    assert {key: deleted for key, (_, deleted) in truth(tiny).items()} == {"a": True, "b": False}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (("2026-13-01", "1", "U"), "changed_at:not_a_timestamp"),
        (("2026-01-01", "first", "U"), "change_sequence:not_a_integer"),
    ],
)
def test_version_that_cannot_be_read_is_a_reason(tiny: Tiny, values: tuple[str, str, str], reason: str) -> None:
    tiny.configure("sources/sales.yml", products_yml("change_log"))
    snapshot(tiny, 0, ("a", "one", "1", *values), ("b", "two", "1", "2026-01-01", "2", "U"))
    (batch,) = tiny.land("products")
    assert batch.quarantine_reasons == {reason: 1}


# --- killed in the middle -----------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from orchestration.brands import load_brand
from orchestration.landing import lake, land
from orchestration.settings import load_settings
settings = load_settings("tiny")
move, left = lake._move, [int(sys.argv[1])]
def killed(source, target):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    move(source, target)
lake._move = killed
land.land(settings, load_brand(settings), "products")
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(FILES))
@pytest.mark.parametrize("moves", [0, 3, 8])
def test_killed_load_goes_on_where_it_stopped(
    tmp_path: Path, make_tiny: Callable[[Path], Tiny], mode: str, moves: int
) -> None:
    """SIGKILL between two moves of files: run again, the lake holds what an undisturbed load holds, each row once."""
    history = [[Change("a", n), Change("b", None if n % 2 else n), Change(f"k{n}", n)] for n in range(1, 7)]
    homes = {}
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        tiny = homes[name] = make_tiny(tmp_path / name)
        tiny.configure("sources/sales.yml", products_yml(mode))
        for number, text in enumerate(FILES[mode](history)):
            tiny.write(f"products/{day(number):%Y-%m-%d}.csv", text)
    homes["whole"].land("products")
    tiny = homes["killed"]
    environ = {
        "TESSERA_HOME": str(tiny.settings.home),
        "TESSERA_SOURCES": str(tiny.settings.sources_root),
        "TESSERA_BRANDS": str(tiny.settings.brands_dir),
    }
    outcome = subprocess.run(
        [sys.executable, "-c", KILLED, str(moves)], env=os.environ | environ, capture_output=True, check=False
    )
    assert outcome.returncode == -signal.SIGKILL, outcome.stderr.decode()
    landed_before = len(lakes.read_batches(tiny.lake))
    landed_after = len(tiny.land("products"))
    assert landed_before + landed_after == len(history)
    pd.testing.assert_frame_equal(table(tiny), table(homes["whole"]))
    accounts = []
    for home in homes.values():
        batches = sorted(lakes.read_batches(home.lake), key=lambda b: b.source_file)
        accounts.append([(b.source_file, b.rows_in, b.rows_landed, b.rows_tombstoned) for b in batches])
        count = home.rows(f"select count(*) from '{home.lake.root}/raw/products/*.parquet'")
        assert count == [(sum(b.rows_landed + b.rows_tombstoned for b in batches),)]
    assert accounts[0] == accounts[1]
    assert not [name for name in tiny.files() if ".tmp" in name]
