"""Clusters of members as assets: sums out of the engine, one call into `ml.segments` per scheme, memberships and cards back in."""

import dagster as dg
import pandas as pd

from orchestration.build_file import SEGMENT_CARDS, SEGMENT_MEMBERS, SEGMENT_PROFILES
from orchestration.quality.adapter import gate_checks
from orchestration.quality.suites import segments as suites
from orchestration.resources import BrandRun

JOURNEYS_SQL = "select * from features.feat_members_journeys where as_of_date = ? order by member_id"
# Who has bought or been seen, whichever of the two is known.
STRATA_SQL = """
    with purchases as (select * from features.feat_members_purchases where as_of_date = $1),
    journeys as (select * from features.feat_members_journeys where as_of_date = $1)
    select
        coalesce(purchases.member_id, journeys.member_id) as member_id,
        purchases.recency_days, purchases.order_count_180d, purchases.spend_amount_180d,
        purchases.mean_order_amount_180d, purchases.category_count_90d, purchases.discount_rate_90d,
        purchases.refund_rate_180d, journeys.* exclude (member_id, as_of_date)
    from purchases
    full outer join journeys on purchases.member_id = journeys.member_id
    order by 1
"""
TABLES = {
    "segment_members": "One row per scheme (journeys, strata), member and as_of_date: the cluster the member is in.",
    "segment_cards": "One row per scheme, cluster and as_of_date: names, size, what sets it apart, and how sure the clusters are.",
    "segment_profiles": "One row per scheme, cluster, feature and as_of_date: means, and by how many standard deviations they differ.",
}


@dg.multi_asset(
    name="clustered_members",
    specs=[
        dg.AssetSpec(
            ["ml", table],
            group_name="predict",
            owners=["team:data-science"],
            description=description,
            deps=[["features", "feat_members_purchases"], ["features", "feat_members_journeys"]],
            kinds={"scikitlearn"},
        )
        for table, description in TABLES.items()
    ],
)
def clustered_members(context: dg.AssetExecutionContext, brand_run: BrandRun):
    from ml.segments.journeys import JOURNEYS
    from ml.segments.pipeline import segment_members
    from ml.segments.store import load_newest, save_centres
    from ml.segments.strata import STRATA

    as_of_date = brand_run.as_of_date()
    results = []
    for scheme, sql in ((JOURNEYS, JOURNEYS_SQL), (STRATA, STRATA_SQL)):
        folder = brand_run.settings.artifacts_dir / f"segments_{scheme.name}"
        result = segment_members(
            brand_run.query(sql, [as_of_date]), scheme, as_of_date, load_newest(folder, as_of_date)
        )
        if result.stored is not None:
            save_centres(result.stored, result.card, folder)
        first = result.cards.iloc[0]
        context.log.info(
            f"{scheme.name}: {first['verdict']}, {len(result.members)} members, {len(result.profiles)} figures"
        )
        results.append(result)
    frames = {
        "segment_members": pd.concat([result.members for result in results]).loc[:, list(SEGMENT_MEMBERS)],
        "segment_cards": pd.concat([result.cards for result in results]).loc[:, list(SEGMENT_CARDS)],
        "segment_profiles": pd.concat([result.profiles for result in results]).loc[:, list(SEGMENT_PROFILES)],
    }
    cards = dg.MetadataValue.md("\n\n".join(result.card for result in results))
    for table, frame in frames.items():
        brand_run.replace_cut(f"ml.{table}", frame, as_of_date)
        metadata = {"dagster/row_count": len(frame)} | ({"card": cards} if table == "segment_cards" else {})
        yield dg.MaterializeResult(asset_key=["ml", table], metadata=metadata)


gate_segments = gate_checks(suites.GATE, suites.SUITES)
