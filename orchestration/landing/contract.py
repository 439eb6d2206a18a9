"""The contract that every brand's sources are mapped to: entities, fields, types.

Declared in contract.yml beside this file and rendered to docs/contract.md (`python -m orchestration.landing.contract`).
How a source is mapped to it belongs in `orchestration.landing.mapping`; what is computed from it belongs in dbt.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

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
    ("changed_at", "TIMESTAMP WITH TIME ZONE"),
    ("change_sequence", "BIGINT"),
    ("is_deleted", "BOOLEAN"),
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


PII_CLASSES = ("none", "pseudonym", "quasi", "direct")
NATURES = ("state", "fact")

_INTRODUCTION = """\
# The contract: what sources are mapped to

Generated from `orchestration/landing/contract.yml` by `python -m orchestration.landing.contract`; edit that file.
A source maps its columns to these fields in `brands/<brand>/sources/*.yml` (see [add-a-source](add-a-source.md)).

Version {version}, {entity_count} entities, {field_count} fields. A brand supplies what it has: `tessera coverage` says what is missing and
what that disables.

Types: text · integer · decimal (18,4; further decimals are rounded) · amount (18,2) · boolean · date · timestamp
(stored as UTC). A blank text is null. A value that cannot become its type, a null in a required field, a value that is
not allowed and a second row with the same key and version but other content go to quarantine with the reason
`field:not_a_<type>`, `field:missing_value`, `field:unknown_value` or `field:duplicate_key`; so does a fact whose clock is more
than a day in the future (`field:in_the_future`). A record that cannot be split into its columns has the reason
`malformed_row:<why>`; a row on which a source's `where` fails has `where:cannot_be_evaluated`.

Nature: a *state* changes, and its newest version counts; a *fact* happened, and the first row seen of a key counts unless the
source gives versions (`changed_at`).

