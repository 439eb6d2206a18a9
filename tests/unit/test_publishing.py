"""Write-audit-publish: what readers see through publishes, rollbacks, crashes and a full disk."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from orchestration import publishing, warehouse
from orchestration.publishing import PublishError
from orchestration.settings import PROJECT_ROOT, Settings

EXTRA = {
    "as_of_date": date(2017, 12, 31),
    "known_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "input_fingerprint": "f00d",
    "code_version": "0.0.0+test",
}
CLEAN = {"passed": 7, "failed": 0, "warned": 1}
SCHEMAS = ("marts", "ops")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(brand="shop", home=tmp_path / "home", brands_dir=tmp_path / "brands", sources_root=None)


def build(settings: Settings, number: int = 1, rows: int = 50) -> None:
    """A build file whose marts.numbered says which build it is, in every row."""
    settings.build_file.unlink(missing_ok=True)
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("create schema marts; create schema ops; create schema staging")
        connection.execute("create table staging.secret as select 1 as x")
        connection.execute(
            f"create table marts.numbered as select {number} as number, row, 1.10::decimal(18, 2) as amount, "
            f"md5(row::text) as noise from range({rows}) r(row) order by row desc"
        )
        connection.execute("create view ops.counted as select count(*) as n from build.marts.numbered")
        connection.execute("""create table marts."odd ""name" as select '会员' as "列" """)
        connection.execute("comment on table marts.numbered is 'one row per number; it''s a test'")
        connection.execute("comment on column marts.numbered.row is '行'")
        connection.execute("comment on view ops.counted is 'a view'")


def publish(settings: Settings, number: int = 1, **kwargs: Any) -> dict[str, Any]:
    build(settings, number)
    staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
    return publishing.promote(staged, CLEAN, **kwargs)


def read(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.read_only(settings.published_file) as connection:
        return connection.execute(sql).fetchall()


def published_number(settings: Settings) -> int:
    return read(settings, "select distinct number from marts.numbered")[0][0]


def files(settings: Settings) -> set[str]:
    return {str(p.relative_to(settings.published_dir)) for p in settings.published_dir.rglob("*") if p.is_file()}


def assert_consistent(settings: Settings) -> str:
    """current.duckdb, manifest.json and the version kept agree; returns the version."""
    manifest = json.loads(publishing.manifest_file(settings).read_text())
    inside = read(settings, "select version from ops.publication")[0][0]
    assert manifest["version"] == inside
    assert manifest == json.loads((settings.published_dir / "versions" / f"{inside}.json").read_text())
    assert (settings.published_dir / manifest["file"]).read_bytes() == settings.published_file.read_bytes()
    return inside


# ---- what a publication holds ------------------------------------------------------------------------------------


def test_publication_holds_only_the_schemas_asked_for_with_views_as_tables(settings: Settings) -> None:
    publish(settings)
    assert read(settings, "select schema_name, table_name from duckdb_tables() where not internal order by 1, 2") == [
        ("marts", "numbered"),
        ("marts", 'odd "name'),
        ("ops", "counted"),
        ("ops", "publication"),
    ]
    assert read(settings, "select count(*) from duckdb_views() where not internal") == [(0,)]
    assert read(settings, "select n from ops.counted") == [(50,)]


def test_copy_keeps_rows_order_types_and_comments(settings: Settings) -> None:
    publish(settings)
    with warehouse.read_only(settings.build_file) as connection:
        expected = connection.execute("from marts.numbered").fetchall()
        types = connection.execute("describe marts.numbered").fetchall()
    assert read(settings, "from marts.numbered") == expected
    assert read(settings, "describe marts.numbered") == types
    comments = read(
        settings,
        "select comment from duckdb_tables() where table_name in ('numbered', 'counted') union all "
        "select comment from duckdb_columns() where table_name = 'numbered' and comment is not null",
    )
    assert {c for (c,) in comments} == {"one row per number; it's a test", "a view", "行"}


def test_publication_row_says_what_the_file_is(settings: Settings) -> None:
    manifest = publish(settings)
    ((version, brand, as_of, known_at, published_at, code),) = read(settings, "from ops.publication")
    assert (version, brand, as_of, code) == (manifest["version"], "shop", date(2017, 12, 31), "0.0.0+test")
    assert known_at == EXTRA["known_at"]
    assert published_at == datetime.fromisoformat(manifest["published_at"])


def test_an_ops_publication_table_in_the_build_file_is_not_taken_over(settings: Settings) -> None:
    build(settings)
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("create table ops.publication as select 'stale' as version")
    publishing.promote(publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA), CLEAN)
    assert_consistent(settings)


def test_manifest_tells_counts_gates_digest_and_predecessor(settings: Settings) -> None:
    first = publish(settings, 1)
    second = publish(settings, 2)
    assert first["previous_version"] is None
    assert second["previous_version"] == first["version"]
    assert second == publishing.read_manifest(settings)
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", second["version"])
    assert second["as_of_date"] == "2017-12-31"
    assert second["known_at"] == "2026-01-02T03:04:05Z"
    assert second["gates"] == CLEAN
    assert second["input_fingerprint"] == "f00d"
    assert second["schemas"] == ["marts", "ops"]
    assert second["row_counts"] == {
        "marts.numbered": 50,
        'marts.odd "name': 1,
        "ops.counted": 1,
        "ops.publication": 1,
    }
    assert second["sha256"] == publishing._sha256(settings.published_file)
    assert second["file"] == f"versions/{second['version']}.duckdb"
    assert_consistent(settings)


def test_known_at_of_another_zone_is_stored_in_utc(settings: Settings) -> None:
    build(settings)
    shanghai = datetime(2026, 1, 2, 11, 4, 5, tzinfo=timezone(timedelta(hours=8)))
    staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA | {"known_at": shanghai})
    assert publishing.promote(staged, CLEAN)["known_at"] == "2026-01-02T03:04:05Z"


def test_published_files_are_read_only_and_one_file_on_disk(settings: Settings) -> None:
    manifest = publish(settings)
    for path in (
        settings.published_file,
        publishing.manifest_file(settings),
        settings.published_dir / manifest["file"],
    ):
        assert path.stat().st_mode & 0o777 == 0o444
    assert settings.published_file.samefile(settings.published_dir / manifest["file"])
    assert files(settings) == {
        "current.duckdb",
        "manifest.json",
        f"versions/{manifest['version']}.duckdb",
        f"versions/{manifest['version']}.json",
    }


def test_versions_sort_by_time_even_within_one_second_and_when_the_clock_goes_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [publish(settings, n)["version"] for n in range(3)]

    monkeypatch.setattr(publishing, "_now", lambda: datetime(2020, 1, 1, tzinfo=UTC))
    made.append(publish(settings, 4)["version"])
    assert made == sorted(made)
    assert [v.version for v in publishing.list_versions(settings)] == made[::-1]


@pytest.mark.parametrize("missing", publishing.REQUIRED_EXTRA)
def test_manifest_extra_must_be_complete(settings: Settings, missing: str) -> None:
    build(settings)
    with pytest.raises(ValueError, match=missing):
        publishing.stage_publication(settings, manifest_extra={k: v for k, v in EXTRA.items() if k != missing})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sha256": "x"}, "sha256"),
        ({"as_of_date": "2017-12-31"}, "as_of_date"),
        ({"as_of_date": datetime(2017, 12, 31)}, "as_of_date"),
        ({"known_at": datetime(2026, 1, 1)}, "known_at"),
    ],
)
def test_manifest_extra_must_be_of_the_right_kind(settings: Settings, wrong: dict[str, Any], told: str) -> None:
    build(settings)
    with pytest.raises(ValueError, match=told):
        publishing.stage_publication(settings, manifest_extra=EXTRA | wrong)


def test_a_schema_that_was_not_built_is_named(settings: Settings) -> None:
    build(settings)
    with pytest.raises(PublishError, match="no schema tags, which is to be published"):
        publishing.stage_publication(settings, schemas=("marts", "tags"), manifest_extra=EXTRA)
    assert files(settings) == set()


def test_without_a_build_file_the_message_says_what_to_run(settings: Settings) -> None:
    with pytest.raises(PublishError, match="tessera run --brand shop"):
        publishing.stage_publication(settings, manifest_extra=EXTRA)


# ---- gates -------------------------------------------------------------------------------------------------------


def test_nothing_is_current_before_promotion_and_discard_leaves_nothing(settings: Settings) -> None:
    build(settings)
    staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
    assert staged.file.exists()
    assert publishing.read_manifest(settings) is None
    assert not settings.published_file.exists()
    publishing.discard(staged)
    publishing.discard(staged)
    assert files(settings) == set()
    with pytest.raises(PublishError, match="stage it again"):
        publishing.promote(staged, CLEAN)


def test_a_failed_check_cannot_be_promoted(settings: Settings) -> None:
    publish(settings, 1)
    before = files(settings)
    build(settings, 2)
    staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
    with pytest.raises(PublishError, match="2 checks failed"):
        publishing.promote(staged, {"passed": 5, "failed": 2, "warned": 0})
    assert files(settings) == before
    assert published_number(settings) == 1


def test_what_the_audit_adds_to_the_copy_is_published_and_counted(settings: Settings) -> None:
    build(settings)
    staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
    with warehouse.writer(staged.file) as connection:
        connection.execute("create table ops.gate_results as select 'ok' as outcome from range(3)")
    manifest = publishing.promote(staged, CLEAN)
    assert manifest["row_counts"]["ops.gate_results"] == 3
    assert manifest["sha256"] == publishing._sha256(settings.published_file)
    assert read(settings, "select count(*) from ops.gate_results") == [(3,)]


def test_a_second_promotion_of_the_same_copy_harms_nothing(settings: Settings) -> None:
    build(settings, 1)
    staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
    publishing.promote(staged, CLEAN)
    publish(settings, 2)
    before = files(settings)
    with pytest.raises(PublishError):
        publishing.promote(staged, CLEAN)
    assert files(settings) == before


def test_gate_summary_must_be_complete(settings: Settings) -> None:
    build(settings)
    staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
    with pytest.raises(ValueError, match="passed, failed, warned"):
        publishing.promote(staged, {"passed": 1})


# ---- keeping and rolling back ------------------------------------------------------------------------------------


def test_only_the_newest_versions_are_kept(settings: Settings) -> None:
    made = [publish(settings, n, keep_versions=2)["version"] for n in range(4)]
    assert [v.version for v in publishing.list_versions(settings)] == [made[3], made[2]]
    assert len(files(settings)) == 2 + 2 * 2


def test_the_current_version_is_never_pruned(settings: Settings) -> None:
    made = [publish(settings, n)["version"] for n in (1, 2, 3)]
    publishing.rollback(settings, made[0])
    publishing._prune(settings, 1, current=made[0])
    assert [v.version for v in publishing.list_versions(settings)] == [made[2], made[0]]


def test_pruning_removes_halves_that_a_death_left(settings: Settings) -> None:
    publish(settings, 1)
    orphan = settings.published_dir / "versions" / "20200101T000000Z-abcdef"
    orphan.with_suffix(".json").write_text("{}")
    other = settings.published_dir / "versions" / "20200101T000001Z-abcdef.duckdb"
    other.write_text("")
    stranger = settings.published_dir / "versions" / "notes.json"
    stranger.write_text("{}")
    assert len(publishing.list_versions(settings)) == 1
    publish(settings, 2)
    assert not orphan.with_suffix(".json").exists()
    assert not other.exists()
    assert stranger.exists()


def test_staging_of_a_dead_process_is_removed_and_of_a_living_one_kept(settings: Settings) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = settings.published_dir / "versions"
    folder.mkdir(parents=True)
    gone = [
        folder / f".staging-{dead.pid}.duckdb",
        folder / f".staging-{dead.pid}.duckdb.wal",
        settings.published_dir / f".current.duckdb.{dead.pid}",
    ]
    living = folder / f".staging-{os.getppid()}.duckdb"
    for path in [*gone, living]:
        path.write_text("x")
    publish(settings)
    assert not any(path.exists() for path in gone)
    assert living.exists()


def test_rollback_goes_back_one_by_one_and_forward_by_name(settings: Settings) -> None:
    made = [publish(settings, n)["version"] for n in (1, 2, 3)]
    assert publishing.rollback(settings)["version"] == made[1]
    assert (published_number(settings), assert_consistent(settings)) == (2, made[1])
    assert publishing.rollback(settings)["version"] == made[0]
    with pytest.raises(PublishError, match=f"no version older than the current {made[0]}"):
        publishing.rollback(settings)
    assert publishing.rollback(settings, made[2])["version"] == made[2]
    assert (published_number(settings), assert_consistent(settings)) == (3, made[2])
    assert [v.is_current for v in publishing.list_versions(settings)] == [True, False, False]


def test_rollback_to_the_current_version_changes_nothing(settings: Settings) -> None:
    version = publish(settings)["version"]
    before = files(settings)
    publishing.rollback(settings, version)
    assert files(settings) == before
    assert_consistent(settings)


def test_publishing_after_a_rollback_keeps_the_current_one_and_goes_on(settings: Settings) -> None:
    made = [publish(settings, n, keep_versions=3)["version"] for n in (1, 2, 3)]
    publishing.rollback(settings, made[0])
    fourth = publish(settings, 4, keep_versions=3)
    assert fourth["previous_version"] == made[0]
    assert published_number(settings) == 4


def test_rollback_without_any_publication(settings: Settings) -> None:
    with pytest.raises(PublishError, match="nothing is published for shop"):
        publishing.rollback(settings)


def test_rollback_to_an_unknown_version_lists_those_kept(settings: Settings) -> None:
    version = publish(settings)["version"]
    with pytest.raises(PublishError, match=re.escape(f"{version} (current)")):
        publishing.rollback(settings, "20200101T000000Z-abcdef")
    with pytest.raises(PublishError):
        publishing.rollback(settings, "../../etc/passwd")


def test_rollback_refuses_a_damaged_file(settings: Settings) -> None:
    first = publish(settings, 1)
    publish(settings, 2)
    file = settings.published_dir / first["file"]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(PublishError, match="sha256"):
        publishing.rollback(settings)
    assert published_number(settings) == 2


def test_a_damaged_current_file_stops_neither_rollback_nor_publishing(settings: Settings) -> None:
    first = publish(settings, 1)
    publish(settings, 2)
    settings.published_file.unlink()
    settings.published_file.write_text("not a database")
    with pytest.raises(PublishError, match=re.escape(str(settings.published_file))):
        publishing.heal(settings)
    assert publishing.rollback(settings)["version"] == first["version"]
    assert assert_consistent(settings) == first["version"]
    settings.published_file.unlink()
    settings.published_file.write_text("not a database")
    publish(settings, 3)
    assert published_number(settings) == 3
    assert_consistent(settings)


def test_a_file_system_without_hard_links_gets_a_copy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    made = [publish(settings, n)["version"] for n in (1, 2)]
    assert assert_consistent(settings) == made[1]
    assert settings.published_file.stat().st_mode & 0o777 == 0o444
    publishing.rollback(settings)
    assert assert_consistent(settings) == made[0]


# ---- crashes -----------------------------------------------------------------------------------------------------

CRASH = """
import os, sys
from pathlib import Path
from datetime import UTC, date, datetime
from orchestration import publishing
from orchestration.settings import Settings

