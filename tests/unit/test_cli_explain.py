"""`tessera explain member`: what is told of a member, by every kind of id, on any day; wrong ids get a remedy."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestration import cli, publishing, warehouse
from orchestration.explain import account_id_of
from orchestration.settings import Settings, load_settings

CRM, APP = account_id_of("crm", "M1"), account_id_of("app", "u1")
TABLES = f"""
    create schema marts; create schema tags; create schema ml; create schema ops;
    create table ops.load_batches as select 1 as batch;
    create table marts.dim_members as select '{CRM}' as member_id, 'crm' as source_system, 'female' as gender, 'declared' as gender_origin;
    create table marts.fct_identity_changes as
        select '{APP}' as account_id, 'app' as source_system, '{CRM}' as to_member_id, 'shares_phone' as reason,
            timestamptz '2026-01-02 00:00:00+00' as changed_at;
    create table marts.dim_members_history as
        select '{CRM}' as member_id, 'gold' as tier_name, 'female' as gender, null::varchar as province_name,
            'app' as registration_channel, timestamptz '2025-12-01 00:00:00+00' as valid_from, null::timestamptz as valid_to;
    create table marts.fct_orders as
        select * from (values ('o1', date '2026-01-01', 10.00), ('o2', date '2026-01-05', 5.50)) v(order_id, business_date, gross_amount),
            (select '{CRM}' as member_id, 'app' as source_system, 0.00 as refund_amount, true as is_valid, false as is_void);
    alter table marts.fct_orders add column gmv_gross_amount decimal(18, 2);
    alter table marts.fct_orders add column gmv_net_amount decimal(18, 2);
    update marts.fct_orders set gmv_gross_amount = gross_amount, gmv_net_amount = gross_amount;
    create table tags.tags_transaction_history as
        select '{CRM}' as member_id, 1 as order_count_total, 0 as refund_count_total, 4 as days_since_last_order,
            date '2026-01-02' as valid_from, date '2026-01-06' as valid_to
        union all select '{CRM}', 2, 0, 1, date '2026-01-06', null;
    create table tags.tag_catalogue as select *, null::integer as half_life_days from (values
        ('order_count_total', '累计订单', 'Orders', 'transaction', 'none'),
        ('refund_count_total', '退款', 'Refunds', 'transaction', 'none'),
        ('days_since_last_order', '距上单', 'Days since', 'transaction', 'elapsed')) v(tag_code, label_zh, label_en, family_code, drift);
    create table ml.churn_scores as select '{CRM}' as member_id, 0.25 as score, date '2026-01-06' as as_of_date;
    create table ml.propensity_scores as select '{CRM}' as member_id, 0.5 as score, date '2026-01-06' as as_of_date;
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("TESSERA_BRAND", raising=False)
    (tmp_path / "brands" / "shop").mkdir(parents=True)
    (tmp_path / "brands" / "shop" / "brand.yml").touch()
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    settings = load_settings("shop")
    with warehouse.writer(settings.build_file) as connection:
        connection.execute(TABLES)
    extra = {"as_of_date": date(2026, 1, 6), "known_at": datetime(2026, 1, 6, tzinfo=UTC), "input_fingerprint": "f"}
    staged = publishing.stage_publication(settings, schemas=("marts", "tags", "ml", "ops"), manifest_extra=extra)
    publishing.promote(staged, {"passed": 1, "failed": 0, "warned": 0})
    return settings


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["explain", "member", "--brand", "shop", *arguments])


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("given", [CRM, APP, "crm:M1", "app:u1"])
def test_every_id_of_a_member_leads_to_it(given: str) -> None:
    told = json.loads(explain(given, "--json").stdout)
    assert told["member_id"] == CRM
    assert [(a["account_id"], a["reason"]) for a in told["accounts"]] == [
        (CRM, "gives the member its id"),
        (APP, "shares_phone"),
    ]
    assert told["profile"][0]["gender_origin"] == "declared"
    assert told["purchases"] == [
        {
            "order_count": 2,
            "gmv_gross_amount": 15.5,
            "gmv_net_amount": 15.5,
            "first_order_date": "2026-01-01",
            "last_order_date": "2026-01-05",
        }
    ]
    # What says nothing (no refunds) is left out.
    assert [(t["tag_code"], t["tag_value"]) for t in told["tags"]] == [
        ("days_since_last_order", "1"),
        ("order_count_total", "2"),
    ]
    assert [(s["model"], s["score"]) for s in told["scores"]] == [("churn", 0.25), ("propensity", 0.5)]


@pytest.mark.usefixtures("settings")
def test_an_earlier_day_is_told_without_what_came_after() -> None:
    told = json.loads(explain(CRM, "--as-of", "2026-01-05", "--json").stdout)
    assert [order["order_id"] for order in told["orders"]] == ["o1"]
    assert told["purchases"][0]["order_count"] == 1
    assert "scores" not in told  # of the published cut alone
    tags = {t["tag_code"]: t["tag_value"] for t in told["tags"]}
    assert tags == {"order_count_total": "1", "days_since_last_order": "7"}


@pytest.mark.usefixtures("settings")
def test_the_page_has_both_languages_and_says_what_is_not_there() -> None:
    page = explain(CRM).stdout
    assert "档案 · Profile" in page and "标签 · Tags" in page
    assert "not in this version: marts.fct_events" in page


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("given", ["m_00000000000000000000", "crm:M2", "' or 1 = 1 --"])
def test_an_unknown_id_is_refused_with_a_remedy_and_not_repeated(given: str) -> None:
    result = explain(given)
    assert result.exit_code == 2
    assert "<source system>:<member key>" in result.stderr and "M2" not in result.stderr
