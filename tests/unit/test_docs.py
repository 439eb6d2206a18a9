"""What the documents show is true: their YAML loads, and what they name is there."""

from __future__ import annotations

import re

import pytest
import yaml

from orchestration.brands import READER_KINDS, BrandConfig, SchemaDrift, SourceConfig
from orchestration.landing.contract import load_contract
from orchestration.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
# Parts of a source that a document shows alone are completed with this.
SOURCE = {
    "source_system": "shop",
    "reader": {"kind": "csv", "path": "a.csv"},
    "timestamps_in": "Asia/Shanghai",
    "entities": {"orders": {"fields": {"order_key": "order_no"}}},
}


def blocks(name: str) -> list[str]:
    text = (DOCS / name).read_text(encoding="utf-8")
    return [
        re.sub(r"(?m)^ {3}", "", b) if b.startswith("   ") else b
        for b in re.findall(r"```yaml\n(.*?) *```", text, re.S)
    ]


@pytest.mark.parametrize("text", blocks("add-a-source.md"))
def test_sources_in_the_documents_load(text: str) -> None:
    source = SourceConfig.model_validate(SOURCE | yaml.safe_load(text))
    contract = load_contract()
    for entity, mapping in source.entities.items():
        assert set(mapping.fields) <= {field.name for field in contract[entity].fields}


@pytest.mark.parametrize("text", blocks("add-a-brand.md"))
def test_brands_in_the_documents_load(text: str) -> None:
    document = yaml.safe_load(text)
    assert BrandConfig.model_validate(document).brand == document["brand"]


def test_the_guide_to_sources_shows_every_kind_and_the_defaults_of_drift() -> None:
    text = (DOCS / "add-a-source.md").read_text(encoding="utf-8")
    shown = {yaml.safe_load(block).get("reader", {}).get("kind") for block in blocks("add-a-source.md")}
    assert {"csv", "parquet", "database", "api"} <= shown
    assert all(f"`{kind}`" in text for kind in READER_KINDS if kind not in shown)
    (drift,) = [d for d in map(yaml.safe_load, blocks("add-a-source.md")) if "schema_drift" in d]
    assert drift["schema_drift"] == SchemaDrift().model_dump()
