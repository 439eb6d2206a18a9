"""The `tessera` command: output, messages and exit codes. What the commands call is tested beside its own module."""

from __future__ import annotations

import csv
import inspect
import io
import json
import subprocess
import sys
import types
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from orchestration import cli, console, publishing, warehouse
from orchestration.locking import brand_lock
from orchestration.settings import DEFAULT_BRAND, Settings, load_settings

runner = CliRunner()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A brand `shop` in an environment of its own, nothing published."""
    for name in ("TESSERA_BRAND", "TESSERA_SOURCES", "TESSERA_LOCK_WAIT_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    for brand in (DEFAULT_BRAND, "shop"):
        (tmp_path / "brands" / brand).mkdir(parents=True)
        (tmp_path / "brands" / brand / "brand.yml").touch()
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    return load_settings("shop")


def publish(settings: Settings, number: int = 1) -> str:
    settings.build_file.unlink(missing_ok=True)
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("create schema marts; create schema ops; create schema metrics")
        connection.execute(f"create table marts.numbered as select {number} as number, row from range(250) r(row)")
        connection.execute(
            """
            create table marts.kinds as select '会员, "甲"' as label, 1.10::decimal(18, 2) as amount,
              123456789012345678.9012::decimal(22, 4) as exact, date '2017-03-01' as day,
              timestamptz '2017-03-01 05:06:07+00' as at, true as yes, null::integer as nothing, 'nan'::double as nan,
              [1.50::decimal(4, 2)] as list, {'k': date '2017-01-01'} as struct, 0.1::double as ratio
            """
        )
    extra = {"as_of_date": date(2017, 12, 31), "known_at": datetime(2026, 1, 1, tzinfo=UTC), "input_fingerprint": "f"}
    staged = publishing.stage_publication(settings, schemas=("marts", "metrics", "ops"), manifest_extra=extra)
    return publishing.promote(staged, {"passed": 3, "failed": 0, "warned": 1})["version"]


@pytest.fixture
def published(settings: Settings) -> Settings:
    publish(settings)
    return settings


def invoke(*arguments: str, **kwargs: Any) -> Result:
    return runner.invoke(cli.app, list(arguments), **kwargs)


def query(sql: str, *arguments: str, **kwargs: Any) -> Result:
    return invoke("query", sql, "--brand", "shop", *arguments, **kwargs)


def flat(text: str) -> str:
    """Help and error boxes without their frames and line breaks."""
    return " ".join(text.translate(str.maketrans("│╭╮╰╯─", "      ")).split())


# ---- help, version, usage ----------------------------------------------------------------------------------------


def test_help_names_every_command_and_the_exit_codes() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for command in ("run", "check", "query", "status", "rollback", "brands"):
        assert f" {command} " in flat(result.stdout)
    for code in ("0 done", "1 the run failed", "2 usage", "3 another run"):
        assert code in flat(result.stdout)


@pytest.mark.parametrize("command", ["run", "check", "query", "status", "rollback", "brands"])
def test_every_command_has_help_with_exit_codes(command: str) -> None:
    result = invoke(command, "-h")
    assert result.exit_code == 0
    assert "Exit codes: 0 done" in flat(result.stdout)


def test_version() -> None:
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, "tessera 0.1.0\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch",),
        ("run", "--nosuch"),
        ("run", "--as-of", "31.12.2017"),
        ("query",),
        ("query", "select 1", "--format", "xml"),
        ("query", "select 1", "--limit", "0"),
    ],
)
def test_wrong_usage_exits_2_and_tells_on_stderr(settings: Settings, arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


@pytest.mark.parametrize("command", [("run",), ("check",), ("query", "select 1"), ("status",), ("rollback",)])
def test_an_unknown_brand_exits_2_with_the_known_ones(settings: Settings, command: tuple[str, ...]) -> None:
    result = invoke(*command, "--brand", "nosuch")
    assert result.exit_code == 2
    assert "unknown brand 'nosuch'" in result.stderr
    assert "shop" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_misspelt_variable_exits_2(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_HOMES", "x")
    result = invoke("status")
    assert result.exit_code == 2
    assert "TESSERA_HOMES" in result.stderr


@pytest.mark.slow
def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from orchestration.cli import app; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0; "
        "print([m for m in ('dagster', 'duckdb', 'pandas', 'dbt', 'great_expectations') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


# ---- query -------------------------------------------------------------------------------------------------------


def test_query_before_the_first_publication_says_what_to_run(settings: Settings) -> None:
    result = query("select 1")
    assert result.exit_code == 2
    assert "tessera run --brand shop" in result.stderr


def test_query_as_json_is_exact(published: Settings) -> None:
    result = query("from marts.kinds", "--format", "json")
    assert result.exit_code == 0
    assert '"exact": 123456789012345678.9012' in result.stdout
    assert "会员" in result.stdout
    assert json.loads(result.stdout, parse_float=Decimal) == [
        {
            "label": '会员, "甲"',
            "amount": Decimal("1.10"),
            "exact": Decimal("123456789012345678.9012"),
            "day": "2017-03-01",
            "at": "2017-03-01T05:06:07Z",
            "yes": True,
            "nothing": None,
            "nan": None,
            "list": [Decimal("1.50")],
            "struct": {"k": "2017-01-01"},
            "ratio": Decimal("0.1"),
        }
    ]
    assert '"amount": 1.10' in result.stdout


def test_query_as_csv_can_be_read_back(published: Settings) -> None:
    result = query("from marts.kinds", "-f", "csv")
    assert result.exit_code == 0
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert row["label"] == '会员, "甲"'
    assert (row["amount"], row["exact"]) == ("1.10", "123456789012345678.9012")
    assert (row["day"], row["at"]) == ("2017-03-01", "2017-03-01T05:06:07Z")
    assert (row["yes"], row["nothing"], row["list"], row["struct"]) == ("true", "", "[1.50]", '{"k": "2017-01-01"}')


def test_query_as_table_shows_all_columns_when_piped(published: Settings) -> None:
    result = query("select label, amount, nothing, repeat('x', 300) as wide from marts.kinds")
    assert result.exit_code == 0
    assert "会员" in result.stdout
    assert "1.10" in result.stdout
    assert "NULL" in result.stdout
    assert "x" * 300 in result.stdout


def test_square_brackets_are_data_not_markup(published: Settings) -> None:
    assert "[bold]x[/]" in query("select '[bold]x[/]' as a").stdout


@pytest.mark.parametrize(
    ("arguments", "rows"), [((), 100), (("--limit", "7"), 7), (("--limit", "250"), 250), (("-n", "1000"), 250)]
)
def test_table_limit(published: Settings, arguments: tuple[str, ...], rows: int) -> None:
    result = query("select 'r' || row as r from marts.numbered", *arguments)
    assert result.stdout.count("r") == rows + 1
    assert ("more with --limit" in result.stderr) == (rows < 250)


@pytest.mark.parametrize(("arguments", "rows"), [((), 250), (("--limit", "3"), 3)])
@pytest.mark.parametrize("output", ["csv", "json"])
def test_data_formats_give_all_rows_unless_limited(
    published: Settings, output: str, arguments: tuple[str, ...], rows: int
) -> None:
    text = query("select row from marts.numbered order by row", "-f", output, *arguments).stdout
    found = json.loads(text) if output == "json" else list(csv.DictReader(io.StringIO(text)))
    assert [int(r["row"]) for r in found] == list(range(rows))


def test_no_rows(published: Settings) -> None:
    empty = "select row from marts.numbered where false"
    assert json.loads(query(empty, "-f", "json").stdout) == []
    assert query(empty, "-f", "csv").stdout == "row\n"
    assert query(empty).exit_code == 0


def test_repeated_column_names_stay_apart_in_json(published: Settings) -> None:
    text = query("select 1 as a, 2 as a, 3 as a_1", "-f", "json").stdout
    assert sorted(json.loads(text)[0].values()) == [1, 2, 3]


def test_sql_from_standard_input(published: Settings) -> None:
    result = query("-", "-f", "csv", input="select max(row) as m\nfrom marts.numbered -- 评论\n;")
    assert (result.exit_code, result.stdout) == (0, "m\n249\n")


@pytest.mark.parametrize("sql", ["select nosuch from marts.numbered", "selec 1", "select 'a'::integer"])
def test_a_sql_error_exits_1_with_the_engines_words(published: Settings, sql: str) -> None:
    result = query(sql)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "sql",
    [
        "with x as (select 1 as a) from x",
        "use marts; select count(*) from numbered",
        "pivot marts.numbered on number using count(row)",
        "describe marts.numbered",
        "summarize marts.numbered",
        "show all tables",
        "explain select 1",
        "explain analyze select count(*) from marts.numbered",
        "set variable v = 3; select getvariable('v')",
    ],
)
def test_reading_statements_are_allowed(published: Settings, sql: str) -> None:
    result = query(sql)
    assert (result.exit_code, result.stderr.startswith("error")) == (0, False), result.stderr


def test_sql_can_neither_write_nor_reach_other_files(published: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("secret\n1\n")
    target = tmp_path / "out.csv"
    wal = f"{published.published_file}.wal"
    before = {p: p.read_bytes() for p in published.published_dir.rglob("*") if p.is_file()}
    for sql in (
        "create table marts.extra as select 1",
        "create temp table extra as select 1",
        "create secret s (type http, bearer_token 'x')",
        "delete from marts.numbered",
        "drop table marts.numbered",
        f"copy (select 1) to '{target}'",
        f"copy (select 1) to '{wal}'",  # the engine itself allows this one, and it would break every reader
        f"explain analyze copy (select 1) to '{wal}'",
        f"/* */ explain analyze copy (select 1) to '{wal}'",
        f"select 1; copy (select 1) to '{wal}'",
        f"prepare p as copy (select 1) to '{wal}'; execute p",
        f"export database '{tmp_path / 'exported'}'",
        f"attach '{published.build_file}' as build",
        f"from read_csv('{other}')",
        f"from '{other}'",
        f"select * from glob('{tmp_path}/*')",
        "set enable_external_access = true; select 1",
        "set lock_configuration = false; select 1",
        "install httpfs",
        "checkpoint",
        "",
        ";",
    ):
        result = query(sql)
        assert result.exit_code in (1, 2), sql
        assert "secret" not in result.stdout
    assert not target.exists()
    assert not (tmp_path / "exported").exists()
    assert {p: p.read_bytes() for p in published.published_dir.rglob("*") if p.is_file()} == before


def test_a_wide_row_becomes_a_block_on_a_narrow_screen() -> None:
    screen = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    names = [f"column_{i}" for i in range(20)]
    console.print_table(screen, names, [list(range(20)), [None] * 20])
    lines = screen.file.getvalue().splitlines()  # pyright: ignore[reportAttributeAccessIssue]
    assert len(lines) == 2 * (1 + 20)
    assert [line.split() for line in lines if line.startswith("column_19")] == [
        ["column_19", "19"],
        ["column_19", "NULL"],
    ]


# ---- status, brands, rollback ------------------------------------------------------------------------------------


def test_status_before_the_first_publication(settings: Settings) -> None:
    result = invoke("status", "-b", "shop")
    assert result.exit_code == 0
    assert "tessera run --brand shop" in result.stdout
    assert json.loads(invoke("status", "-b", "shop", "--json").stdout) == {
        "brand": "shop",
        "published": None,
        "versions": [],
        "running": None,
    }


def test_status_as_json(settings: Settings) -> None:
    first, second = publish(settings, 1), publish(settings, 2)
    document = json.loads(invoke("status", "-b", "shop", "--json").stdout)
    published = document["published"]
    assert published["version"] == second
    assert published["as_of_date"] == "2017-12-31"
    assert 0 <= published["age_seconds"] < 60
    assert published["gates"] == {"passed": 3, "failed": 0, "warned": 1}
    assert published["schemas"] == {
        "marts": {"tables": 2, "rows": 251},
        "metrics": {"tables": 0, "rows": 0},
        "ops": {"tables": 1, "rows": 1},
    }
    assert [(v["version"], v["is_current"]) for v in document["versions"]] == [(second, True), (first, False)]


def test_status_page(published: Settings) -> None:
    text = flat(invoke("status", "-b", "shop").stdout)
    for part in ("2017-12-31", "3 passed, 0 failed, 1 with a warning", "marts 2 251", "current"):
        assert part in text


def test_status_mends_a_manifest_that_a_crash_left_behind(settings: Settings) -> None:
    version = publish(settings)
    publishing.manifest_file(settings).unlink()
    assert json.loads(invoke("status", "-b", "shop", "--json").stdout)["published"]["version"] == version
    assert publishing.manifest_file(settings).exists()


def test_status_during_a_run_tells_who_runs_and_changes_nothing(settings: Settings) -> None:
    version = publish(settings)
    publishing.manifest_file(settings).unlink()
    with brand_lock(settings):
        document = json.loads(invoke("status", "-b", "shop", "--json").stdout)
    assert document["published"]["version"] == version
    assert document["running"]["pid"]
    assert not publishing.manifest_file(settings).exists()


def test_status_of_a_damaged_file_exits_1(published: Settings) -> None:
    published.published_file.unlink()
    published.published_file.write_text("not a database")
    result = invoke("status", "-b", "shop")
    assert result.exit_code == 1
    assert str(published.published_file) in result.stderr


def test_rollback(settings: Settings) -> None:
    first, second = publish(settings, 1), publish(settings, 2)
    result = invoke("rollback", "-b", "shop")
    assert (result.exit_code, first in result.stdout) == (0, True)
    assert query("select max(number) as n from marts.numbered", "-f", "csv").stdout == "n\n1\n"
    result = invoke("rollback", "-b", "shop")
    assert result.exit_code == 1
    assert "no version older" in result.stderr
    assert invoke("rollback", "-b", "shop", "--to", second).exit_code == 0
    assert query("select max(number) as n from marts.numbered", "-f", "csv").stdout == "n\n2\n"


def test_rollback_without_a_publication_exits_1(settings: Settings) -> None:
    result = invoke("rollback", "-b", "shop")
    assert result.exit_code == 1
    assert "nothing is published for shop" in result.stderr


def test_rollback_during_a_run_exits_3(settings: Settings) -> None:
    publish(settings, 1)
    second = publish(settings, 2)
    with brand_lock(settings):
        result = invoke("rollback", "-b", "shop")
    assert result.exit_code == 3
    assert "TESSERA_LOCK_WAIT_SECONDS" in result.stderr
    assert publishing.current_version(settings) == second


def test_brands(published: Settings) -> None:
    result = invoke("brands")
    assert result.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines[DEFAULT_BRAND] == "not published"
    assert lines["shop"].startswith("version 2")


def test_brands_of_an_empty_folder_exits_2(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "nowhere"))
    result = invoke("brands")
    assert result.exit_code == 2
    assert "docs/add-a-brand.md" in result.stderr


# ---- run and check: what they pass on and how errors come out ------------------------------------------------------


class Failure(Exception):
    """Stands for an error class of a module below."""


@pytest.fixture
def below(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Stand-ins for the modules that `run` and `check` call; `raises` and `code` say what they do."""
    state = types.SimpleNamespace(raises=None, code=0, calls=[], Config=type("Config", (Failure,), {}))
    state.Landing, state.Lake = type("Landing", (Failure,), {}), type("Lake", (Failure,), {})

    def record(*args: Any, **kwargs: Any) -> Any:
        state.calls.append((args, kwargs))
        if state.raises is not None:
            raise state.raises
        return state.code

    modules = {
        "orchestration.brands": {"BrandConfigError": state.Config, "load_brand": lambda settings: "the brand"},
        "orchestration.audiences.definitions": {"load_audiences": lambda settings: {}},
        "orchestration.audiences.destinations": {"load_destinations": lambda settings: {}},
        "orchestration.landing.errors": {"LandingError": state.Landing, "LakeError": state.Lake},
        "orchestration.landing.mapping": {"check_sources": record},
        "orchestration.runner": {"run_brand": record},
    }
    for name, attributes in modules.items():
        module = types.ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
    return state


