"""Audiences as assets: one pass over the tags and facts, five tables in the schema of segments."""

import dagster as dg

from orchestration import warehouse
from orchestration.audiences import run
from orchestration.audiences.definitions import AudienceError
from orchestration.audiences.tables import CATALOGUE, DESCRIPTIONS
from orchestration.quality.adapter import gate_checks
from orchestration.quality.suites import audiences as suites
from orchestration.resources import BrandRun

UPSTREAM = (
    ("marts", "dim_members"),
    ("marts", "dim_products"),
    ("marts", "fct_events"),
    ("marts", "fct_orders"),
    ("marts", "fct_order_lines"),
    ("ml", "churn_scores"),
    ("ml", "propensity_scores"),
    ("tags", "member_tags"),
    ("tags", "tag_values"),
    ("segments", "seg_rfm"),
    ("segments", "seg_lifecycle"),
)


@dg.multi_asset(
    name="audiences",
    specs=[
        dg.AssetSpec(
            table.split("."),
            group_name="segment",
            owners=["team:data-engineering"],
            description=description,
            deps=[list(key) for key in UPSTREAM],
            kinds={"duckdb"},
        )
        for table, description in DESCRIPTIONS.items()
    ],
)
def audiences(context: dg.AssetExecutionContext, brand_run: BrandRun):
    as_of_date = brand_run.as_of_date()
    try:
        with warehouse.writer(brand_run.settings.build_file) as connection:
            day = run.refresh(connection, brand_run.settings, brand_run.brand, as_of_date)
    except AudienceError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    ready = sum(state.status == "ready" for state in day.states.values())
    context.log.info(
        f"audiences: {ready} of {len(day.states)} worked out, {len(day.members)} memberships of "
        f"{day.population_count} members"
    )
    for table in DESCRIPTIONS:
        count = int(brand_run.query(f"select count(*) as n from {table}")["n"].iloc[0])  # noqa: S608  names of `tables`
        extra = {"ready_count": ready, "defined_count": len(day.states)} if table == CATALOGUE else {}
        yield dg.MaterializeResult(asset_key=table.split("."), metadata={"dagster/row_count": count, **extra})


gate_audiences = gate_checks(suites.GATE, suites.SUITES)
