"""`tessera models`: what is listed, what an operator can change, what is refused; and that a run then has something to do."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ml.common.registry import Entry, champion, read_log, registered, write_log
from orchestration import cli, model_registry
from orchestration.history import Moment, rebuilt
from orchestration.locking import brand_lock
from orchestration.settings import Settings, load_settings


def entry(number: int, status="champion") -> Entry:
    version = f"churn-2024060{number}-abc"
    return Entry(
        "churn", version, status, "run", "比规则好", "ab", '{"auc": 0.7, "brier": 0.2}', f"churn/{version}",
        date(2024, 6, number), datetime(2024, 6, number, tzinfo=UTC),
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("TESSERA_BRAND", raising=False)
    (tmp_path / "brands" / "shop").mkdir(parents=True)
    (tmp_path / "brands" / "shop" / "brand.yml").touch()
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    settings = load_settings("shop")
    log: list[Entry] = []
    for item in (entry(1), entry(2), entry(3, "challenger"), entry(4, "declined")):
        log = registered(log, item)
        (settings.artifacts_dir / item.artifact_path).mkdir(parents=True)
    write_log(settings.artifacts_dir / "churn", log)
    # What is in an artifact is tested with the models; here it is enough that there is one.
    monkeypatch.setattr(
        model_registry, "_read_back", lambda artifacts, e: (artifacts / e.artifact_path).is_dir() or None
    )
    return settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["models", *arguments, "--brand", "shop"])


def standing(settings: Settings) -> tuple[str, str, str]:
    found = champion(read_log(settings.artifacts_dir / "churn"))
    assert found is not None
    return found.model_version, found.promoted_by, found.reason


def test_list_shows_who_scores_and_who_waits(settings: Settings) -> None:
    rows = json.loads(run("list", "-f", "json").stdout)
    assert [(row["model_version"], row["status"]) for row in rows] == [
        ("churn-20240602-abc", "champion"), ("churn-20240603-abc", "challenger"),
    ]  # fmt: skip
    assert rows[0]["auc"] == 0.7 and rows[0]["reason"] == "比规则好"
    assert {row["status"] for row in json.loads(run("list", "--all", "-f", "json").stdout)} == {
        "champion", "challenger", "retired", "declined",
    }  # fmt: skip
    assert "状态" in run("list").stdout


def test_show_tells_every_decision_in_order(settings: Settings) -> None:
    rows = json.loads(run("show", "churn", "-f", "json").stdout)
    assert [row["status"] for row in rows] == ["champion", "retired", "champion", "challenger", "declined"]
    one = json.loads(run("show", "churn", "--version", "churn-20240601-abc", "-f", "json").stdout)
    assert [row["reason"] for row in one] == ["比规则好", "replaced by churn-20240602-abc"]


def test_promote_roll_back_and_release_are_recorded_and_reversible(settings: Settings) -> None:
    assert model_registry.operator_decisions(settings) == ""
    outcome = run("promote", "churn", "churn-20240603-abc", "--reason", "sale")
    assert outcome.exit_code == 0 and "next `tessera run`" in outcome.stdout
    assert standing(settings) == ("churn-20240603-abc", "operator", "sale")
    after_promotion = model_registry.operator_decisions(settings)
    assert after_promotion != "", "a run has something to do"
    assert run("rollback", "churn", "-r", "sale is over").exit_code == 0
    assert standing(settings) == ("churn-20240602-abc", "operator", "sale is over")
    assert model_registry.operator_decisions(settings) not in ("", after_promotion)
    assert run("release", "churn", "-r", "back to normal").exit_code == 0
    assert standing(settings) == ("churn-20240602-abc", "run", "back to normal")
    assert len(json.loads(run("show", "churn", "-f", "json").stdout)) == 10


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["promote", "churn", "churn-9", "-r", "x"], 2, "there are: churn-20240601-abc"),
        (["promote", "churn", "churn-20240604-abc", "-r", "x"], 2, "can be promoted"),
        (["promote", "churn", "churn-20240603-abc"], 2, "--reason"),
        (["show", "chum"], 2, "there are: churn"),
        (["show", "churn", "--version", "v"], 2, "no version v"),
        (["release", "churn", "-r", "x"], 2, "runs decide already"),
        (["card", "churn", "--version", "churn-20240604-x"], 2, "no version"),
        (["card", "churn"], 1, "has no card"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(
    settings: Settings, arguments: list[str], code: int, said: str
) -> None:
    before = read_log(settings.artifacts_dir / "churn")
    outcome = run(*arguments)
    assert outcome.exit_code == code and said in " ".join(outcome.output.replace("│", " ").split())
    assert read_log(settings.artifacts_dir / "churn") == before


def test_an_artifact_that_is_gone_cannot_be_promoted(settings: Settings) -> None:
    (settings.artifacts_dir / "churn" / "churn-20240601-abc").rmdir()
    outcome = run("promote", "churn", "churn-20240601-abc", "-r", "x")
    assert outcome.exit_code == 2 and "is gone" in outcome.output
    assert standing(settings)[0] == "churn-20240602-abc"


def test_a_run_that_holds_the_lock_is_not_disturbed(settings: Settings) -> None:
    with brand_lock(settings):
        assert run("rollback", "churn", "-r", "x").exit_code == 3


def test_card_prints_the_champions_page(settings: Settings) -> None:
    page = settings.artifacts_dir / "churn" / "churn-20240602-abc" / "card.html"
    page.write_text("<!doctype html>", encoding="utf-8")
    assert run("card", "churn").stdout.strip() == str(page)
    assert "no card" in run("card", "churn", "--version", "churn-20240601-abc").output


def test_a_brand_without_models_says_what_to_do(settings: Settings) -> None:
    (settings.artifacts_dir / "churn" / "registry.jsonl").unlink()
    outcome = run("list")
    assert outcome.exit_code == 2 and "tessera run" in outcome.output


def test_a_rebuilt_past_gets_the_registry_and_leaves_the_brands_alone(settings: Settings) -> None:
    target = rebuilt(settings, Moment(date(2024, 6, 2)))
    model_registry.copy_registry(settings, target)
    log = read_log(target.artifacts_dir / "churn")
    assert log == read_log(settings.artifacts_dir / "churn")
    link = target.artifacts_dir / "churn" / "churn-20240601-abc"
    assert link.is_symlink() and link.resolve() == settings.artifacts_dir / "churn" / "churn-20240601-abc"
    write_log(target.artifacts_dir / "churn", registered(log, entry(9)))
    assert standing(settings)[0] == "churn-20240602-abc"
    assert log[-1].promoted_at + timedelta(days=1) < datetime.now(UTC)
