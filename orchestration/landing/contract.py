"""The contract that every brand's sources are mapped to: entities, fields, types.

Declared in contract.yml beside this file and rendered to docs/contract.md (`python -m orchestration.landing.contract`).
How a source is mapped to it belongs in `orchestration.landing.mapping`; what is computed from it belongs in dbt.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

CONTRACT_FILE = Path(__file__).with_name("contract.yml")

DUCKDB_TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DECIMAL(18,4)",
    "amount": "DECIMAL(18,2)",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}

# What landing adds to every row of every entity, after the contract's own fields.
TECHNICAL_COLUMNS: tuple[tuple[str, str], ...] = (
    ("batch_id", "VARCHAR"),
    ("source_system", "VARCHAR"),
    ("source_file", "VARCHAR"),
    ("source_row_number", "BIGINT"),
    ("loaded_at", "TIMESTAMP WITH TIME ZONE"),
    ("extra_fields", "VARCHAR"),
)

QUARANTINE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("batch_id", "VARCHAR"),
    ("source_system", "VARCHAR"),
    ("source_file", "VARCHAR"),
    ("source_row_number", "BIGINT"),
    ("loaded_at", "TIMESTAMP WITH TIME ZONE"),
    ("field", "VARCHAR"),
    ("reason", "VARCHAR"),
    ("source_row", "VARCHAR"),
)


_INTRODUCTION = """\
# The contract: what sources are mapped to

Generated from `orchestration/landing/contract.yml` by `python -m orchestration.landing.contract`; edit that file.
A source maps its columns to these fields in `brands/<brand>/sources/*.yml` (see [add-a-source](add-a-source.md)).

Types: text · integer · decimal (18,4; further decimals are rounded) · amount (18,2) · boolean · date · timestamp
(stored as UTC). A blank text is null. A value that cannot become its type, a null in a required field, a value that is
not allowed and a second row with the same key but other content go to quarantine with the reason
`field:not_a_<type>`, `field:missing_value`, `field:unknown_value` or `field:duplicate_key`. A CSV record that cannot be
split into its columns has the reason `malformed_row:<why>`; a row on which a source's `where` fails has
`where:cannot_be_evaluated`.

"""

_TECHNICAL = """\
## Columns that landing adds to every row

| column | type | meaning |
|---|---|---|
| `batch_id` | text | the batch that landed the row; sorts by time |
| `source_system` | text | `source_system` of the source's YAML |
| `source_file` | text | path of the file below its root |
| `source_row_number` | integer | number of the record in the file, from 1, header not counted |
| `loaded_at` | timestamp | when the row was landed: the second clock |
| `extra_fields` | text | JSON object of source columns that no mapping uses or ignores; null when none |
"""


@dataclass(frozen=True)
class Field:
    """One field of a contract entity. `allowed` is empty when every value of the type is good."""

    name: str
    type: str
    key: bool = False
    required: bool = False
    allowed: tuple[str, ...] = ()
    description: str = ""

    @property
    def duckdb_type(self) -> str:
        return DUCKDB_TYPES[self.type]


@dataclass(frozen=True)
class Entity:
    """One contract entity: its fields in the order in which they are stored."""

    name: str
    description: str
    fields: tuple[Field, ...]

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.fields if f.key)

    def field(self, name: str) -> Field:
        """The field called `name`. Raises KeyError."""
        return {f.name: f for f in self.fields}[name]

    def duckdb_columns(self) -> list[tuple[str, str]]:
        """(name, DuckDB type) of every column of a landed Parquet file, technical columns included, in order."""
        return [(f.name, f.duckdb_type) for f in self.fields] + list(TECHNICAL_COLUMNS)


def parse_contract(text: str) -> dict[str, Entity]:
    """Entities of a contract document. Raises ValueError naming the entity and field that is wrong."""
    entities: dict[str, Entity] = {}
    for name, body in yaml.safe_load(text).items():
        fields = []
        for field_name, spec in body["fields"].items():
            unknown = set(spec) - {"type", "key", "required", "allowed", "description"}
            if unknown or spec.get("type") not in DUCKDB_TYPES:
                raise ValueError(
                    f"contract.yml: {name}.{field_name}: unknown key {sorted(unknown)} or type {spec.get('type')!r}"
                )
            key = bool(spec.get("key", False))
            fields.append(
                Field(
                    name=field_name,
                    type=spec["type"],
                    key=key,
                    required=key or bool(spec.get("required", False)),
                    allowed=tuple(spec.get("allowed", ())),
                    description=spec.get("description", ""),
                )
            )
        entities[name] = Entity(name=name, description=body["description"], fields=tuple(fields))
    return entities


@lru_cache(maxsize=1)
def load_contract() -> dict[str, Entity]:
    """The contract's entities by name, in the order of contract.yml."""
    return parse_contract(CONTRACT_FILE.read_text(encoding="utf-8"))


def render_contract_markdown() -> str:
    """docs/contract.md as text."""
    lines = _INTRODUCTION.splitlines()
    for entity in load_contract().values():
        lines += [
            f"## {entity.name}",
            "",
            entity.description,
            "",
            "| field | type | rule | meaning |",
            "|---|---|---|---|",
        ]
        for field in entity.fields:
            rule = "key" if field.key else "required" if field.required else ""
            if field.allowed:
                rule = (rule + "; " if rule else "") + "one of " + ", ".join(f"`{value}`" for value in field.allowed)
            lines.append(f"| `{field.name}` | {field.type} | {rule} | {field.description} |")
        lines.append("")
    lines += _TECHNICAL.splitlines()
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / "docs" / "contract.md"
    target.write_text(render_contract_markdown(), encoding="utf-8")