home, step = Path(sys.argv[1]), int(sys.argv[2])
settings = Settings(brand="shop", home=home, brands_dir=home, sources_root=None)
staged = publishing.stage_publication(settings, schemas=("marts", "ops"), manifest_extra={
    "as_of_date": date(2017, 12, 31), "known_at": datetime(2026, 1, 1, tzinfo=UTC), "input_fingerprint": "x"})
real, count = Path.replace, 0
def replace(self, target):
    global count
    if count == step:
        os._exit(9)
    count += 1
    return real(self, target)
Path.replace = replace
publishing.promote(staged, {"passed": 1, "failed": 0, "warned": 0})
os._exit(count)
"""


def run_python(code: str, *arguments: object, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "number"), [(0, 1), (1, 1), (2, 1), (3, 2)])
def test_a_death_at_any_rename_leaves_a_whole_publication_that_heals(
    settings: Settings, step: int, number: int
) -> None:
    """Renames in order: version manifest, version file, current.duckdb, manifest.json."""
    first = publish(settings, 1)["version"]
    build(settings, 2)
    assert run_python(CRASH, settings.home, step).returncode == 9
    assert published_number(settings) == number
    healed = publishing.heal(settings)
    assert healed is not None
    assert assert_consistent(settings) == healed["version"]
    assert (healed["version"] == first) == (number == 1)
    third = publish(settings, 3)
    assert published_number(settings) == 3
    assert third["previous_version"] == healed["version"]
    assert not [name for name in files(settings) if Path(name).name.startswith(".")]
    assert_consistent(settings)


@pytest.mark.slow
def test_the_crash_test_covers_every_rename(settings: Settings) -> None:
    build(settings)
    assert run_python(CRASH, settings.home, 99).returncode == 4


def test_heal_changes_nothing_that_is_right(settings: Settings) -> None:
    assert publishing.heal(settings) is None
    manifest = publish(settings)
    before = publishing.manifest_file(settings).stat()
    assert publishing.heal(settings) == manifest
    after = publishing.manifest_file(settings).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("damage", ["missing", "garbled", "other"])
def test_heal_rewrites_a_manifest_that_is_wrong(settings: Settings, damage: str) -> None:
    publish(settings, 1)
    manifest = publish(settings, 2)
    path = publishing.manifest_file(settings)
    path.unlink()
    if damage == "garbled":
        path.write_text("{")
        with pytest.raises(PublishError, match="tessera status"):
            publishing.read_manifest(settings)
    if damage == "other":
        path.write_text(json.dumps(manifest | {"version": "20200101T000000Z-abcdef"}))
    assert publishing.read_manifest_healed(settings) == manifest
    assert assert_consistent(settings) == manifest["version"]


def test_heal_puts_back_a_current_file_that_was_removed(settings: Settings) -> None:
    manifest = publish(settings)
    settings.published_file.unlink()
    assert publishing.heal(settings) == manifest
    assert assert_consistent(settings) == manifest["version"]


def test_heal_says_so_when_the_truth_is_gone(settings: Settings) -> None:
    manifest = publish(settings)
    publishing.manifest_file(settings).unlink()
    (settings.published_dir / "versions" / f"{manifest['version']}.json").unlink()
    with pytest.raises(PublishError, match="--force"):
        publishing.heal(settings)
    publish(settings, 2)
    assert_consistent(settings)


# ---- a full disk -------------------------------------------------------------------------------------------------

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from datetime import UTC, date, datetime
from orchestration import publishing
from orchestration.settings import Settings

home, limit = Path(sys.argv[1]), int(sys.argv[2])
settings = Settings(brand="shop", home=home, brands_dir=home, sources_root=None)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
extra = {"as_of_date": date(2017, 12, 31), "known_at": datetime(2026, 1, 1, tzinfo=UTC), "input_fingerprint": "x"}
try:
    staged = publishing.stage_publication(settings, schemas=("marts", "ops"), manifest_extra=extra)
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), limit))
    publishing.promote(staged, {"passed": 1, "failed": 0, "warned": 0})
except publishing.PublishError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "doing"),
    [
        ((300_000,), "staging a copy of"),  # the copy does not fit
        ((10_000,), "staging a copy of"),  # not even its header
        ((100_000_000, 100), "publishing version"),  # the copy fits, its manifest does not
    ],
)
def test_a_full_disk_keeps_what_was_published(settings: Settings, limits: tuple[int, ...], doing: str) -> None:
    version = publish(settings, 1)["version"]
    before = files(settings)
    build(settings, 2, rows=100_000)
    done = run_python(FULL_DISK, settings.home, *limits)
    assert done.returncode == 7, done.stderr
    assert doing in done.stdout
    assert "File too large" in done.stdout
    assert "Check space" in done.stdout
    assert str(settings.published_dir) in done.stdout
    assert files(settings) == before
    assert assert_consistent(settings) == version
    assert published_number(settings) == 1
    assert publish(settings, 3)["previous_version"] == version  # with space again, the next run publishes


def test_a_disk_that_fills_up_at_the_swap_takes_the_new_version_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, 1)
    before = files(settings)
    build(settings, 2)
    staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(settings.published_file))

    monkeypatch.setattr(publishing, "_link", full)
    with pytest.raises(PublishError, match=rf"{re.escape(str(settings.published_file))}: No space left on device"):
        publishing.promote(staged, CLEAN)
    assert files(settings) == before
    assert published_number(settings) == 1


def test_an_error_that_quotes_data_is_not_passed_on(settings: Settings) -> None:
    build(settings)
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("create table marts.phones as select '13800001111x' as phone")
        connection.execute("create view marts.broken as select phone::bigint as phone from marts.phones")
    with pytest.raises(PublishError) as caught:
        publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
    assert "13800001111" not in str(caught.value)
    assert "ConversionException" in str(caught.value)
    assert files(settings) == set()


def test_an_interrupt_while_staging_leaves_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    build(settings)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "_write_publication_row", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
    assert files(settings) == set()


# ---- readers in other processes ----------------------------------------------------------------------------------

READER = """
import sys, time
from pathlib import Path
import duckdb
current, stop = Path(sys.argv[1]), Path(sys.argv[2])
seen, reads = set(), 0
while not stop.exists():
    with duckdb.connect(str(current), read_only=True) as connection:
        version, = connection.execute("select version from ops.publication").fetchone()
        numbers = connection.execute("select distinct number from marts.numbered").fetchall()
        rows, = connection.execute("select count(noise) from marts.numbered").fetchone()
    assert len(numbers) == 1 and rows == 50, (numbers, rows)
    seen.add((version, numbers[0][0]))
    reads += 1
    if reads == 1:
        print("ready", flush=True)
