"""Checks of a source before any work: contract, columns, expressions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestration.brands import BrandConfigError
from orchestration.landing import mapping
from orchestration.landing.contract import Field, Label, load_contract
from orchestration.landing.mapping import check_source, check_sources, mapping_hash

from .conftest import GOOD, SALES_YML, Tiny


def check(tiny: Tiny, mapping: str = SALES_YML) -> str:
    tiny.configure("sources/sales.yml", mapping)
    return "\n".join(check_source(tiny.settings, tiny.brand.sources[0]))


def test_good_source_has_no_problem_with_and_without_files(tiny: Tiny) -> None:
    assert check(tiny) == ""
    tiny.sales(GOOD)
    assert check(tiny) == ""
    check_sources(tiny.settings, tiny.brand)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "order_lines:\n    fields",
            "order_line:\n    fields",
            ["unknown contract entity", "did you mean order_lines?"],
        ),
        ("member_key: member", "member_ky: member", ["fields.member_ky: unknown contract field", "member_key?"]),
        ("      quantity: qty\n", "", ["fields.quantity: missing", "contract requires"]),
        ("quantity: qty", "quantity: qtty", ["fields.quantity: column qtty is not in the source", "did you mean qty?"]),
        ("quantity: qty", "quantity: no_such(qty)", ["fields.quantity", "no_such"]),
        ("quantity: qty", "quantity: qty +", ["fields.quantity: is not an SQL expression"]),
        ("quantity: qty", "quantity: sum(qty::int)", ["fields.quantity", "GROUP BY"]),
        ("quantity: qty", "quantity: (select max(qty) from src)", ["fields.quantity", "subquery"]),
        ("quantity: qty", 'quantity: "1) from (select 1"', ["fields.quantity", "not a query"]),
        ("quantity: qty", 'quantity: "qty, sku"', ["fields.quantity", "not one value"]),
        ("quantity: qty", 'quantity: "columns(*)"', ["fields.quantity", "name its columns"]),
        ("ordered_at: ordered_at", "ordered_at: qty::bigint", ["fields.ordered_at: gives BIGINT", "to_timestamp"]),
        (
            "cleaning_rules:",
            "    changed_at: updated\ncleaning_rules:",
            ["entities.order_lines.changed_at: column updated is not in the source"],
        ),
        (
            "cleaning_rules:",
            "    changed_at: line_no::bigint\ncleaning_rules:",
            ["entities.order_lines.changed_at: gives BIGINT, not a timestamp"],
        ),
        (
            "cleaning_rules:",
            '    is_deleted: "[kind]"\ncleaning_rules:',
            ["is_deleted: gives VARCHAR[], not one value"],
        ),
        ("when: member is null", "when: membr is null", ["cleaning_rules.member_missing.when", "did you mean member?"]),
    ],
)
def test_bad_mapping_is_named(tiny: Tiny, old: str, new: str, said: list[str]) -> None:
    tiny.sales(GOOD)
    assert old in SALES_YML
    mapping = SALES_YML.replace(old, new)
    if "order_line:" in new:
        mapping = mapping.replace("entity: order_lines", "entity: order_line")
    found = check(tiny, mapping)
    for part in ["sources/sales.yml: ", *said]:
        assert part in found


def test_all_problems_are_raised_together(tiny: Tiny) -> None:
    tiny.sales(GOOD)
    tiny.configure("sources/sales.yml", SALES_YML.replace(": qty", ": qtty").replace(": amount", ": amnt"))
    with pytest.raises(BrandConfigError) as error:
        check_sources(tiny.settings, tiny.brand)
    assert len(error.value.problems) == 2


def test_package_that_is_not_installed(tiny: Tiny) -> None:
    reader = "kind: csv, location: package, python_package: no_such_package,"
    assert "no_such_package is not installed" in check(tiny, SALES_YML.replace("kind: csv,", reader))


def test_mapping_hash_follows_what_decides_the_rows(tiny: Tiny) -> None:
    def digest(mapping: str) -> str:
        tiny.configure("sources/sales.yml", mapping)
        return mapping_hash(tiny.brand.sources[0], "order_lines")

    def versioned(more: str) -> str:
        return SALES_YML.replace("cleaning_rules:", f"    {more}\ncleaning_rules:")

    first = digest(SALES_YML)
    same = (
        SALES_YML.replace("No member", "Nobody"),
        SALES_YML + "ignored_columns: [colour]\n",
        SALES_YML + "schema_drift: {missing_column: default}\n",
        SALES_YML + "quarantine: {max_share: 0.5}\n",
        SALES_YML.replace("kind: csv,", "kind: csv, encoding: utf-8, header: true,"),
        "mode: incremental\n" + SALES_YML,
    )
    assert {digest(mapping) for mapping in same} == {first}
    other = (
        SALES_YML.replace("timestamps_in: Asia/Shanghai", "timestamps_in: UTC"),
        SALES_YML.replace("kind: csv,", "kind: csv, null_values: ['', 'null'],"),
        "mode: full\n" + SALES_YML,
        versioned("changed_at: ordered_at"),
        versioned("is_deleted: kind = 'x'"),
        versioned("changed_at: ordered_at\n    change_sequence: line_no"),
    )
    assert len({first, *(digest(mapping) for mapping in other)}) == len(other) + 1


def test_mapping_hash_follows_the_contract_only_where_it_is_mapped(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the project adds to the contract, or says better, must not copy years of a brand's history."""
    source = tiny.brand.sources[0]
    first = mapping_hash(source, "order_lines")
    entity = load_contract()["order_lines"]

    def digest(*, more: tuple[Field, ...] = (), **changes: Any) -> str:
        fields = tuple(replace(f, **changes) if f.name == "quantity" else f for f in entity.fields)
        changed = {"order_lines": replace(entity, description="Lines", fields=(*fields, *more))}
        monkeypatch.setattr(mapping, "load_contract", lambda: changed)
        return mapping_hash(source, "order_lines")

    label = Label("数量", "Pieces")
    assert digest(label=label, description="How many", unit="piece", more=(Field("gift_note", "text", label),)) == first
    assert digest(type="integer") != first
    assert digest(allowed=("1", "2")) != first
    assert digest(clock=True) != first
    assert digest(required=not entity.field("quantity").required) != first
    assert digest(more=(Field("branch", "text", label, key=True),)) != first
