"""The contract as tables: every entity and field is there, and what a brand maps of it is told apart."""

from __future__ import annotations

import pytest

from orchestration.brands import Brand, load_brand
from orchestration.landing import contract_tables
from orchestration.landing.contract import load_contract
from orchestration.settings import load_settings
from orchestration.warehouse import scratch


@pytest.fixture(scope="module")
def brand() -> Brand:
    return load_brand(load_settings("online_retail", {}))


def test_every_entity_is_there_and_only_mapped_ones_are_marked(brand: Brand) -> None:
    frame = contract_tables.contract_entities(brand).set_index("entity")
    assert list(frame.index) == list(load_contract())
    assert frame.index[frame["is_mapped"]].tolist() == ["order_lines"]
    assert frame.loc["events", "enables_en"] == load_contract()["events"].enables.en


def test_every_field_is_there_and_only_mapped_ones_are_marked(brand: Brand) -> None:
    frame = contract_tables.contract_fields(brand).set_index(["entity", "field"])
    assert len(frame) == sum(len(entity.fields) for entity in load_contract().values())
    mapped = set(frame.index[frame["is_mapped"]])
    assert mapped == {("order_lines", field) for field in brand.sources[0].entities["order_lines"].fields}
    assert frame.loc[("members", "phone"), "pii_class"] == "direct"
    assert frame.loc[("order_lines", "order_key"), ["is_key", "is_required"]].tolist() == [True, True]


def test_tables_are_typed_and_written_again_in_place(brand: Brand) -> None:
    with scratch() as connection:
        contract_tables.write_contract_tables(connection, brand)
        contract_tables.write_contract_tables(connection, brand)
        types = connection.execute(
            "select distinct data_type, column_name like 'is\\_%' escape '\\' from information_schema.columns "
            "where table_schema = 'config'"
        ).fetchall()
        counts = connection.execute("select count(*), count(distinct entity) from config.contract_entities").fetchone()
    assert set(types) == {("VARCHAR", False), ("BOOLEAN", True)}
    assert counts == (len(load_contract()), len(load_contract()))
