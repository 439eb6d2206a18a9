"""Stand-ins for dbt's and the project's macros, so that sqlfluff can render models without dbt and without a database.

Each returns SQL of the same shape as its macro in `dbt_project/macros`; a new macro that models call gets a line here.
What a macro really does belongs there, and is tested by dbt's unit tests.
"""

from types import SimpleNamespace
from typing import Any

dbt = SimpleNamespace(
    type_string=lambda: "varchar",
    dateadd=lambda part, interval, start: f"{start} + {interval}",
    date_trunc=lambda part, value: f"date_trunc('{part}', {value})",
)


def _expression(name: str) -> Any:
    """A macro that becomes a function call on its first argument."""
    return lambda *args: f"{name}({args[0]})"


business_date = _expression("business_date")
business_day_start = _expression("business_day_start")
money = _expression("money")
member_id = _expression("member_id")
entity_id = _expression("entity_id")


def ratio(numerator: str, denominator: str) -> str:
    return f"({numerator}) / ({denominator})"


def add_days(date_expression: str, days: object) -> str:
    return f"add_days({date_expression}, 1)"


def days_between(first_date: str, second_date: str) -> str:
    return f"days_between({first_date}, {second_date})"


def type_instant() -> str:
    return "timestamptz"


def integers(n: object) -> str:
    return "(select 0 as n)"


def text_literal(value: object) -> str:
    return "'text'"


def known_at() -> str:
    return "2024-01-01 00:00:00+00"


def requested_as_of_date() -> str:
    return ""


def brand_as_of_clock() -> str:
    return "latest_fact"


def brand_churn_horizon_days() -> int:
    return 60


def brand_purchase_horizon_days() -> int:
    return 30


brand_rfm_window_days = brand_training_cut_count = brand_training_cut_step_days = brand_purchase_horizon_days


def order_keyed_materialization() -> str:
    return "incremental"


def touched_orders(relation: object) -> str:
    return "select order_id from touched_orders"


def touched_business_dates(relation: object) -> str:
    return "select business_date from touched_dates"


def _family(code: str) -> Any:
    return lambda: SimpleNamespace(code=code, label_zh="标签", label_en="label", source="facts")


tag_family_transaction = _family("transaction")
tag_family_promotion = _family("promotion")
tag_family_category = _family("category")
tag_family_lifecycle = _family("lifecycle")
tag_family_prediction = _family("prediction")


def tag_families() -> list[Any]:
    return [tag_family_transaction(), tag_family_lifecycle()]


class _Tag(dict[str, Any]):
    """A tag as the models read it: `tag.code` and `tag['values']`."""

    __getattr__ = dict.__getitem__


def compile_tags(family: Any) -> list[_Tag]:
    value = _Tag(code="high", label_zh="高", label_en="high")
    names = ("label_zh", "label_en", "type", "unit", "goal", "sql", "owner", "pii_class")
    rest = {name: name for name in names} | {"window_days": None, "version": 1, "values": [value]}
    return [_Tag(code=f"{family.code}_{number}", **rest) for number in ("first", "second")]


def tag_expressions(family: Any) -> str:
    return "\n        " + ",\n        ".join(f"max({tag.code}) as {tag.code}" for tag in compile_tags(family))


def tag_columns(family: Any, relation: str) -> str:
    return "".join(f"\n        {relation}.{tag.code}," for tag in compile_tags(family))
