"""The asset that trains and scores, on a build file with a small shop's features: what stands in the tables after each kind of run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from ml.churn.model import churn_task
from ml.propensity.model import propensity_task
from orchestration import build_file, model_registry, resources, warehouse
from orchestration.defs.ml import models
from orchestration.quality.suite import run_suite
from orchestration.quality.suites import models as suites
from orchestration.settings import Settings, load_settings

SMALL = ("recency_rule", "rfm_logistic")
HORIZON = 28


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("TESSERA_BRAND", raising=False)
    (tmp_path / "brands" / "shop").mkdir(parents=True)
    (tmp_path / "brands" / "shop" / "brand.yml").touch()
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    settings = load_settings("shop")
    monkeypatch.setattr(resources, "current_settings", lambda: settings)
    monkeypatch.setattr(resources, "current_brand", lambda: SimpleNamespace(sources=()))
    monkeypatch.setattr(resources.simulated, "ensure_sources", lambda *_: None)
    tasks = {
        "churn_scores": churn_task(HORIZON, HORIZON, candidate_names=SMALL),
        "propensity_scores": propensity_task(HORIZON, candidate_names=SMALL),
    }
    monkeypatch.setattr(models, "_tasks", lambda _: tasks)
    return settings


def build(settings: Settings, shop: Any) -> None:
    """Put what the asset reads into the build file, as dbt would have."""
    purchases = shop.features
    promotions = shop.features[["member_id", "as_of_date"]].assign(touch_count_30d=0.0)
    orders = shop.purchase_days.assign(is_valid=True)
    members = pd.DataFrame({"member_id": sorted(set(purchases["member_id"]))})
    clocks = pd.DataFrame({"as_of_date": [shop.now]})
    with warehouse.writer(settings.build_file) as connection:
        build_file.create_python_tables(connection)
        for schema in ("features", "marts", "intermediate"):
            connection.execute(f"create schema if not exists {schema}")
        for name, frame, fields in (
            ("features.feat_members_purchases", purchases, "* replace (as_of_date::date as as_of_date)"),
            ("features.feat_members_promotions", promotions, "* replace (as_of_date::date as as_of_date)"),
            ("marts.fct_orders", orders, "* replace (business_date::date as business_date)"),
            ("marts.dim_members", members, "*"),
            ("intermediate.int_clocks_resolved", clocks, "as_of_date::date as as_of_date, now() as known_at"),
        ):
            connection.register("frame", frame)
            connection.execute(f"create or replace table {name} as select {fields} from frame")
            connection.unregister("frame")


def train() -> dict[str, dict[str, Any]]:
    """Run the asset; its metadata by table."""
    context = dg.build_asset_context()
    results = list(models.trained_models(context, brand_run=resources.BrandRun()))  # pyright: ignore
    return {result.asset_key.path[1]: dict(result.metadata) for result in results}


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.read_only(settings.build_file) as connection:
        return connection.execute(sql).fetchall()


def failing(settings: Settings, severity: str = "error") -> set[str]:
    with warehouse.read_only(settings.build_file) as connection:
        judged = [run_suite(suite, connection.execute(suite.sql).df()) for suite in suites.suites(models.MODELS)]
    outcomes = [outcome for result in judged for outcome in result.outcomes]
    return {item.check_name for item in outcomes if not item.is_passed and item.severity == severity}


def counts(settings: Settings) -> dict[str, int]:
    """Rows of the scores by model, and of the other tables."""
    names = [*models.MODELS, "model_evaluations", "model_registry", "model_monitoring"]
    return {name: rows(settings, f"select count(*) from ml.{name}")[0][0] for name in names}


@pytest.mark.slow
def test_a_model_that_declines_on_a_cut_it_has_scored_takes_its_scores_back(
    settings: Settings, shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(settings, shop)
    told = train()
    before = counts(settings)
    assert (
        before["churn_scores"] > 100 and before["propensity_scores"] == told["propensity_scores"]["dagster/row_count"]
    )
    assert failing(settings) == set()

    few = {"churn_scores": churn_task(HORIZON, HORIZON, candidate_names=SMALL, min_class_count=10**6)}
    both = models._tasks(resources.BrandRun()) | few
    monkeypatch.setattr(models, "_tasks", lambda _: both)
    assert train()["churn_scores"]["status"] == "not_trained"
    after = counts(settings)
    assert after["churn_scores"] == 0 and after["propensity_scores"] == before["propensity_scores"]
    assert rows(settings, "select distinct check_name from ml.model_monitoring where model_name = 'churn'") == []
    said = "select status, reason from ml.model_registry where model_name = 'churn' order by promoted_at desc limit 1"
    assert rows(settings, said)[0][0] == "declined" and "are needed" in rows(settings, said)[0][1]
    assert failing(settings) == set(), "to decline is an answer"

    # … and what it said when it declined is gone when it can be trained again.
    monkeypatch.setattr(
        models, "_tasks", lambda _: both | {"churn_scores": churn_task(HORIZON, HORIZON, candidate_names=SMALL)}
    )
    train()
    assert counts(settings)["churn_scores"] == before["churn_scores"]
    assert rows(settings, "select count(*) from ml.model_evaluations where candidate = 'none'") == [(0,)]
    assert failing(settings) == set()


@pytest.mark.slow
def test_a_horizon_later_scores_are_held_against_what_came_true(
    settings: Settings, new_shop: Callable[..., Any]
) -> None:
    build(settings, new_shop(day=302))
    train()
    assert (
        rows(settings, "select * from ml.model_monitoring where check_name in ('score_drift', 'calibration_decay')")
        == []
    )
    build(settings, new_shop(day=330))
    told = train()
    watched = rows(
        settings,
        "select model_name, check_name, subject, value, model_version from ml.model_monitoring "
        "where check_name in ('score_drift', 'calibration_decay') order by all",
    )
    assert [row[:3] for row in watched] == [
        ("churn", "calibration_decay", "2024-10-29"),
        ("churn", "score_drift", "scores"),
        ("propensity", "calibration_decay", "2024-10-29"),
        ("propensity", "score_drift", "scores"),
    ]
    decay = watched[2]
    promised = "select avg(score) from ml.propensity_scores where as_of_date = date '2024-10-29'"
    true = (
        "select avg((exists (select 1 from marts.fct_orders as o where o.member_id = s.member_id and o.business_date "
        "between date '2024-10-29' and date '2024-11-25'))::int) from ml.propensity_scores as s where as_of_date = date '2024-10-29'"
    )
    assert decay[3] == pytest.approx(rows(settings, promised)[0][0] / rows(settings, true)[0][0], abs=1e-6)
    assert decay[4].startswith("propensity-20241029-"), "of the version that scored then"
    # One of the two is worse than its champion on the new cut, and the champion went on scoring.
    assert told["propensity_scores"]["scored_by"] == told["propensity_scores"]["model_version"]
    assert told["churn_scores"]["scored_by"] == watched[0][4] != told["churn_scores"]["model_version"]
    assert all(Path(told[table]["card_file"].path).exists() for table in models.MODELS)


@pytest.mark.slow
def test_an_operators_champion_scores_and_the_gate_still_sees_a_leak_in_what_was_trained(
    settings: Settings, new_shop: Callable[..., Any]
) -> None:
    build(settings, new_shop(day=302))
    first = train()["propensity_scores"]["model_version"]
    model_registry.promote(settings, "propensity", first, "kept")
    later = new_shop(day=330)
    build(settings, later)
    told = train()["propensity_scores"]
    assert told["scored_by"] == first != told["model_version"]
    assert rows(
        settings, "select distinct model_version from ml.propensity_scores where as_of_date = date '2024-11-26'"
    ) == [(first,)]
    assert failing(settings) == set()
    # The deleted build file gets its tables from what was published: here the log restores the registry by itself.
    log = rows(settings, "select * exclude (promoted_at) from ml.model_registry order by promoted_at")
    settings.build_file.unlink()
    keys = ["member_id", "as_of_date"]
    ahead = later.features[keys].merge(later.purchase_days, on="member_id")
    inside = (ahead["business_date"] - ahead["as_of_date"]).dt.days.between(0, HORIZON - 1)
    known = ahead[inside].groupby(keys).size().rename("knows_the_answer")
    build(
        settings,
        type(later)(
            later.features.join(known, on=keys).fillna({"knows_the_answer": 0}), later.purchase_days, later.now
        ),
    )
    told = train()["propensity_scores"]
    assert told["scored_by"] == first
    assert (
        rows(settings, "select * exclude (promoted_at) from ml.model_registry order by promoted_at")[: len(log)] == log
    )
    assert {
        "propensity_scores_suspected_leak_count_is_zero",
        "propensity_scores_single_feature_auc_alarm_count_is_zero",
    } == {name for name in failing(settings) if name.startswith("propensity")}, (
        "and nothing else: the version that scores is evaluated, registered and watched"
    )
