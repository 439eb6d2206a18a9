"""gate_tags: the tag table and the segments cover the members they should, before anybody acts on them."""

from __future__ import annotations

from collections.abc import Collection

from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import between, equal_columns, not_null, row_count, zero

GATE = "gate_tags"

MEMBER_TAGS = Suite(
    gate=GATE,
    subject=("tags", "member_tags"),
    name="agreement",
    description="One row per member, and totals that agree with the orders they were computed from.",
    sql="""
        select
            (select count(*) from marts.dim_members) as member_count,
            (select count(*) from tags.member_tags) as tagged_member_count,
            (select coalesce(sum(order_count_total), 0) from tags.member_tags) as tagged_order_count,
            (select count(*) from marts.fct_orders, intermediate.int_clocks_resolved as clocks
                where member_id is not null and is_valid and business_date < clocks.as_of_date) as order_count,
            (select coalesce(sum(spend_amount_total), 0) from tags.member_tags) as tagged_spend_amount,
            (select coalesce(sum(gross_amount), 0) from marts.fct_orders, intermediate.int_clocks_resolved as clocks
                where member_id is not null and is_valid and business_date < clocks.as_of_date) as spend_amount,
            (select count(*) from tags.member_tags where (lifecycle_state = 'prospect') <> (order_count_total = 0))
                as lifecycle_mismatch_count
    """,
    expectations=(
        equal_columns("member_count", "tagged_member_count", "every member has tags"),
        equal_columns("tagged_order_count", "order_count", "orders in the tags = orders in the marts"),
        equal_columns("tagged_spend_amount", "spend_amount", "spend in the tags = spend in the marts, to the cent"),
        zero("lifecycle_mismatch_count", "a prospect is a member without an order, and nobody else is"),
    ),
)

CATALOGUE = Suite(
    gate=GATE,
    subject=("tags", "tag_catalogue"),
    name="coverage",
    description="Every column of member_tags is in the catalogue, labelled in both languages.",
    sql="""
        select catalogue.tag_code, catalogue.label_zh, catalogue.label_en, catalogue.coverage_rate,
            (select count(*) from tags.tag_catalogue) as tag_count,
            (select count(*) from information_schema.columns where table_schema = 'tags' and table_name = 'member_tags'
                and column_name not in ('member_id', 'as_of_date')) as column_count,
            (select count(*) - count(distinct label_zh) + count(*) - count(distinct label_en) from tags.tag_catalogue)
                as shared_label_count
        from tags.tag_catalogue as catalogue
    """,
    expectations=(
        row_count(450, None, "the tags that need no categories of the brand are there"),
        zero("shared_label_count", "no two tags have the same label"),
        not_null("label_zh", "a Chinese label"),
        not_null("label_en", "an English label"),
        equal_columns("tag_count", "column_count", "catalogue and table have the same tags"),
        between("coverage_rate", 0, 1, "coverage is a share"),
    ),
)

HISTORY = Suite(
    gate=GATE,
    subject=("tags", "tag_history"),
    name="continuity",
    description="Every member has one open row of each family's history, unless this cut is older than the newest one kept.",
    sql=" union all ".join(
        f"""
        select '{family}' as family_code,
            (select count(*) from tags.tags_{family}) as member_count,
            case
                when exists (select 1 from tags.tags_{family}_history where valid_from > clocks.as_of_date)
                    then (select count(*) from tags.tags_{family})
                else (select count(*) from tags.tags_{family}_history where valid_to is null)
            end as open_row_count
        from intermediate.int_clocks_resolved as clocks
        """  # noqa: S608, names of our own
        for family in ("base", "transaction", "behaviour", "category")
    ),
    expectations=(
        equal_columns("member_count", "open_row_count", "every member has an open row"),
        row_count(4, 4, "four families speak for all"),
    ),
)

RFM = Suite(
    gate=GATE,
    subject=("segments", "seg_rfm"),
    name="shares",
    description="Quintiles are fifths, and no tier swallows the members.",
    sql="""
        with codes as (
            select 'tier' as kind, rfm_tier as code from segments.seg_rfm
            union all
            select 'recency_score', cast(recency_score as varchar) from segments.seg_rfm
        ),
        shares as (
            select kind, code, count(*) / sum(count(*)) over (partition by kind) as member_rate from codes group by kind, code
        )
        select kind, max(member_rate) as largest_member_rate, count(*) as code_count from shares group by kind
    """,
    expectations=(
        row_count(2, 2, "tiers and recency scores are there"),
        between("largest_member_rate", 0, 0.8, "no tier and no score holds more than 80 % of the members"),
        between("code_count", 2, 8, "between two and eight classes"),
    ),
)


TRACKING_EVENTS = Suite(
    gate=GATE,
    subject=("ops", "tracking_coverage"),
    name="as_planned",
    description="The events that the tracking plan names arrive, and no others. A gap warns: it is the senders' to mend.",
    sql="""
        select
            count(*) filter (where status = 'absent') as absent_event_count,
            count(*) filter (where status = 'unplanned') as unplanned_event_count
        from ops.tracking_coverage
    """,
    expectations=(
        zero(
            "absent_event_count", "every planned event arrived lately from every system that sends it", severity="warn"
        ),
        zero("unplanned_event_count", "no event arrives that nobody planned", severity="warn"),
    ),
)

TRACKING_PROPERTIES = Suite(
    gate=GATE,
    subject=("ops", "tracking_properties"),
    name="as_planned",
    description="Planned properties of events that arrive are filled, and filled with their type.",
    sql="""
        select
            count(*) filter (where status = 'absent') as absent_property_count,
            count(*) filter (where status = 'mistyped') as mistyped_property_count,
            count(*) filter (where status = 'incomplete') as incomplete_property_count
        from ops.tracking_properties
    """,
    expectations=(
        zero("absent_property_count", "every planned property is filled in some event", severity="warn"),
        zero("mistyped_property_count", "every value is of its planned type", severity="warn"),
        zero("incomplete_property_count", "a required property is never missing", severity="warn"),
    ),
)


def suites(entities: Collection[str], *, has_tracking_plan: bool = False) -> tuple[Suite, ...]:
    """Suites of the tags for a brand that has sources of these entities: nobody has a recency without orders."""
    return (
        MEMBER_TAGS,
        CATALOGUE,
        HISTORY,
        *((RFM,) if "order_lines" in entities else ()),
        *((TRACKING_EVENTS, TRACKING_PROPERTIES) if has_tracking_plan else ()),
    )
