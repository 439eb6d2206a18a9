"""The contract, and what a brand maps of it, as tables that dbt reads: config.contract_entities and config.contract_fields.

What the contract says belongs in `orchestration.landing.contract`; what arrived of it is counted in dbt
(`ops.entity_coverage`).
"""

from __future__ import annotations

import duckdb
import pandas as pd

from orchestration.brands import Brand
from orchestration.landing.contract import load_contract

CONTRACT_ENTITIES = ["entity", "label_zh", "label_en", "nature", "enables_zh", "enables_en", "is_mapped"]
CONTRACT_FIELDS = [
    "entity",
    "field",
    "label_zh",
    "label_en",
    "value_type",
    "unit",
    "pii_class",
    "is_key",
    "is_required",
    "is_mapped",
]


def contract_entities(brand: Brand) -> pd.DataFrame:
    """One row per entity of the contract, columns CONTRACT_ENTITIES; `is_mapped` = the brand has a source for it."""
    mapped = {entity for source in brand.sources for entity in source.entities}
    rows = [
        (e.name, e.label.zh, e.label.en, e.nature, e.enables.zh, e.enables.en, e.name in mapped)
        for e in load_contract().values()
    ]
    return pd.DataFrame(rows, columns=CONTRACT_ENTITIES)


def contract_fields(brand: Brand) -> pd.DataFrame:
    """One row per field of the contract, columns CONTRACT_FIELDS; `is_mapped` = a source of the brand fills it."""
    mapped = {
        (entity, field)
        for source in brand.sources
        for entity, mapping in source.entities.items()
        for field in mapping.fields
    }
    rows = [
        (
            entity.name, field.name, field.label.zh, field.label.en, field.type, field.unit, field.pii,
            field.key, field.required, (entity.name, field.name) in mapped,
        )
        for entity in load_contract().values()
        for field in entity.fields
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=CONTRACT_FIELDS)


def write_contract_tables(connection: duckdb.DuckDBPyConnection, brand: Brand) -> None:
    """Write both tables, in place of what an earlier run wrote."""
    connection.execute("create schema if not exists config")
    for name, frame in (("contract_entities", contract_entities(brand)), ("contract_fields", contract_fields(brand))):
        columns = ", ".join(
            f"cast({column} as {'boolean' if column.startswith('is_') else 'varchar'}) as {column}" for column in frame
        )
        connection.register("frame_to_write", frame)
        connection.execute(f"create or replace table config.{name} as select {columns} from frame_to_write")  # noqa: S608  constant names
        connection.unregister("frame_to_write")
