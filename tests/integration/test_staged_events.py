"""Staged events after late files, resent events and replaced files, against the files themselves and a full refresh.

What each case does by itself is stated in the unit tests of stg_events; here the cases meet, in one home, run after run.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import small_brand
import yaml
from pipeline import Home, differences, land_and_build

from orchestration import build_file, warehouse
from orchestration.brands import load_brand
from orchestration.dbt import build_arguments, dbt_environment, run_dbt
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

MODELS = ("stg_load_batches", "stg_events")
# Business dates of the files; late files come out of this order.
DAYS = [f"2024-05-{day:02d}" for day in range(1, 7)]
SOURCE = {
    "source_system": "app",
    "reader": {"kind": "csv", "path": f"{small_brand.BRAND}/events/{{date}}.csv"},
    "timestamps_in": "UTC",
    "entities": {
        "events": {
            "fields": {
                "event_key": "id",
                "event_name": "what",
                "occurred_at": "happened_at",
                "member_key": "who",
                "page_name": "page",
            },
            "changed_at": "updated_at",
        }
    },
}


def events(day: str, keys: range, page: str, *, updated: str = "") -> pd.DataFrame:
    """Events of a day, a third of them at night when it is still yesterday in UTC; `page` says which file they came from."""
    rows = [(f"e{key}", "view", f"{day} {key % 24:02d}:30:00", f"u{key % 40}", page, updated) for key in keys]
    return pd.DataFrame(rows, columns=["id", "what", "happened_at", "who", "page", "updated_at"])


class Files:
    """The folder of daily files, and every version of them in the order of landing: within one run by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True)
        self.landed: list[tuple[str, pd.DataFrame]] = []

    def write(self, day: str, *parts: pd.DataFrame) -> None:
        rows = pd.concat(parts, ignore_index=True)
        rows.to_csv(self.folder / f"{day}.csv", index=False)
        self.landed.append((day, rows))

    def expected(self) -> pd.DataFrame:
        """The row of each key that counts, worked out of the files in pandas."""
        newest = {day: number for number, (day, _) in enumerate(self.landed)}
        rows = pd.concat([self.landed[number][1].assign(batch=number) for number in newest.values()])
        # A newer version first, rows without one last; then the batch, then the row that was seen first.
        rows = rows.assign(is_plain=rows["updated_at"] == "", line=range(len(rows)))
        plain = rows[rows["is_plain"]].sort_values(["batch", "line"])
        dated = rows[~rows["is_plain"]].sort_values(["updated_at", "batch", "line"], ascending=[False, True, True])
        return pd.concat([dated, plain]).drop_duplicates("id").sort_values("id")[["id", "page"]].reset_index(drop=True)


def staged(home: Home) -> pd.DataFrame:
    rows = home.query("select substr(event_id, 5), page_name from staging.stg_events order by 1", build=True)
    return pd.DataFrame(rows, columns=["id", "page"])


def rebuild(settings: Settings, *, full_refresh: bool = False, known_at: str | None = None) -> None:
    """dbt alone on what has been landed."""
    build_file.prepare(settings, load_brand(settings))
    arguments = [*build_arguments(MODELS, full_refresh=full_refresh), "--exclude-resource-type", "test"]
    home = settings.brand_home
    environment = dbt_environment(settings, known_at=known_at)
    done = run_dbt(arguments, environment, target=home / "dbt", logs=home / "logs", tell=print)
    assert done.return_code == 0, done.complaint


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "root")
    small_brand.write_configuration(home.brands)
    sources = home.brands / small_brand.BRAND / "sources"
    for path in sources.iterdir():
        path.unlink()
    (sources / "events.yml").write_text(yaml.safe_dump(SOURCE), encoding="utf-8")
    return home


