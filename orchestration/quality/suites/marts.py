"""gate_marts: what needs more than a dbt test — shares, totals and agreement between tables.

A suite is asked only of a brand that has a source of what the suite speaks of; what it has a source of, it must have rows of.
"""

from __future__ import annotations

from collections.abc import Collection

from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import between, equal_columns, row_count, zero

GATE = "gate_marts"

COVERAGE = Suite(
    gate=GATE,
    subject=("intermediate", "int_rows_dated"),
    name="coverage",
    description="Whatever the brand has a source of has rows; without a source nothing is demanded.",
    sql="""
        select contract.entity, coalesce(sum(rows.row_count), 0) as entity_row_count
        from config.contract_entities as contract
        left join intermediate.int_rows_dated as rows on contract.entity = rows.entity
        where contract.is_mapped
        group by contract.entity
    """,
    expectations=(
        row_count(1, None, "the brand has sources"),
        between("entity_row_count", 1, None, "every entity that has a source has rows"),
    ),
)

MEMBERS = Suite(
    gate=GATE,
    subject=("marts", "dim_members"),
    name="accounts",
    description="Members are people: test, internal and robot accounts are the exception.",
    sql="""
        select count(*) filter (where account_flag <> 'normal') / greatest(count(*), 1) as flagged_rate from marts.dim_members
    """,
    expectations=(
        between(
            "flagged_rate", 0, 0.2, "at most a fifth of the accounts are flagged; more means that a mapping is wrong"
        ),
    ),
)

ORDERS = Suite(
    gate=GATE,
    subject=("marts", "fct_orders"),
    name="daily_profile",
    description="No business date sells nothing but errors: counts, amounts and buyers are plausible on every date.",
    sql="""
        select business_date, count(*) as order_count, sum(gross_amount) as gross_amount,
            count(distinct member_id) as buyer_count,
            count(*) filter (where member_id is not null) as member_order_count
        from marts.fct_orders group by business_date
    """,
    expectations=(
        row_count(1, None, "there are business dates"),
        between("order_count", 1, None, "a date in the table has orders"),
        between("gross_amount", 0, None, "a day's gross is not negative"),
    ),
)

LINES = Suite(
    gate=GATE,
    subject=("marts", "fct_order_lines"),
    name="agreement",
    description="Lines, orders, refunds and staging tell the same story.",
    sql="""
        select
            (select count(*) from staging.stg_order_lines where not is_deleted) as staged_line_count,
            (select count(*) from marts.fct_order_lines)
                + (select count(*) from marts.fct_refunds where source_entity = 'order_lines') as mart_line_count,
            (select sum(line_amount) from staging.stg_order_lines where not is_deleted) as staged_amount,
            (select sum(line_amount) from marts.fct_order_lines)
                - (select coalesce(sum(refund_amount), 0) from marts.fct_refunds where source_entity = 'order_lines') as mart_amount,
            (select count(*) from marts.fct_order_lines as lines anti join marts.dim_products as products
                on lines.product_id = products.product_id) as unknown_product_count,
            (select count(*) from marts.fct_order_lines as lines anti join marts.dim_members as members
                on lines.member_id = members.member_id where lines.member_id is not null) as unknown_member_count,
            (select count(*) filter (where is_valid) / count(*) from marts.fct_orders) as valid_order_rate
    """,
    expectations=(
        equal_columns("staged_line_count", "mart_line_count", "every staged line is an order line or a refund"),
        equal_columns("staged_amount", "mart_amount", "money: staged lines = order lines - refunds, exactly"),
        zero("unknown_product_count", "every line's product is in dim_products"),
        zero("unknown_member_count", "every line's member is in dim_members"),
        between("valid_order_rate", 0.5, 1, "most orders are purchases; fewer means that amounts were mapped wrongly"),
    ),
)

REDEMPTIONS = Suite(
    gate=GATE,
    subject=("marts", "fct_coupon_redemptions"),
    name="agreement",
    description="Redemptions fall on days on which their member shopped: the check that notices a wrong time zone.",
    # Where coupons and orders come from different systems, their members are the same ones only after One-ID.
    sql="""
        select count(*) as redemption_count,
            coalesce(count(*) filter (where is_order_matched) / nullif(count(*), 0), 1) as matched_rate
        from marts.fct_coupon_redemptions where source_system in (select source_system from marts.fct_orders)
    """,
    expectations=(
        between("matched_rate", 0.95, 1, "at least 95 % of redemptions have an order of the member that day"),
    ),
)


