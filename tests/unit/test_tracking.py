"""Tracking plans: as tables, as JSON Schemas, and what is refused."""

from __future__ import annotations

import jsonschema
import pytest

from orchestration import tracking, warehouse
from orchestration.brands import PlannedEvent, PlannedProperty, TrackingPlan
from orchestration.landing.vocabulary import load_vocabulary, parse_vocabulary

PLAN = TrackingPlan(
    events={
        "cart": PlannedEvent(
            label_zh="加购",
            label_en="Add to cart",
            owner="商品组",
            source_systems=["app", "mini"],
            properties={
                "product_code": PlannedProperty(required=True, label_zh="商品", label_en="Product"),
                "is_gift": PlannedProperty(type="boolean", label_zh="赠品", label_en="Gift"),
            },
        )
    }
)


def test_plan_becomes_rows() -> None:
    events = tracking.planned_events(PLAN)
    assert events[["event_name", "source_system"]].to_numpy().tolist() == [["cart", "app"], ["cart", "mini"]]
    properties = tracking.planned_properties(PLAN).set_index("property_name")
    assert properties["is_contract_field"].to_dict() == {"product_code": True, "is_gift": False}
    assert properties["is_required"].to_dict() == {"product_code": True, "is_gift": False}


def test_brand_without_a_plan_gets_empty_tables_of_the_same_columns() -> None:
    assert list(tracking.planned_events(None).columns) == tracking.PLANNED_EVENTS
    assert list(tracking.planned_properties(None).columns) == tracking.PLANNED_PROPERTIES
    assert len(tracking.planned_events(None)) == len(tracking.planned_properties(None)) == 0


class _Brand:
    def __init__(self, plan: TrackingPlan | None) -> None:
        self.tracking_plan = plan


@pytest.mark.parametrize("plan", [PLAN, None])
def test_tables_are_typed_whether_or_not_there_is_a_plan(plan: TrackingPlan | None) -> None:
    with warehouse.scratch() as connection:
        tracking.write_tracking_config(connection, _Brand(plan))  # type: ignore[arg-type]
        tracking.write_tracking_config(connection, _Brand(plan))  # type: ignore[arg-type]
        found = connection.execute(
            "select table_name, column_name, data_type from information_schema.columns where table_schema = 'config'"
        ).fetchall()
        types = {(table, column): kind for table, column, kind in found}
        standard = connection.execute(
            "select count(*), count(distinct event_name) from config.standard_events"
        ).fetchone()
    assert types["planned_properties", "is_required"] == "BOOLEAN"
    assert {kind for (_, column), kind in types.items() if not column.startswith("is_")} == {"VARCHAR"}
    assert standard == (len(load_vocabulary()), len(load_vocabulary()))


@pytest.mark.parametrize(
    ("sample", "is_good"),
    [
        ({"event_name": "cart", "product_code": "A1", "is_gift": True}, True),
        ({"event_name": "cart", "product_code": "A1", "page": "home"}, True),
        ({"event_name": "cart"}, False),
        ({"event_name": "cart", "product_code": 7}, False),
        ({"event_name": "view", "product_code": "A1"}, False),
        ({"event_name": "cart", "product_code": "A1", "is_gift": "yes"}, False),
    ],
)
def test_json_schema_judges_samples_as_an_independent_validator_reads_it(
    sample: dict[str, object], is_good: bool
) -> None:
    schema = tracking.json_schema("cart", PLAN.events["cart"])
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid(sample) is is_good


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ("{view: {zh: 浏览, en: View, feeds: [nothing]}}", "view: unknown feed nothing"),
        ("{view: {zh: 浏览, feeds: [traffic]}}", "view: needs exactly"),
        ("{view: {zh: 浏览, en: View, feeds: []}}", "view: needs exactly"),
    ],
)
def test_wrong_vocabulary_is_refused(events: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_vocabulary(f"feeds: {{traffic: {{zh: 访问, en: traffic}}}}\nevents: {events}")
