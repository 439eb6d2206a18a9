"""Writing a brand: the same bytes from the same seed, nothing half-written, nothing overwritten that is not a simulation."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from simulated import CONFIG, Written, csv, events, write

from simulator import SIMULATION_FILE, SimulatorConfig, fingerprint, write_brand
from simulator import brand as writing
from simulator.__main__ import main
from simulator.block import World, join_cohorts, make_cohort
from simulator.catalogue import build_catalogue
from simulator.config import COHORT_MEMBERS
from simulator.seasons import build_seasons
from simulator.tables import rows

TINY = SimulatorConfig(members=150, days=45, seed=3, events_per_member=20, products=120)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = write(TINY, tmp_path / "one"), write(TINY, tmp_path / "other")
    assert _bytes(one.sources) == _bytes(other.sources)
    assert _bytes(one.truth) == _bytes(other.truth)
    assert one.summary.files == other.summary.files


def test_another_seed_gives_other_members(tmp_path: Path) -> None:
    one = write(TINY, tmp_path / "one")
    other = write(dataclasses.replace(TINY, seed=4), tmp_path / "other")
    phones = [set(w.query(f"select phone from {csv('miniprogram/users.csv')} where phone <> ''")) for w in (one, other)]
    orders = [set(w.query("select order_key, ordered_at from '{t}/orders.parquet'")) for w in (one, other)]
    assert phones[0] and orders[0]
    assert orders[0] != orders[1]


def test_block_size_changes_no_member(tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, members=2 * COHORT_MEMBERS + 100)
    whole = write(config, tmp_path / "whole", block_members=10 * COHORT_MEMBERS)
    parts = write(config, tmp_path / "parts", block_members=COHORT_MEMBERS)
    assert whole.summary.files == parts.summary.files
    for file in ("persons", "orders", "campaign_effects", "identifiers", "mess", "response_by_hour"):
        sql = f"select * from '{{t}}/{file}.parquet' order by all"
        assert whole.query(sql) == parts.query(sql), file
    for file in ("miniprogram/orders.csv", "crm/bindings.csv", "service/reviews.csv"):
        sql = f"select * from {csv(file)} order by all"
        assert whole.query(sql) == parts.query(sql), file
    sql = f"select line from {events('app')} order by all"
    assert whole.query(sql) == parts.query(sql)


def test_more_members_leave_full_cohorts_as_they_were() -> None:
    def world(members: int) -> World:
        config = dataclasses.replace(TINY, members=members)
        return World(config, build_catalogue(config), build_seasons(config))

    few, many = make_cohort(world(COHORT_MEMBERS), 0), make_cohort(world(5 * COHORT_MEMBERS), 0)
    for name in ("people", "orders", "events", "touches"):
        assert rows(few[name]) == rows(many[name]), name
        for column in few[name]:
            assert np.array_equal(few[name][column], many[name][column]), f"{name}.{column}"


def test_row_numbers_move_on_when_cohorts_are_joined() -> None:
    config = dataclasses.replace(TINY, members=2 * COHORT_MEMBERS)
    world = World(config, build_catalogue(config), build_seasons(config))
    cohorts = [make_cohort(world, 0), make_cohort(world, 1)]
    joined = join_cohorts(cohorts)
    later = rows(cohorts[0]["orders"])
    assert np.array_equal(
        joined["orders"]["code"][joined["lines"]["order"]][rows(cohorts[0]["lines"]) :],
        cohorts[1]["orders"]["code"][cohorts[1]["lines"]["order"]],
    )
    assert joined["people"]["person"][joined["orders"]["person"][later]] >= COHORT_MEMBERS


def test_a_brand_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    first = write(TINY, tmp_path)
    before = (first.sources / SIMULATION_FILE).stat().st_mtime_ns
    told: list[str] = []
    again = write_brand(TINY, first.sources, first.truth, told.append)
    assert not again.is_new
    assert again.files == first.summary.files
    assert (first.sources / SIMULATION_FILE).stat().st_mtime_ns == before
    assert "is there already" in told[-1]


def test_another_configuration_replaces_the_brand(tmp_path: Path) -> None:
    first = write(TINY, tmp_path)
    other = write_brand(dataclasses.replace(TINY, members=160), first.sources, first.truth)
    assert other.is_new and other.fingerprint != first.summary.fingerprint
    assert json.loads((first.sources / SIMULATION_FILE).read_text())["config"]["members"] == 160


def test_a_killed_run_leaves_nothing_and_the_next_one_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "write_orders", killed)
    with pytest.raises(KeyboardInterrupt):
        write_brand(TINY, tmp_path / "sources", tmp_path / "truth")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    left = tmp_path / ".sources.writing-abc"  # what a process that was killed outright leaves
    left.mkdir()
    write(TINY, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sources", "truth"]


def test_sources_and_truth_must_lie_apart(tmp_path: Path) -> None:
    for truth in (tmp_path / "sources" / "truth", tmp_path / "sources", tmp_path):
        with pytest.raises(ValueError, match="must lie apart"):
            write_brand(TINY, tmp_path / "sources", truth)


def test_files_of_somebody_else_are_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "mine.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match="no simulated brand"):
        write_brand(TINY, tmp_path / "sources", tmp_path / "truth")
    assert (tmp_path / "sources" / "mine.csv").exists()


def test_simulation_file_counts_the_rows_and_hashes_of_every_file(brand: Written) -> None:
    for folder in (brand.sources, brand.truth):
        document = json.loads((folder / SIMULATION_FILE).read_text())
        there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {SIMULATION_FILE}
        assert set(document["rows"]) == set(document["sha256"]) == there
        assert document["fingerprint"] == fingerprint(CONFIG)
    assert brand.summary.rows == sum(brand.summary.files.values()) > 50_000
    count = brand.one("select count(*) from '{s}/tmall/orders/*.parquet'")
    assert count == sum(n for name, n in brand.summary.files.items() if name.startswith("tmall/orders/"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("members", 5, "100 or more"), ("days", 3, "30 or more"), ("seed", -1, "seed"), ("daily_files", 400, "daily")],
)
def test_sizes_that_make_no_brand_are_refused(field: str, value: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **{field: value})


def test_command_line_writes_a_brand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--target", str(tmp_path / "s"), "--truth", str(tmp_path / "t")]
    sizes = ["--members", "150", "--days", "45", "--seed", "3", "--events-per-member", "5", "--start", "2026-01-01"]
    assert main([*sizes, *folders]) == 0
    assert "150 members" in capsys.readouterr().err
    config = json.loads((tmp_path / "s" / SIMULATION_FILE).read_text())["config"]
    assert (config["start"], config["days"], config["seed"]) == (date(2026, 1, 1).isoformat(), 45, 3)
    assert main(["--members", "1", *folders]) == 2
    assert "100 or more" in capsys.readouterr().err
