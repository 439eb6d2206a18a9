"""gate_marts: what needs more than a dbt test — shares, totals and agreement between tables."""

from __future__ import annotations

from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import between, equal_columns, row_count, zero

GATE = "gate_marts"

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
            (select count(*) from staging.stg_order_lines) as staged_line_count,
            (select count(*) from marts.fct_order_lines) + (select count(*) from marts.fct_refunds) as mart_line_count,
            (select sum(line_amount) from staging.stg_order_lines) as staged_amount,
            (select sum(line_amount) from marts.fct_order_lines)
                - (select coalesce(sum(refund_amount), 0) from marts.fct_refunds) as mart_amount,
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
    sql="""
        select count(*) as redemption_count, count(*) filter (where is_order_matched) / greatest(count(*), 1) as matched_rate
        from marts.fct_coupon_redemptions
    """,
    expectations=(
        between("matched_rate", 0.95, 1, "at least 95 % of redemptions have an order of the member that day"),
    ),
)


def suites(*, has_redemptions: bool) -> tuple[Suite, ...]:
    """Suites of the marts; redemptions are judged only where the brand has them."""
    return (ORDERS, LINES, REDEMPTIONS) if has_redemptions else (ORDERS, LINES)
