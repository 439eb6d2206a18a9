"""dbt seen from Dagster: arguments, environment, what its log and results say, keys and groups. No dbt process is started."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration import dbt
from orchestration.dbt import Invocation, NodeResult, Translator, build_arguments, dbt_environment, project_hash
from orchestration.defs.transform.models import failure_text, gate_rows
from orchestration.settings import ENVIRONMENT, Settings

SETTINGS = Settings("shop", Path("/home-of-brands"), Path("/brands"), None)
DAYS = dg.DailyPartitionsDefinition("2026-01-01")


# ---- arguments and environment -----------------------------------------------------------------------------------


def test_a_build_leaves_unit_tests_to_the_suite() -> None:
    assert build_arguments(["path:models/marts", "stg_orders"]) == [
        "build", "--exclude-resource-type", "unit_test", "--indirect-selection", "buildable",
        "--select", "path:models/marts", "stg_orders",
    ]  # fmt: skip


def test_exclusion_and_full_refresh_are_added_when_asked_for() -> None:
    plain = build_arguments(["a"])
    assert build_arguments(["a"], ["b", "c"]) == [*plain, "--exclude", "b", "c"]
    assert build_arguments(["a"], full_refresh=True) == [*plain, "--full-refresh"]
    assert build_arguments(["a"], ["b"], full_refresh=True) == [*plain, "--exclude", "b", "--full-refresh"]


def test_the_environment_names_the_brand_and_its_build_file() -> None:
    assert dbt_environment(SETTINGS) == {
        "TESSERA_BRAND": "shop",
        "TESSERA_HOME": "/home-of-brands",
        "TESSERA_BUILD_FILE": "/home-of-brands/shop/warehouse/build.duckdb",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def test_clocks_and_window_are_named_when_asked_for() -> None:
    found = dbt_environment(
        SETTINGS,
        as_of_date=date(2026, 3, 1),
        known_at="2026-03-02T00:00:00+00:00",
        window=(date(2026, 2, 1), date(2026, 2, 3)),
    )
    assert {name: value for name, value in found.items() if name not in dbt_environment(SETTINGS)} == {
        "TESSERA_AS_OF_DATE": "2026-03-01",
        "TESSERA_KNOWN_AT": "2026-03-02T00:00:00+00:00",
        "TESSERA_WINDOW_START": "2026-02-01",
        "TESSERA_WINDOW_END": "2026-02-03",
    }
    assert {name for name in found if name.startswith("TESSERA_")} <= set(ENVIRONMENT)


# ---- project and its hash ----------------------------------------------------------------------------------------


@pytest.fixture
def project_dir(tmp_path: Path) -> Path:
    for name in ("models/marts/a.sql", "macros/m.sql", "dbt_project.yml", "profiles.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("name", ["models/marts/a.sql", "macros/m.sql", "dbt_project.yml", "profiles.yml"])
def test_the_hash_notices_a_changed_file(project_dir: Path, name: str) -> None:
    before = project_hash(project_dir)
    assert project_hash(project_dir) == before
    (project_dir / name).write_text("changed")
    assert project_hash(project_dir) != before


@pytest.mark.parametrize("name", ["models/marts/b.yml", "macros/new.sql", "tests/assert_x.sql", "seeds/s.csv"])
def test_the_hash_notices_a_new_file(project_dir: Path, name: str) -> None:
    before = project_hash(project_dir)
    (project_dir / name).parent.mkdir(exist_ok=True)
    (project_dir / name).write_text("")
    assert project_hash(project_dir) != before


def test_the_hash_notices_a_new_name_and_no_output(project_dir: Path) -> None:
    before = project_hash(project_dir)
    for name in ("target/manifest.json", "logs/dbt.log"):
        (project_dir / name).parent.mkdir()
        (project_dir / name).write_text("{}")
    assert project_hash(project_dir) == before
    (project_dir / "models/marts/a.sql").rename(project_dir / "models/marts/b.sql")
    assert project_hash(project_dir) != before


def test_the_manifest_is_parsed_again_only_when_the_text_has_changed(
    project_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parses: list[list[str]] = []
    target = project_dir / "target"
    target.mkdir()
    monkeypatch.setattr(dbt, "MANIFEST", target / "manifest.json")
    monkeypatch.setattr(dbt, "_STAMP", target / "manifest.stamp")

    def parse(arguments: list[str], *_: Any) -> Any:
        parses.append(arguments)
        (target / "manifest.json").write_text(json.dumps({"parse": len(parses)}))
        failed = "broken" in (project_dir / "models/marts/a.sql").read_text()
        return FakeDbt(["Compilation Error\n"], None, int(failed))

    monkeypatch.setattr(dbt, "_start", parse)
    assert json.loads(dbt.ensure_manifest(project_dir).read_text()) == {"parse": 1}
    dbt.ensure_manifest(project_dir)
    assert len(parses) == 1 and "parse" in parses[0]
    (project_dir / "models/marts/a.sql").write_text("broken")
    for _ in range(2):  # a failed parse is not remembered as a good one
        with pytest.raises(RuntimeError, match="Compilation Error"):
            dbt.ensure_manifest(project_dir)
    assert len(parses) == 3


def test_dbt_is_that_of_this_environment() -> None:
    assert Path(dbt.dbt_executable()).parent == Path(sys.executable).parent


# ---- what dbt says -----------------------------------------------------------------------------------------------


def event(level: str = "info", msg: str = "", **data: Any) -> str:
    return json.dumps({"info": {"level": level, "msg": msg}, "data": data})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (event(msg="ok", index=3, total=9), ({"level": "info", "msg": "ok"}, {"index": 3, "total": 9})),
        ('{"info": {"level": "info"}}', ({"level": "info"}, {})),
        ("Traceback (most recent call last):", ({}, {})),
        ("", ({}, {})),
    ],
)
def test_a_line_of_the_log(line: str, expected: tuple[dict, dict]) -> None:
    assert dbt._event(line) == expected


@pytest.mark.parametrize(
    ("unique_id", "status", "is_test", "is_good", "name"),
    [
        ("model.tessera.fct_orders", "success", False, True, "fct_orders"),
        ("model.tessera.fct_orders", "error", False, False, "fct_orders"),
        ("model.tessera.fct_orders", "skipped", False, False, "fct_orders"),
        ("test.tessera.not_null_fct_orders_order_id.4bf1", "pass", True, True, "not_null_fct_orders_order_id"),
        ("test.tessera.not_null_fct_orders_order_id.4bf1", "warn", True, True, "not_null_fct_orders_order_id"),
        ("test.tessera.not_null_fct_orders_order_id.4bf1", "fail", True, False, "not_null_fct_orders_order_id"),
    ],
)
def test_a_node(unique_id: str, status: str, is_test: bool, is_good: bool, name: str) -> None:
    node = NodeResult(unique_id, status, 0, 0.1)
    assert (node.is_test, node.is_good, node.name) == (is_test, is_good, name)


class FakeDbt:
    """Stands for dbt's process: gives its log lines, writes its results file, ends with its exit code."""

    def __init__(self, lines: list[str], results: list[dict[str, Any]] | None, return_code: int) -> None:
        self.lines, self.results, self.return_code = lines, results, return_code
        self.command: list[str] = []
        self.environment: dict[str, str] = {}
        self.is_ended = False
        self.is_terminated = False

    def __call__(self, command: list[str], env: dict[str, str], executable: Path | None = None) -> FakeDbt:
        self.command, self.environment, self.executable = command, env, executable
        if self.results is not None:
            target = Path(command[command.index("--target-path") + 1])
            (target / "run_results.json").write_text(json.dumps({"results": self.results}))
        return self

    @property
    def stdout(self) -> list[str]:
        return self.lines

    def wait(self) -> int:
        self.is_ended = True
        return self.return_code

    def poll(self) -> int | None:
        return self.return_code if self.is_ended else None

    def terminate(self) -> None:
        self.is_terminated = True