REFUNDS = Suite(
    gate=GATE,
    subject=("marts", "fct_refunds"),
    name="agreement",
    description="Refunds of a refund file are all there, to the cent, and most name an order that is known.",
    sql="""
        select
            (select count(*) from staging.stg_refunds where refund_status = 'refunded' and not is_deleted) as staged_refund_count,
            count(*) as mart_refund_count,
            (select coalesce(sum(refund_amount), 0) from staging.stg_refunds
                where refund_status = 'refunded' and not is_deleted) as staged_refund_amount,
            coalesce(sum(refund_amount), 0) as mart_refund_amount,
            count(*) filter (where is_original_matched) / nullif(count(*), 0) as known_order_rate
        from marts.fct_refunds where source_entity = 'refunds'
    """,
    expectations=(
        equal_columns("staged_refund_count", "mart_refund_count", "every refund that was paid is in the marts"),
        equal_columns("staged_refund_amount", "mart_refund_amount", "money: refunds that were paid = refunds, exactly"),
        # Orders from before the brand's history began may be refunded in it.
        between("known_order_rate", 0.8, 1, "most refunded orders are known", severity="warn"),
    ),
)

EVENTS = Suite(
    gate=GATE,
    subject=("marts", "fct_events"),
    name="behaviour",
    description="Behaviour is all there, of known members and products, on the brand's days, and counts no purchase twice.",
    sql="""
        select
            (select count(*) from staging.stg_events where not is_deleted) as staged_event_count,
            count(*) filter (where is_behaviour) as mart_event_count,
            count(*) filter (where is_behaviour and is_outside_calendar)
                / greatest(count(*) filter (where is_behaviour), 1) as outside_calendar_rate,
            count(*) filter (where is_behaviour and is_bot) / greatest(count(*) filter (where is_behaviour), 1) as bot_rate,
            count(*) filter (where is_behaviour and member_id is null and anonymous_id is null)
                / greatest(count(*) filter (where is_behaviour), 1) as nobody_rate,
            count(*) filter (where is_behaviour and event_name = 'purchase')
                * (select least(count(*), 1) from marts.fct_orders) as purchase_counted_twice_count
        from marts.fct_events
    """,
    expectations=(
        equal_columns("staged_event_count", "mart_event_count", "every staged event is in the marts"),
        between(
            "outside_calendar_rate",
            0,
            0.05,
            "at most 5 % of the events lie outside the brand's calendar; more means that the "
            "calendar or the time zone of a source is wrong",
        ),
        between("bot_rate", 0, 0.5, "people make most of the events", severity="warn"),
        between("nobody_rate", 0, 0.5, "most events know a member or a device", severity="warn"),
        zero("purchase_counted_twice_count", "a brand with orders has no purchase from behaviour beside them"),
    ),
)

RECEIPTS = Suite(
    gate=GATE,
    subject=("marts", "fct_coupon_receipts"),
    name="agreement",
    description="Coupons that were handed out are all there, and their terms can be.",
    sql="""
        select
            (select count(*) from staging.stg_coupon_receipts where not is_deleted) as staged_receipt_count,
            count(*) as mart_receipt_count,
            count(*) filter (where discount_rate < 0 or discount_rate > 1) as impossible_discount_count
        from marts.fct_coupon_receipts
    """,
    expectations=(
        equal_columns("staged_receipt_count", "mart_receipt_count", "every staged receipt is in the marts"),
        zero("impossible_discount_count", "a coupon takes off between nothing and everything"),
    ),
)


def suites(entities: Collection[str]) -> tuple[Suite, ...]:
    """Suites of the marts for a brand that has sources of these entities."""
    chosen = [COVERAGE, MEMBERS]
    if "order_lines" in entities:
        chosen += [ORDERS, LINES]
        # Which day a coupon was used on can be held against orders only.
        chosen += [REDEMPTIONS] if "coupon_redemptions" in entities else []
    for entity, suite in (("refunds", REFUNDS), ("events", EVENTS), ("coupon_receipts", RECEIPTS)):
        if entity in entities:
            chosen.append(suite)
    return tuple(chosen)