print(reads, sorted(seen))
"""


@pytest.mark.slow
def test_readers_see_no_error_and_one_whole_version_through_publishes_and_a_rollback(
    settings: Settings, tmp_path: Path
) -> None:
    expected = {(publish(settings, 0)["version"], 0)}
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", textwrap.dedent(READER), str(settings.published_file), str(stop)]
    readers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        for number in range(1, 6):
            expected.add((publish(settings, number)["version"], number))
        publishing.rollback(settings)
    finally:
        stop.touch()
        results = [reader.communicate(timeout=30) for reader in readers]
    observed: set[tuple[str, int]] = set()
    for reader, (out, err) in zip(readers, results, strict=True):
        assert reader.returncode == 0, err
        count, _, seen = out.partition(" ")
        assert int(count) > 5
        observed |= set(eval(seen))
    assert observed <= expected
    assert len(observed) > 1  # the readers did live through a swap


@pytest.mark.slow
def test_a_reader_of_the_build_file_does_not_stop_staging(settings: Settings) -> None:
    build(settings)
    code = """
    import sys, duckdb
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        print("open", flush=True)
        sys.stdin.readline()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(settings.build_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        staged = publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
        reader.communicate("\n", timeout=30)
    publishing.promote(staged, CLEAN)
    assert_consistent(settings)


@pytest.mark.slow
def test_a_writer_of_the_build_file_is_named(settings: Settings) -> None:
    build(settings)
    code = """
    import sys, duckdb
    with duckdb.connect(sys.argv[1]) as connection:
        print("open", flush=True)
        sys.stdin.readline()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(settings.build_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(PublishError, match=rf"lock on file.*PID {writer.pid}"):
            publishing.stage_publication(settings, schemas=SCHEMAS, manifest_extra=EXTRA)
        writer.communicate("\n", timeout=30)
    assert files(settings) == set()


@pytest.mark.slow
def test_an_open_reader_keeps_its_version(settings: Settings) -> None:
    publish(settings, 1)
    code = """
    import sys, duckdb
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        print(connection.execute("select max(number) from marts.numbered").fetchone()[0], flush=True)
        sys.stdin.readline()
        print(connection.execute("select max(number) from marts.numbered where noise > ''").fetchone()[0])
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(settings.published_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "1\n"
        publish(settings, 2, keep_versions=1)
        assert reader.communicate("\n", timeout=30)[0] == "1\n"
    assert published_number(settings) == 2


def test_latency_counts_from_the_newest_event_and_the_file_that_waited_longest() -> None:
    manifest = {
        "published_at": "2026-01-02T00:01:00Z",
        "latest_event_at": "2026-01-02T00:00:00Z",
        "first_new_arrival_at": "2026-01-02T00:00:45.500000Z",
    }
    assert publishing.latencies(manifest) == {"event_to_mart_seconds": 60.0, "arrival_to_mart_seconds": 14.5}
    assert publishing.latencies(manifest | {"latest_event_at": None, "first_new_arrival_at": None}) == {}
    assert publishing.latencies({"published_at": "2026-01-02T00:01:00Z"}) == {}  # of a version before there were clocks