def test_run_passes_its_options_on(settings: Settings, below: types.SimpleNamespace) -> None:
    assert invoke("run", "-b", "shop", "--as-of", "2017-12-01", "--full-refresh", "--force").exit_code == 0
    ((arguments, options),) = below.calls
    assert arguments == (settings,)
    assert isinstance(options.pop("console"), Console)
    assert options == {"as_of": date(2017, 12, 1), "full_refresh": True, "force": True}


def test_run_by_default(settings: Settings, below: types.SimpleNamespace) -> None:
    invoke("run")
    ((arguments, options),) = below.calls
    assert arguments[0].brand == DEFAULT_BRAND
    options.pop("console")
    assert options == {"as_of": None, "full_refresh": False, "force": False}


@pytest.mark.parametrize("code", [0, 1])
def test_run_exits_with_the_runs_code(settings: Settings, below: types.SimpleNamespace, code: int) -> None:
    below.code = code
    assert invoke("run", "-b", "shop").exit_code == code


@pytest.mark.parametrize(("kind", "code"), [("Config", 2), ("Landing", 1), ("Lake", 1)])
def test_run_errors(settings: Settings, below: types.SimpleNamespace, kind: str, code: int) -> None:
    below.raises = getattr(below, kind)("first line [0]\nsecond line " + "x" * 200)
    result = invoke("run", "-b", "shop")
    assert result.exit_code == code
    assert result.stderr == "error: first line [0]\nsecond line " + "x" * 200 + "\n"


