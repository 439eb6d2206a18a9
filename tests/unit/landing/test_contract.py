"""The contract document and its rendering."""

from __future__ import annotations

import pytest

from orchestration.landing.contract import (
    contract_version,
    load_contract,
    parse_contract,
    render_contract_markdown,
)
from orchestration.settings import PROJECT_ROOT


def test_page_is_current() -> None:
    page = (PROJECT_ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    assert page == render_contract_markdown(), "run `python -m orchestration.landing.contract`"


def test_entities_have_keys_and_keys_are_required() -> None:
    for entity in load_contract().values():
        assert entity.key
        assert all(entity.field(name).required for name in entity.key)


def test_technical_columns_follow_the_fields() -> None:
    columns = load_contract()["coupon_products"].duckdb_columns()
    assert columns[:3] == [(name, "VARCHAR") for name in ("coupon_code", "campaign_code", "product_code")]
    assert [name for name, _ in columns[3:]] == [
        "batch_id",
        "source_system",
        "source_file",
        "source_row_number",
        "loaded_at",
        "changed_at",
        "change_sequence",
        "is_deleted",
        "extra_fields",
    ]


def test_every_name_is_in_both_languages_and_says_what_it_gives() -> None:
    for entity in load_contract().values():
        for label in (entity.label, entity.enables, *(field.label for field in entity.fields)):
            assert label.zh and label.en
            assert any("\u4e00" <= character <= "\u9fff" or character.isupper() for character in label.zh), label


def test_clock_is_at_most_one_timestamp_of_an_entity() -> None:
    for entity in load_contract().values():
        clocks = [field for field in entity.fields if field.clock]
        assert len(clocks) <= 1, entity.name
        assert entity.clock == (clocks[0].name if clocks else None)
        assert all(field.type == "timestamp" for field in clocks)


def contract_of(field: str, *, nature: str = "state") -> str:
    label = "label: {zh: 物, en: Things}, enables: {zh: 事, en: something}"
    return (
        f"version: 2\nentities: {{things: {{{label}, nature: {nature}, description: x, "
        f"fields: {{thing_key: {field}}}}}}}"
    )


NAMED = "zh: 键, en: Key, description: Key"


def test_small_contract_is_read() -> None:
    (thing,) = parse_contract(contract_of(f"{{type: text, key: true, {NAMED}}}")).values()
    assert (thing.key, thing.nature, thing.label.zh, thing.enables.en) == (("thing_key",), "state", "物", "something")


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (f"{{type: texts, {NAMED}}}", "type 'texts'"),
        (f"{{type: text, ky: true, {NAMED}}}", "unknown key ky"),
        (f"{{type: text, pii: some, {NAMED}}}", "pii 'some'"),
        (f"{{type: text, clock: true, {NAMED}}}", "clock needs type: timestamp"),
        ("{type: text, en: Key, description: Key}", "zh missing"),
    ],
)
def test_wrong_field_is_refused(field: str, said: str) -> None:
    with pytest.raises(ValueError, match=rf"things\.thing_key: {said}"):
        parse_contract(contract_of(field))


def test_wrong_entity_and_taken_column_are_refused() -> None:
    with pytest.raises(ValueError, match=r"things: needs exactly .* nature is one of"):
        parse_contract(contract_of(f"{{type: text, {NAMED}}}", nature="thing"))
    with pytest.raises(ValueError, match=r"things\.batch_id: is a column that landing adds"):
        parse_contract(contract_of(f"{{type: text, {NAMED}}}").replace("thing_key:", "batch_id:"))


def test_version_is_a_number() -> None:
    assert contract_version() == 2