def test_runs_after_one_another_stage_what_the_files_say(home: Home, tmp_path: Path) -> None:
    files = Files(home.sources / small_brand.BRAND / "events")

    # Day 4 before day 3; day 2 resends some of day 1, and has a row twice.
    files.write(DAYS[0], events(DAYS[0], range(100), "a1"))
    files.write(DAYS[1], events(DAYS[1], range(80, 200), "b1"), events(DAYS[1], range(150, 153), "b1 again"))
    files.write(DAYS[3], events(DAYS[3], range(300, 400), "d1"))
    land_and_build(home.settings, *MODELS)
    pd.testing.assert_frame_equal(staged(home), files.expected())
    assert len(staged(home)) == 300
    known_at = home.query("select cast(max(loaded_at) as varchar) from staging.stg_load_batches", build=True)[0][0]
    first = staged(home)

    # Day 1 again without events 90 to 99: day 2, which had resent them, gives them now. Day 3 comes late, with a
    # correction of two events of day 4 and a resent one of day 2. Day 5 is new.
    files.write(DAYS[0], events(DAYS[0], range(90), "a2"))
    files.write(
        DAYS[2],
        events(DAYS[2], range(200, 290), "c1"),
        events(DAYS[3], range(310, 312), "c1 corrects", updated="2024-05-04 12:00:00"),
        events(DAYS[2], range(120, 121), "c1 resends"),
    )
    files.write(DAYS[4], events(DAYS[4], range(400, 450), "e1"))
    land_and_build(home.settings, *MODELS)
    pd.testing.assert_frame_equal(staged(home), files.expected())
    pages = dict(staged(home).itertuples(index=False))
    assert (pages["e70"], pages["e95"], pages["e310"], pages["e120"]) == ("a2", "b1", "c1 corrects", "b1")

    # Both files that had events 85 to 94 are replaced at once and lose them, day 3 loses its corrections, and day 6 resends
    # what days 4 and 5 have.
    files.write(DAYS[0], events(DAYS[0], range(85), "a3"))
    files.write(DAYS[1], events(DAYS[1], range(95, 200), "b2"))
    files.write(DAYS[2], events(DAYS[2], range(200, 290), "c2"))
    files.write(DAYS[5], events(DAYS[5], range(380, 460), "f1"))
    land_and_build(home.settings, *MODELS)
    found = staged(home)
    pd.testing.assert_frame_equal(found, files.expected())
    pages = dict(found.itertuples(index=False))
    assert (pages["e310"], pages["e430"], pages["e455"]) == ("d1", "e1", "f1")
    assert not {f"e{key}" for key in range(85, 95)} & set(pages)

    incremental = tmp_path / home.settings.build_file.name
    incremental.write_bytes(home.settings.build_file.read_bytes())
    rebuild(home.settings, full_refresh=True)
    assert differences(incremental, home.settings.build_file, schemas=("staging",)) == {}

    # What was known after the first run is staged again, and then forgotten again.
    rebuild(home.settings, known_at=known_at)
    pd.testing.assert_frame_equal(staged(home), first)
    rebuild(home.settings)
    assert differences(incremental, home.settings.build_file, schemas=("staging",)) == {}
    with warehouse.read_only(incremental) as connection:
        assert connection.execute("select count(*) from staging.stg_events").fetchone() == (len(found),)


def test_first_files_after_empty_tables_take_the_way_of_a_full_build(home: Home) -> None:
    compiled = home.settings.brand_home / "dbt" / "compiled" / "tessera" / "models" / "staging" / "stg_events.sql"
    rebuild(home.settings)
    assert staged(home).empty

    files = Files(home.sources / small_brand.BRAND / "events")
    files.write(DAYS[0], events(DAYS[0], range(100), "a1"), events(DAYS[0], range(20), "a1"))
    land_and_build(home.settings, *MODELS)
    pd.testing.assert_frame_equal(staged(home), files.expected())
    assert "staged_batches" not in compiled.read_text(encoding="utf-8")

    # With a row in the table, a file is compared with what is there.
    files.write(DAYS[1], events(DAYS[1], range(80, 200), "b1"))
    land_and_build(home.settings, *MODELS)
    pd.testing.assert_frame_equal(staged(home), files.expected())
    assert "staged_batches" in compiled.read_text(encoding="utf-8")
