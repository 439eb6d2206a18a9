"""gate_segments: clusters are published only when they are complete, stable, and named apart.

A scheme without stable clusters says so in ml.segment_cards (code `none`): that is an answer, not a failure. Clusters that
are missing without such a row are a failure.
"""

from __future__ import annotations

from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import between, row_count, zero

GATE = "gate_segments"

MEMBERS = Suite(
    gate=GATE,
    subject=("ml", "segment_members"),
    name="clusters",
    description="Every scheme has clusters or says why not; a member is in one cluster of a scheme, and cards count members right.",
    sql="""
        with clocks as (select as_of_date from intermediate.int_clocks_resolved),
        cards as (select c.* from ml.segment_cards as c inner join clocks on c.as_of_date = clocks.as_of_date),
        members as (select m.* from ml.segment_members as m inner join clocks on m.as_of_date = clocks.as_of_date),
        counted as (select scheme, cluster_code, count(*) as member_count from members group by all)
        select
            schemes.scheme,
            (select count(*) from cards where cards.scheme = schemes.scheme) as card_count,
            (select count(*) from cards inner join counted using (scheme, cluster_code)
                where cards.scheme = schemes.scheme and cards.member_count <> counted.member_count) as miscounted_cluster_count,
            (select count(*) - count(distinct member_id) from members where members.scheme = schemes.scheme)
                as duplicate_member_count,
            (select count(*) from members left join cards using (scheme, model_version, cluster_code)
                where members.scheme = schemes.scheme and not coalesce(cards.is_published, false)) as undescribed_member_count,
            (select count(*) from members where members.scheme = schemes.scheme
                and member_id not in (select member_id from marts.dim_members)) as unknown_member_count
        from (values ('journeys'), ('strata')) as schemes(scheme)
    """,
    expectations=(
        row_count(2, 2, "both schemes are there"),
        between("card_count", 1, 20, "clusters, or the reason why there are none"),
        zero("miscounted_cluster_count", "a card's size is the number of its members"),
        zero("duplicate_member_count", "one cluster per member"),
        zero("undescribed_member_count", "every cluster with members has a published card"),
        zero("unknown_member_count", "only known members are in clusters"),
    ),
)

CARDS = Suite(
    gate=GATE,
    subject=("ml", "segment_cards"),
    name="cards",
    description="Published clusters are stable, none is nearly everybody, and no two of a scheme have one name.",
    sql="""
        with cards as (
            select c.* from ml.segment_cards as c
            inner join intermediate.int_clocks_resolved as clocks on c.as_of_date = clocks.as_of_date
        )
        select
            coalesce(min(stability) filter (where is_published), 1) as least_stability,
            coalesce(max(member_rate), 0) as largest_member_rate,
            count(*) - count(distinct (scheme, label_zh)) + count(*) - count(distinct (scheme, label_en)) as shared_label_count,
            count(*) filter (where label_zh is null or label_en is null or verdict is null) as unnamed_cluster_count
        from cards
    """,
    expectations=(
        row_count(1, 1, "one summary row"),
        between("least_stability", 0.8, 1, "clusters come back when members are drawn anew"),
        between("largest_member_rate", 0, 0.9, "no cluster holds more than 90 % of its scheme's members"),
        zero("shared_label_count", "no two clusters of a scheme have the same name"),
        zero("unnamed_cluster_count", "a name in both languages, and a verdict"),
    ),
)

SUITES = (MEMBERS, CARDS)
