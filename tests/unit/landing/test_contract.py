"""The contract document and its rendering."""

from __future__ import annotations

import pytest

from orchestration.landing.contract import load_contract, parse_contract, render_contract_markdown
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
        "extra_fields",
    ]


@pytest.mark.parametrize("field", ["{type: texts}", "{type: text, ky: true}"])
def test_wrong_contract_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=r"things\.thing_key"):
        parse_contract(f"things: {{description: x, fields: {{thing_key: {field}}}}}")