Run = Callable[..., tuple[FakeDbt, Invocation, list[str]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(dbt, "PROJECT_DIR", tmp_path / "project")

    def start(lines: list[str], results: list[dict[str, Any]] | None, return_code: int = 0) -> Any:
        fake, told = FakeDbt(lines, results, return_code), []
        monkeypatch.setattr(dbt, "_start", fake)
        arguments = ["build", "--select", "a"]
        invocation = dbt.run_dbt(arguments, {"TESSERA_BRAND": "shop"}, tmp_path / "t", tmp_path / "l", told.append)
        return fake, invocation, told

    return start


def test_results_become_nodes(run: Run) -> None:
    results = [
        {"unique_id": "model.tessera.a", "status": "success", "failures": None, "execution_time": 1.5},
        {"unique_id": "test.tessera.b.1", "status": "fail", "failures": 7, "execution_time": 0.25},
    ]
    fake, invocation, _ = run([event("error", "Failure in test b")], results, return_code=1)
    assert invocation.nodes == (
        NodeResult("model.tessera.a", "success", 0, 1.5),
        NodeResult("test.tessera.b.1", "fail", 7, 0.25),
    )
    # Its nodes say what failed; the log of a failed test could quote more.
    assert (invocation.return_code, invocation.complaint) == (1, "")
    assert fake.environment["TESSERA_BRAND"] == "shop" and "PATH" in fake.environment
    assert fake.executable is None
    assert fake.command.index("--log-format") < fake.command.index("build") < fake.command.index("--target-path")


def test_a_dbt_that_could_not_start_complains_in_its_own_words(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    stale = [{"unique_id": "model.tessera.a", "status": "success", "failures": 0, "execution_time": 1.0}]
    (tmp_path / "t/run_results.json").write_text(json.dumps({"results": stale}))
    lines = ["noise", event("error", "Could not set lock"), event("info", "hm"), *[event("error", "more")] * 9]
    _, invocation, _ = run(lines, None, return_code=2)
    assert invocation.nodes == (), "results of an earlier run are not this run's"
    assert invocation.complaint.splitlines() == ["Could not set lock", "more", "more", "more", "more"]


def test_progress_is_told_now_and_then(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1.0, 6.0, 6.0, 7.0, 12.0, 12.0])
    monkeypatch.setattr(dbt.time, "monotonic", lambda: next(seconds))
    lines = [event(index=n, total=4) for n in (1, 2, 3, 4)]
    _, _, told = run([event(msg="no progress in this one"), *lines], [])
    assert told == ["dbt: 2 of 4", "dbt: 4 of 4"]


def test_an_interrupted_run_leaves_no_dbt_behind(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = FakeDbt([event(index=1, total=2)], None, 0)
    monkeypatch.setattr(dbt, "_start", fake)
    monkeypatch.setattr(dbt, "_TELL_SECONDS", -1.0)

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dbt.run_dbt(["build"], {}, tmp_path / "t", tmp_path / "l", interrupt)
    assert fake.is_terminated and fake.is_ended


def test_the_parse_of_set_up_is_shared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt, "PROJECT_DIR", tmp_path / "project")
    (tmp_path / "t").mkdir()
    dbt._share_partial_parse(tmp_path / "t")  # none yet
    (tmp_path / "project/target").mkdir(parents=True)
    (tmp_path / "project/target/partial_parse.msgpack").write_text("first")
    dbt._share_partial_parse(tmp_path / "t")
    (tmp_path / "project/target/partial_parse.msgpack").write_text("second")
    dbt._share_partial_parse(tmp_path / "t")
    assert (tmp_path / "t/partial_parse.msgpack").read_text() == "first"


# ---- gate results of dbt's tests ---------------------------------------------------------------------------------


def node(kind: str, name: str, status: str, failures: int = 0) -> NodeResult:
    return NodeResult(f"{kind}.tessera.{name}" + (".0a1b" if kind == "test" else ""), status, failures, 0.1)


def test_gate_rows_are_those_of_the_tests() -> None:
    nodes = (
        node("model", "fct_orders", "success"),
        node("test", "unique_x", "pass"),
        node("test", "unique_y", "fail", 3),
        node("test", "odd_z", "warn", 2),
        node("test", "late", "skipped"),
    )
    found = [(r["check_name"], r["severity"], r["is_passed"], r["observed"]) for r in gate_rows(nodes)]
    assert found == [
        ("unique_x", "error", True, "0 failing rows"),
        ("unique_y", "error", False, "3 failing rows"),
        ("odd_z", "warn", True, "2 failing rows"),
        ("late", "error", False, "skipped: something upstream failed"),
    ]
    assert all(row["subject"] == "dbt" for row in gate_rows(nodes))


@pytest.mark.parametrize(
    ("nodes", "code", "complaint", "said"),
    [
        ((node("model", "a", "success"), node("test", "t", "pass")), 0, "", None),
        ((node("test", "t", "warn"),), 0, "", None),
        ((node("model", "b", "error"), node("model", "a", "error"), node("model", "c", "skipped")), 1, "",
         "dbt warehouse: models in error: a, b; see dbt.log"),
        ((node("model", "a", "success"), node("test", "t", "fail", 2)), 1, "",
         "dbt warehouse: tests that failed: t; see dbt.log"),
        ((node("model", "a", "error"), node("test", "t", "error")), 1, "",
         "dbt warehouse: models in error: a; tests that failed: t; see dbt.log"),
        ((), 2, "Could not set lock", "dbt warehouse: Could not set lock; see dbt.log"),
        ((), 2, "", "dbt warehouse: see dbt.log"),
    ],
)  # fmt: skip
def test_failure_text(nodes: tuple[NodeResult, ...], code: int, complaint: str, said: str | None) -> None:
    assert failure_text("warehouse", Invocation(code, nodes, complaint), "dbt.log") == said


# ---- keys, groups, partitions ------------------------------------------------------------------------------------


def model(name: str, folder: str, **more: Any) -> dict[str, Any]:
    return {
        "resource_type": "model",
        "name": name,
        "schema": folder,
        "fqn": ["tessera", folder, name],
        "description": "One row per thing.",
    } | more


def test_keys_are_schema_and_table() -> None:
    translator = Translator(DAYS)
    assert translator.get_asset_key(model("fct_orders", "marts")) == dg.AssetKey(["marts", "fct_orders"])
    source = {"resource_type": "source", "source_name": "ml", "name": "churn_scores", "schema": "other"}
    assert translator.get_asset_key(source) == dg.AssetKey(["ml", "churn_scores"])


@pytest.mark.parametrize(
    ("folder", "group"),
    [("staging", "stage"), ("intermediate", "identify"), ("marts", "model"), ("features", "describe"), ("tags", "tag"),
     ("segments", "segment"), ("metrics", "measure"), ("ops", "measure"), ("unheard_of", None)],
)  # fmt: skip
def test_the_group_is_the_stage_of_the_folder(folder: str, group: str | None) -> None:
    assert Translator(DAYS).get_group_name(model("thing", folder)) == group


def test_staged_scores_stand_with_the_models_that_made_them() -> None:
    assert Translator(DAYS).get_group_name(model("stg_churn_scores", "staging")) == "predict"


def test_every_folder_of_models_has_a_stage_and_is_built_once() -> None:
    folders = {path.name for path in (dbt.PROJECT_DIR / "models").iterdir() if path.is_dir()}
    assert folders == set(dbt.STAGE_OF_FOLDER)
    selections = " ".join((dbt.WAREHOUSE_SELECT, dbt.FEATURES_SELECT, dbt.ACTIVATION_SELECT)).split()
    paths = [part.removeprefix("path:models/") for part in selections if part.startswith("path:")]
    assert sorted(paths) == sorted(folders)


def test_only_a_model_that_says_so_is_partitioned() -> None:
    translator = Translator(DAYS)
    daily = model("agg_daily", "metrics", config={"meta": {"dagster": {"partitioned_by": "business_date"}}})
    assert translator.get_partitions_def(daily) is DAYS
    assert translator.get_partitions_def(model("dim_members", "marts")) is None


def test_every_asset_has_an_owner_and_its_description() -> None:
    assert Translator(DAYS).get_owners(model("a", "marts")) == ["team:data-engineering"]
    assert Translator(DAYS).get_description(model("a", "marts")) == "One row per thing."
    assert Translator(DAYS).get_description(model("a", "marts", description=None)) == ""
