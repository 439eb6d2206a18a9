"""Files whose columns are not what they were: kept, stopped, defaulted or set aside, as the source's policy says."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.landing.drift import type_family
from orchestration.landing.errors import LandingError
from orchestration.landing.land import pending
from orchestration.warehouse import scratch

from .conftest import GOOD, HEADER, SALES_YML, Tiny

PRODUCTS_YML = """
source_system: erp
reader: {{kind: parquet, path: "products/{{date}}.parquet"}}
timestamps_in: UTC
schema_drift: {{{policy}}}
entities:
  products:
    fields: {{product_code: code, product_name: name, list_price: price, product_kind: "'goods'", brand_name: brand}}
    {where}
"""
COLUMNS = {"code": "varchar", "name": "varchar", "price": "integer", "brand": "varchar"}


def policy(text: str) -> str:
    return SALES_YML + f"schema_drift: {{{text}}}\n"


def parquet(tiny: Tiny, number: int, *rows: tuple[Any, ...], **types: str) -> None:
    """A Parquet file of the day, its columns typed as said (default COLUMNS; "" leaves a column out)."""
    kinds = {name: kind for name, kind in (COLUMNS | types).items() if kind}
    values = ", ".join(f"({', '.join('?' * len(kinds))})" for _ in rows)
    casts = ", ".join(f'cast("{name}" as {kind}) as "{name}"' for name, kind in kinds.items())
    names = ", ".join(f'"{name}"' for name in kinds)
    target = tiny.write(f"products/2026-01-{number:02d}.parquet", "")
    with scratch() as connection:
        connection.execute(
            f"copy (select {casts} from (values {values}) as t({names})) to '{target}' (format parquet)",
            [value for row in rows for value in row],
        )


def configure(tiny: Tiny, text: str, where: str = "") -> None:
    tiny.configure("sources/sales.yml", PRODUCTS_YML.format(policy=text, where=where))


def landed(tiny: Tiny, columns: str, area: str = "raw") -> list[tuple[Any, ...]]:
    return tiny.rows(f"select {columns} from '{tiny.lake.root}/{area}/products/*.parquet' order by all")


# --- new columns --------------------------------------------------------------------------------------------------


def test_new_column_is_kept_and_reported_once(tiny: Tiny) -> None:
    said: list[str] = []
    tiny.sales(GOOD)
    tiny.sales(GOOD.replace("o1", "o2") + ",red", day="2026-01-02", header=HEADER + ",colour")
    tiny.sales(GOOD.replace("o1", "o3") + ",blue", day="2026-01-03", header=HEADER + ",colour")
    first, second, third = tiny.land(log=said.append)
    assert [b.drift for b in (first, second, third)] == [
        [],
        [{"column": "colour", "kind": "new", "policy": "keep"}],
        [],
    ]
    assert second.extra_columns == third.extra_columns == ["colour"]
    assert first.columns == dict.fromkeys(HEADER.split(","), "VARCHAR")
    assert tiny.rows("select extra_fields from {raw} order by order_key") == [
        (None,),
        ('{"colour":"red"}',),
        ('{"colour":"blue"}',),
    ]
    assert [text for text in said if "colour is new (policy: keep)" in text and "2026-01-02.csv" in text]
    assert not any("red" in text or "blue" in text for text in said)


def test_new_column_can_stop_the_file(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", policy("new_column: stop"))
    tiny.sales(GOOD)
    tiny.sales(GOOD.replace("o1", "o2") + ",red", day="2026-01-02", header=HEADER + ",colour")
    with pytest.raises(LandingError, match=r"2026-01-02\.csv.*column colour is new.*ignored_columns"):
        tiny.land()
    tiny.configure("sources/sales.yml", policy("new_column: stop") + "ignored_columns: [colour]\n")
    (batch,) = tiny.land()
    assert (batch.drift, batch.extra_columns) == ([], [])


# --- missing columns ----------------------------------------------------------------------------------------------

WITHOUT_MEMBER = HEADER.replace(",member", "")
NO_MEMBER = "o2,1,2026-01-02 08:00:00,s1,sale,2,10.50"


def test_missing_column_stops_the_file_unless_the_policy_says_otherwise(tiny: Tiny) -> None:
    tiny.sales(NO_MEMBER, header=WITHOUT_MEMBER)
    with pytest.raises(LandingError, match=r"column\(s\) member missing.*schema_drift\.missing_column"):
        tiny.land()


def test_missing_column_by_default_is_null_and_reported(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", policy("missing_column: default"))
    tiny.sales(GOOD)
    tiny.sales(NO_MEMBER, day="2026-01-02", header=WITHOUT_MEMBER)
    _, batch = tiny.land()
    assert batch.drift == [{"column": "member", "kind": "missing", "policy": "default"}]
    assert "member" not in batch.columns
    # The cleaning rule that counts rows without a member sees the null too.
    assert batch.cleaning_rule_hits == {"member_missing": 1}
    assert tiny.rows("select order_key, member_key from {raw} order by 1") == [("o1", "m1"), ("o2", None)]


def test_default_cannot_stand_in_for_a_required_field_or_for_what_chooses_rows(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", policy("missing_column: default"))
    tiny.sales("o1,1,2026-01-01 08:00:00,m1,sale,2,10.50", header=HEADER.replace(",sku", ""))
    with pytest.raises(LandingError, match="product_code:missing_value"):
        tiny.land()
    mapping = policy("missing_column: default").replace("cleaning_rules:", "    where: member <> 'x'\ncleaning_rules:")
    tiny.configure("sources/sales.yml", mapping)
    tiny.sales(NO_MEMBER, header=WITHOUT_MEMBER)
    with pytest.raises(LandingError, match=r"entities\.order_lines\.where needs it"):
        tiny.land()


def test_missing_column_can_set_the_file_aside(tiny: Tiny) -> None:
    said: list[str] = []
    tiny.configure("sources/sales.yml", policy("missing_column: quarantine"))
    tiny.sales(GOOD)
    tiny.sales(NO_MEMBER, NO_MEMBER.replace("o2", "o3"), day="2026-01-02", header=WITHOUT_MEMBER)
    _, batch = tiny.land(log=said.append)
    assert (batch.rows_in, batch.rows_landed, batch.rows_quarantined) == (2, 0, 2)
    assert batch.quarantine_reasons == {"member:missing_column": 2}
    assert batch.drift == [{"column": "member", "kind": "missing", "policy": "quarantine"}]
    assert any("all 2 rows set aside: member:missing_column" in text for text in said)
    assert tiny.rows("select source_row_number, field, reason from {quarantine} order by 1") == [
        (1, "member", "member:missing_column"),
        (2, "member", "member:missing_column"),
    ]
    assert pending(tiny.settings, tiny.brand) == []


def test_file_with_another_delimiter_is_not_taken_for_one_without_columns(tiny: Tiny) -> None:
    tiny.configure("sources/sales.yml", policy("missing_column: default"))
    tiny.write("sales/2026-01-01.csv", f"{HEADER}\n{GOOD}\n".replace(",", ";"))
    with pytest.raises(LandingError, match=r"set reader\.delimiter"):
        tiny.land()


# --- retyped columns ----------------------------------------------------------------------------------------------


def test_retyped_column_stops_the_file_unless_the_policy_says_otherwise(tiny: Tiny) -> None:
    configure(tiny, "")
    parquet(tiny, 1, ("a", "A", 1, "x"))
    parquet(tiny, 2, ("b", "B", "2", "x"), price="varchar")
    with pytest.raises(LandingError, match=r"column price is VARCHAR, it was INTEGER.*retyped_column"):
        tiny.land("products")
    assert landed(tiny, "product_code") == [("a",)]


def test_retyped_column_by_default_is_cast_to_what_it_was(tiny: Tiny) -> None:
    configure(tiny, "retyped_column: default")
    parquet(tiny, 1, ("a", "A", 1, "x"))
    parquet(tiny, 2, ("b", "B", "2", "x"), ("c", "C", "dear", "x"), price="varchar")
    parquet(tiny, 3, ("d", "D", "4", "x"), price="varchar")
    _, second, third = tiny.land("products")
    assert landed(tiny, "product_code, list_price::int") == [("a", 1), ("b", 2), ("c", None), ("d", 4)]
    assert second.drift == third.drift == [{"column": "price", "kind": "retyped", "policy": "default"}]
    assert second.columns["price"] == "INTEGER", "as it was read"


def test_retyped_column_can_set_aside_the_rows_that_do_not_fit(tiny: Tiny) -> None:
    configure(tiny, "retyped_column: quarantine")
    parquet(tiny, 1, ("a", "A", 1, "x"))
    parquet(tiny, 2, ("b", "B", "2", "x"), ("c", "C", "dear", "x"), ("d", "D", None, "x"), price="varchar")
    _, batch = tiny.land("products")
    assert landed(tiny, "product_code") == [("a",), ("b",), ("d",)]
    assert batch.quarantine_reasons == {"price:retyped": 1}
    ((row,),) = landed(tiny, "source_row", "quarantine")
    assert '"price":"dear"' in row


def test_wider_type_nulls_alone_and_columns_that_nothing_uses_are_no_drift(tiny: Tiny) -> None:
    configure(tiny, "")
    parquet(tiny, 1, ("a", "A", 1, "x"))
    parquet(tiny, 2, ("b", "B", 2, "x"), price="bigint")
    parquet(tiny, 3, ("c", "C", 3, "x", 1), stock="integer")
    parquet(tiny, 4, ("d", "D", 4, "x", "many"), stock="varchar")
    batches = tiny.land("products")
    assert [[d["kind"] for d in batch.drift] for batch in batches] == [[], [], ["new"], []]
    assert landed(tiny, "product_code") == [("a",), ("b",), ("c",), ("d",)]


def test_missing_parquet_column_has_the_type_it_had(tiny: Tiny) -> None:
    configure(tiny, "missing_column: default", where="where: code is not null")
    parquet(tiny, 1, ("a", "A", 1, "x"))
    parquet(tiny, 2, ("b", "B", "x"), price="")
    tiny.land("products")
    assert landed(tiny, "product_code, list_price::int") == [("a", 1), ("b", None)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("INTEGER", "BIGINT", True),
        ("DECIMAL(10,2)", "DECIMAL(18,4)", True),
        ("TIMESTAMP", "TIMESTAMP_NS", True),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", False),
        ("INTEGER", "DOUBLE", False),
        ("VARCHAR", "INTEGER", False),
        ("INTEGER[]", "INTEGER", False),
    ],
)
def test_width_is_not_a_type(one: str, other: str, same: bool) -> None:
    assert (type_family(one) == type_family(other)) is same