def test_run_during_another_run_exits_3(settings: Settings, below: types.SimpleNamespace) -> None:
    from orchestration.locking import RunLocked

    below.raises = RunLocked(settings, None)
    result = invoke("run", "-b", "shop")
    assert result.exit_code == 3
    assert "is locked by another process" in result.stderr


def test_run_that_cannot_publish_exits_1(settings: Settings, below: types.SimpleNamespace) -> None:
    below.raises = publishing.PublishError("disk full")
    assert invoke("run", "-b", "shop").exit_code == 1


def test_check(settings: Settings, below: types.SimpleNamespace) -> None:
    result = invoke("check", "-b", "shop")
    assert result.exit_code == 0
    assert "shop: configuration and sources are in order" in result.stdout
    assert below.calls == [((settings, "the brand"), {})]


def test_check_of_a_brand_whose_sources_are_missing_exits_2(settings: Settings, below: types.SimpleNamespace) -> None:
    below.raises = below.Landing("no file orders.csv")
    result = invoke("check", "-b", "shop")
    assert (result.exit_code, result.stderr) == (2, "error: no file orders.csv\n")


def test_check_of_the_projects_own_brand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing stands in here: the modules below are there under the names the command uses."""
    monkeypatch.delenv("TESSERA_BRANDS", raising=False)
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    result = invoke("check", "-b", "complete_journey")
    assert (result.exit_code, result.stderr) == (0, "")
    assert not (tmp_path / "home").exists()


def test_check_without_the_sources_root_exits_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TESSERA_BRANDS", raising=False)
    monkeypatch.delenv("TESSERA_SOURCES", raising=False)
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    result = invoke("check", "-b", "online_retail")
    assert result.exit_code == 2
    assert "TESSERA_SOURCES" in result.stderr
    assert "unexpected" not in result.stderr


def test_run_finds_the_modules_it_calls() -> None:
    """The stand-ins of the other tests must not hide a name that moved."""
    from orchestration.landing.errors import LakeError, LandingError
    from orchestration.runner import run_brand

    assert all(issubclass(error, Exception) for error in (LakeError, LandingError))
    assert {"as_of", "full_refresh", "force", "console"} <= inspect.signature(run_brand).parameters.keys()


def test_check_reads_the_real_configuration(settings: Settings) -> None:
    (settings.brand_dir / "brand.yml").write_text("brand: shop\nzoen: Asia/Shanghai\n")
    result = invoke("check", "-b", "shop")
    assert result.exit_code == 2
    assert "zoen" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unexpected_error_is_told_without_its_text(settings: Settings, below: types.SimpleNamespace) -> None:
    below.raises = RuntimeError("member 13800001111")
    result = invoke("run", "-b", "shop")
    assert result.exit_code == 1
    assert "unexpected RuntimeError" in result.stderr
    assert "13800001111" not in result.stderr + result.stdout
    assert "Traceback" not in result.stderr
    assert "Traceback" in invoke("--debug", "run", "-b", "shop").stderr


def test_a_file_error_names_the_file(settings: Settings, below: types.SimpleNamespace) -> None:
    below.raises = PermissionError(13, "Permission denied", "/data/lake")
    result = invoke("run", "-b", "shop")
    assert (result.exit_code, result.stderr) == (1, "error: /data/lake: Permission denied\n")


# ---- rendering ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (86400, "1 d"), (200_000, "2 d")]
)
def test_age(seconds: float, text: str) -> None:
    assert console.age_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.10"), "0.10"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
        (2**70, str(2**70)),
        (float("inf"), "null"),
        (b"\x01\xff", '"01ff"'),
        ({1: (None, True)}, '{"1": [null, true]}'),
        ('a"b\n', '"a\\"b\\n"'),
    ],
)
def test_json_values(value: Any, text: str) -> None:
    assert console.to_json(value) == text


@pytest.mark.slow
def test_the_command_itself_speaks_utf_8_in_any_locale(published: Settings) -> None:
    import os

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "orchestration.cli",
            "query",
            "select label from marts.kinds",
            "-b",
            "shop",
            "-f",
            "csv",
        ],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        timeout=60,
        check=True,
    )
    assert done.stdout.decode("utf-8").splitlines()[1] == '"会员, ""甲"""'
