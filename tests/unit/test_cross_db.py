"""Macros of macros/cross_db that compute, beside Python's own arithmetic. That Spark computes the same is tested in test_spark.py."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from orchestration.dbt import PROJECT_DIR


def rendered(file: str, macro: str, *arguments: str) -> str:
    """The SQL of a macro that dispatches nothing, without dbt."""
    text = (PROJECT_DIR / "macros" / "cross_db" / file).read_text(encoding="utf-8")
    found = re.search(rf"{{% macro {macro}\(.*?endmacro %}}", text, re.DOTALL)
    assert found, f"{file} has no macro {macro}"
    listed = ", ".join(repr(argument) for argument in arguments)
    return Environment(autoescape=False).from_string(f"{found[0]}{{{{ {macro}({listed}) }}}}").render()


MONEY_PER = rendered("types_and_dates.sql", "money_per", "amount", "n")


@settings(deadline=None)
@given(cents=st.integers(-(10**13), 10**13), count=st.integers(1, 10**6))
def test_money_per_is_the_quotient_to_the_cent_half_a_cent_up(cents: int, count: int) -> None:
    amount = Decimal(cents) / 100
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select {MONEY_PER} from (select cast(? as decimal(38, 2)) as amount, cast(? as bigint) as n)",
            [amount, count],
        ).fetchone()
    assert found == ((amount / count).quantize(Decimal("0.01"), ROUND_HALF_UP),)


def test_money_per_of_nothing_is_null() -> None:
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select {MONEY_PER} from (values (null::decimal(18, 2), 3), (5.00, 0), (0.01, 2), (-0.01, 2)) as t(amount, n)"
        ).fetchall()
    assert rows == [(None,), (None,), (Decimal("0.01"),), (Decimal("-0.01"),)]
