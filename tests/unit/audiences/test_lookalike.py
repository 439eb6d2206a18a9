"""Lookalike on a small published file: who is in seed and pool, what is learnt from, and the order of the list."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from ml.lookalike.measuring import TooFew
from orchestration.audiences.destinations import Destination
from orchestration.audiences.grammar import parse_rule
from orchestration.audiences.insight import InsightError
from orchestration.audiences.lookalike import lookalike

RULE = {"tag": "order_count_90d", "at_least": 3}


def _audience(audience_id: str = "aud_seed", rule: dict[str, Any] = RULE) -> Any:
    return SimpleNamespace(audience_id=audience_id, rule=parse_rule(rule))


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """2,000 members; every fifth is in the seed and views more; m0 to m9 are testers, every eleventh refuses texts."""
    connection = duckdb.connect()
    connection.execute("""
        create schema tags; create schema segments; create schema marts;
        create table tags.member_tags as
            select 'm' || i as member_id, i < 10 as is_staff_or_test, (hash(i) % 100)::decimal(18, 2) as spend_amount_365d,
                (case when i % 5 = 0 then 4 else 1 end)::integer as order_count_90d, (hash(i + 7) % 90)::integer as unit_count_90d,
                (hash(i + 1) % 10 + case when i % 5 = 0 then 6 else 0 end)::integer as view_count_30d,
                case when i % 3 > 0 then (hash(i + 2) % 10)::integer end as share_count_30d,
                i::integer as event_count_total, 1::integer as same_everywhere, 'x' as word
            from range(2000) as r(i);
        create table tags.tag_catalogue as
            select *, 'integer' as value_type, true as is_supplied, 'none' as drift, '标签' || tag_code as label_zh, tag_code as label_en
            from (values ('spend_amount_365d', 'transaction', 9), ('order_count_90d', 'transaction', 2),
                ('unit_count_90d', 'transaction', 9),
                ('view_count_30d', 'behaviour', 9), ('share_count_30d', 'social', 9), ('event_count_total', 'behaviour', 9),
                ('same_everywhere', 'behaviour', 1)) as t(tag_code, family_code, distinct_value_count);
        create table segments.audience_catalogue as select unnest(['aud_seed', 'aud_pool', 'aud_few']) as audience_id;
        create table segments.fct_audience_members as
            select 'aud_seed' as audience_id, 'm' || i as member_id, null::date as valid_to from range(0, 2000, 5) as r(i)
            union all select 'aud_seed', 'm' || i, date '2026-01-01' from range(1, 2000, 5) as r(i)
            union all select 'aud_pool', 'm' || i, null from range(0, 1000) as r(i)
            union all select 'aud_few', 'm' || i, null from range(0, 20) as r(i);
        create table marts.dim_consents_history as
            select 'm' || i as member_id, true as is_current, 'marketing' as purpose, 'sms' as channel, i % 11 > 0 as is_granted
            from range(0, 1500) as r(i)
            union all select 'm' || i, true, 'marketing', 'email', true from range(1500, 2000) as r(i);
    """)
    return connection


def test_seed_pool_and_tags_are_those_asked_for(connection: duckdb.DuckDBPyConnection) -> None:
    found = lookalike(connection, _audience())
    refused = {i for i in range(10, 1500) if i % 11 == 0}
    assert found.refused_count == len(refused)
    assert found.seed_count == len({i for i in range(10, 2000) if i % 5 == 0} - refused)
    assert set(found.members["member_id"]) == {f"m{i}" for i in range(10, 2000) if i % 5 and i not in refused}
    # Neither the family that the rule names, nor totals, nor what is the same for all.
    assert found.left_out_families == ("transaction",) and found.feature_count == 2 and not found.counts_facts
    assert found.ranked_by == "model" and found.recovery.model_auc > 0.75
    assert found.reasons["tag_code"].iloc[0] == "view_count_30d" and found.reasons["weight"].iloc[0] > 0


def test_the_list_is_ranked_and_repeatable(connection: duckdb.DuckDBPyConnection) -> None:
    first, second = lookalike(connection, _audience()).members, lookalike(connection, _audience()).members
    assert first.equals(second) and first["score"].is_monotonic_decreasing
    assert list(first["rank"]) == list(range(1, len(first) + 1))


def test_a_destination_keeps_who_agreed_to_it(connection: duckdb.DuckDBPyConnection) -> None:
    phone = {"identifier": "phone", "column": "phone", "form": "e164", "hash": "sha256"}
    sms = Destination.model_validate(
        {"label_zh": "短信", "label_en": "Texts", "channel": "sms", "purpose": "marketing", "identifiers": [phone]}
    )
    found = lookalike(connection, _audience(), destination=sms)
    assert set(found.members["member_id"]) == {f"m{i}" for i in range(10, 1500) if i % 5 and i % 11}


def test_a_pool_is_another_audience(connection: duckdb.DuckDBPyConnection) -> None:
    found = lookalike(connection, _audience(), pool_id="aud_pool")
    assert set(found.members["member_id"]) == {f"m{i}" for i in range(10, 1000) if i % 5 and i % 11}


def test_spend_ranks_where_it_finds_more(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update tags.member_tags set spend_amount_365d = 500 where order_count_90d = 4")
    found = lookalike(connection, _audience())
    assert found.ranked_by == "spend" and found.recovery.spend_auc > found.recovery.model_auc
    spend = dict(connection.execute("select member_id, spend_amount_365d from tags.member_tags").fetchall())
    assert [float(spend[member]) for member in found.members["member_id"]] == list(found.members["score"])


def test_a_rule_that_counts_orders_itself_is_told(connection: duckdb.DuckDBPyConnection) -> None:
    assert lookalike(connection, _audience(rule={"order": "valid", "in_last_days": 90})).counts_facts


def test_what_cannot_be_done_is_said(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(TooFew, match="the seed has"):
        lookalike(connection, _audience("aud_few"))
    with pytest.raises(InsightError, match="did you mean aud_seed"):
        lookalike(connection, _audience("aud_sed"))
    connection.execute("delete from tags.tag_catalogue where family_code <> 'transaction'")
    with pytest.raises(InsightError, match="nothing is left"):
        lookalike(connection, _audience())