PII: *direct* names a person and never leaves the restricted store; *quasi* helps to find one; *pseudonym* is an id of a person.

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
| `changed_at` | timestamp | version of the row: the source's `changed_at`, or the time of its snapshot; null when it gives none |
| `change_sequence` | integer | breaks ties of `changed_at` (such as a log sequence number) |
| `is_deleted` | boolean | the source says that the key is gone |
| `extra_fields` | text | JSON object of source columns that no mapping uses or ignores; null when none |
"""


@dataclass(frozen=True)
class Label:
    """A name in both languages."""

    zh: str
    en: str


@dataclass(frozen=True)
class Field:
    """One field of a contract entity. `allowed` is empty when every value of the type is good; `unit` when it has none."""

    name: str
    type: str
    label: Label
    key: bool = False
    required: bool = False
    clock: bool = False
    allowed: tuple[str, ...] = ()
    unit: str = ""
    pii: str = "none"
    description: str = ""

    @property
    def duckdb_type(self) -> str:
        return DUCKDB_TYPES[self.type]


@dataclass(frozen=True)
class Entity:
    """One contract entity: its fields in the order in which they are stored. `enables` is what a brand gets from it."""

    name: str
    label: Label
    nature: str
    description: str
    enables: Label
    fields: tuple[Field, ...]

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.fields if f.key)

    @property
    def clock(self) -> str | None:
        """The field that says when the fact happened, if the entity has one."""
        return next((f.name for f in self.fields if f.clock), None)

    def field(self, name: str) -> Field:
        """The field called `name`. Raises KeyError."""
        return {f.name: f for f in self.fields}[name]

    def duckdb_columns(self) -> list[tuple[str, str]]:
        """(name, DuckDB type) of every column of a landed Parquet file, technical columns included, in order."""
        return [(f.name, f.duckdb_type) for f in self.fields] + list(TECHNICAL_COLUMNS)


_FIELD_KEYS = {"type", "key", "required", "clock", "allowed", "unit", "pii", "zh", "en", "description"}
_ENTITY_KEYS = {"label", "nature", "description", "enables", "fields"}


def _problem(spec: dict[str, Any]) -> str | None:
    """What is wrong with the declaration of a field, if anything is."""
    if unknown := sorted(set(spec) - _FIELD_KEYS):
        return f"unknown key {', '.join(unknown)}; known: {', '.join(sorted(_FIELD_KEYS))}"
    if spec.get("type") not in DUCKDB_TYPES:
        return f"type {spec.get('type')!r}; one of {', '.join(DUCKDB_TYPES)}"
    if spec.get("pii", "none") not in PII_CLASSES:
        return f"pii {spec['pii']!r}; one of {', '.join(PII_CLASSES)}"
    if spec.get("clock") and spec["type"] != "timestamp":
        return "clock needs type: timestamp"
    if missing := sorted({"zh", "en", "description"} - set(spec)):
        return f"{', '.join(missing)} missing; every field has both labels and a meaning"
    return None


def _field(entity: str, name: str, spec: dict[str, Any]) -> Field:
    if problem := _problem(spec):
        raise ValueError(f"contract.yml: {entity}.{name}: {problem}")
    key = bool(spec.get("key", False))
    return Field(
        name=name,
        type=spec["type"],
        label=Label(spec["zh"], spec["en"]),
        key=key,
        required=key or bool(spec.get("required", False)),
        clock=bool(spec.get("clock", False)),
        allowed=tuple(spec.get("allowed", ())),
        unit=spec.get("unit", ""),
        pii=spec.get("pii", "none"),
        description=spec["description"],
    )


def parse_contract(text: str) -> dict[str, Entity]:
    """Entities of a contract document. Raises ValueError naming the entity and field that is wrong."""
    entities: dict[str, Entity] = {}
    technical = {name for name, _ in TECHNICAL_COLUMNS}
    for name, body in yaml.safe_load(text)["entities"].items():
        if set(body) != _ENTITY_KEYS or body["nature"] not in NATURES:
            raise ValueError(
                f"contract.yml: {name}: needs exactly {', '.join(sorted(_ENTITY_KEYS))}; nature is one of {NATURES}"
            )
        if taken := sorted(technical & set(body["fields"])):
            raise ValueError(f"contract.yml: {name}.{taken[0]}: is a column that landing adds; choose another name")
        entities[name] = Entity(
            name=name,
            label=Label(**body["label"]),
            nature=body["nature"],
            description=body["description"],
            enables=Label(**body["enables"]),
            fields=tuple(_field(name, field, spec) for field, spec in body["fields"].items()),
        )
    return entities


@lru_cache(maxsize=1)
def load_contract() -> dict[str, Entity]:
    """The contract's entities by name, in the order of contract.yml."""
    return parse_contract(CONTRACT_FILE.read_text(encoding="utf-8"))


def contract_version() -> int:
    """Version of the contract: raised when a field changes its meaning or goes."""
    return int(yaml.safe_load(CONTRACT_FILE.read_text(encoding="utf-8"))["version"])


def render_contract_markdown() -> str:
    """docs/contract.md as text."""
    contract = load_contract()
    lines = _INTRODUCTION.format(
        version=contract_version(),
        entity_count=len(contract),
        field_count=sum(len(entity.fields) for entity in contract.values()),
    ).splitlines()
    for entity in contract.values():
        lines += [
            f"## {entity.name} · {entity.label.zh}",
            "",
            f"{entity.description} Nature: {entity.nature}. It gives {entity.enables.en} ({entity.enables.zh}).",
            "",
            "| field | 中文 | type | unit | rule | PII | meaning |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_row(field) for field in entity.fields]
        lines.append("")
    lines += _TECHNICAL.splitlines()
    return "\n".join(lines) + "\n"


def _row(field: Field) -> str:
    rules = ["key" if field.key else "required" if field.required else "", "clock" if field.clock else ""]
    if field.allowed:
        rules.append("one of " + ", ".join(f"`{value}`" for value in field.allowed))
    rule = "; ".join(part for part in rules if part)
    pii = "" if field.pii == "none" else field.pii
    return f"| `{field.name}` | {field.label.zh} | {field.type} | {field.unit} | {rule} | {pii} | {field.description} |"


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / "docs" / "contract.md"
    target.write_text(render_contract_markdown(), encoding="utf-8")
