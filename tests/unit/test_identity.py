"""identity.yml: what it may say, and the rows that dbt reads of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from orchestration import identity, warehouse
from orchestration.brands import (
    IDENTIFIER_RULES,
    Account,
    Brand,
    BrandConfigError,
    IdentifierRule,
    Identity,
    IdentityDecision,
    load_brand,
)
from orchestration.settings import Settings, load_settings


def accounts(*keys: str) -> list[Account]:
    return [Account(source_system="crm", member_key=key) for key in keys]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "brands" / "shop" / "sources"
    folder.mkdir(parents=True)
    (folder.parent / "brand.yml").write_text(
        "brand: shop\nlabel_zh: 小店\nlabel_en: Shop\ncurrency: CNY\ncalendar_start: 2024-01-01\n", encoding="utf-8"
    )
    (folder / "members.yml").write_text(
        "source_system: crm\nreader: {kind: csv, path: members.csv}\ntimestamps_in: UTC\n"
        "entities: {members: {fields: {member_key: id}}}\n",
        encoding="utf-8",
    )
    return load_settings("shop", {"TESSERA_HOME": str(tmp_path / "home"), "TESSERA_BRANDS": str(tmp_path / "brands")})


def load(settings: Settings, text: str | None) -> Brand:
    if text is not None:
        (settings.brand_dir / "identity.yml").write_text(text, encoding="utf-8")
    return load_brand(settings)


def test_without_a_file_the_defaults_hold(settings: Settings) -> None:
    brand = load(settings, None)
    assert brand.identity.all_rules == IDENTIFIER_RULES
    assert brand.flat_parameters()["identity_max_accounts"] == "40"
    # Surer kinds never join after less sure ones, and devices join nobody.
    tiers = [IDENTIFIER_RULES[kind].tier or 0 for kind in ("member_number", "unionid", "order_number", "phone")]
    assert tiers == sorted(set(tiers))
    assert IDENTIFIER_RULES["device_id"].tier is IDENTIFIER_RULES["cookie_id"].tier is None


def test_decisions_become_rows_pair_by_pair_or_account_by_account() -> None:
    decided = date(2026, 3, 1)
    rows = identity.rows_of(
        Identity(
            keep_together=[IdentityDecision(code="one", accounts=accounts("a", "b"), reason="r", decided_on=decided)],
            keep_apart=[IdentityDecision(code="two", accounts=accounts("c", "d", "e"), reason="r", decided_on=decided)],
        )
    )["identity_decisions"]
    assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
        ("one", "keep_together", "a", None),
        ("one", "keep_together", "b", None),
        ("two", "keep_apart", "c", "d"),
        ("two", "keep_apart", "c", "e"),
        ("two", "keep_apart", "d", "e"),
    ]


@pytest.mark.parametrize("with_rows", [False, True])
def test_tables_are_typed_whether_or_not_there_are_rows(settings: Settings, with_rows: bool) -> None:
    decision = (
        "keep_apart: [{code: twins, accounts: [{source_system: crm, member_key: '1'}, {source_system: crm, member_key: '2'}], "
        "reason: told, decided_on: 2026-03-01}]\naccount_keys: {crm: member_number}\n"
    )
    brand = load(settings, decision if with_rows else None)
    with warehouse.scratch() as connection:
        identity.write_identity_config(connection, brand)
        for name, types in identity.TABLES.items():
            found = connection.execute(
                "select column_name, lower(data_type) from duckdb_columns() where table_name = ? order by column_index",
                [name],
            ).fetchall()
            assert found == [
                (column, "timestamp with time zone" if kind == "timestamptz" else kind)
                for column, kind in types.items()
            ]
        (decisions,) = connection.execute("select count(*) from config.identity_decisions").fetchone() or (0,)
        assert decisions == int(with_rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("account_keys: {crm: fone}", "no rule for 'fone'"),
        ("account_keys: {crn: phone}", "did you mean crm?"),
        ("max_accounts: 1", "max_accounts"),
        ("rules: {phone: {tier: 5, unverified_tier: 4}}", "lies before tier 5"),
        ("rules: {phone: {teir: 5}}", "teir"),
        (
            "keep_apart: [{code: a, accounts: [{source_system: crm, member_key: '1'}], reason: r, decided_on: 2026-01-01}]",
            "accounts",
        ),
        (
            "keep_together: [&d {code: a, accounts: [{source_system: crm, member_key: '1'}, {source_system: crm, member_key: '2'}], "
            "reason: r, decided_on: 2026-01-01}, *d]",
            "is there twice",
        ),
    ],
)
def test_wrong_files_are_refused_by_name_and_key(settings: Settings, text: str, said: str) -> None:
    with pytest.raises(BrandConfigError) as error:
        load(settings, text)
    assert "identity.yml" in str(error.value) and said in str(error.value)


def test_a_rule_of_the_brand_replaces_the_default() -> None:
    own = Identity(rules={"phone": IdentifierRule(tier=2), "loyalty_card": IdentifierRule(tier=2)})
    assert own.all_rules["phone"].unverified_tier is None
    assert own.all_rules.keys() == IDENTIFIER_RULES.keys() | {"loyalty_card"}
