"""gate_publish: the copy that readers would get is whole, agrees with itself, and did not shrink. Run on the staged copy."""

from __future__ import annotations

from collections.abc import Collection

from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import between, equal_columns, row_count, zero

GATE = "gate_publish"

# Direct identifiers never belong in the published file; a column of such a name stops the publication.
FORBIDDEN_COLUMNS = (
    "phone",
    "mobile",
    "email",
    "id_card",
    "id_number",
    "real_name",
    "full_name",
    "address",
    "openid",
    "unionid",
)

RECONCILIATION = Suite(
    gate=GATE,
    subject=("ops", "publication"),
    name="reconciliation",
    description="Rows and money agree from the files to the marts.",
    sql="select check_code, abs(difference) as difference from ops.reconciliation",
    expectations=(
        row_count(1, None, "there is a reconciliation"),
        zero("difference", "every level hands over exactly what it had"),
    ),
)

# What there must be rows of in the published file, for each entity that the brand has a source of.
_DEMANDED = {
    "order_lines": (("order_count", "there are orders"), ("sales_day_count", "there are daily sales")),
    "events": (("event_count", "there are behaviour events"),),
    "coupon_receipts": (("receipt_count", "there are coupon receipts"),),
}


def content(entities: Collection[str]) -> Suite:
    """What every published file must hold, and what this brand's must, which has sources of these entities."""
    demanded = [between(c, 1, None, m) for entity, pairs in _DEMANDED.items() if entity in entities for c, m in pairs]
    return Suite(
        gate=GATE,
        subject=("ops", "publication"),
        name="content",
        description="The tables that readers rely on are there, have rows, and hold no direct identifier.",
        sql=f"""
            select
                (select count(*) from marts.dim_members) as member_count,
                (select count(*) from tags.member_tags) as tagged_member_count,
                (select count(*) from marts.fct_orders) as order_count,
                (select count(*) from marts.fct_events where is_behaviour) as event_count,
                (select count(*) from marts.fct_coupon_receipts) as receipt_count,
                (select count(*) from ml.churn_scores) as churn_score_count,
                (select count(*) from ml.propensity_scores) as propensity_score_count,
                (select count(*) from metrics.agg_daily_sales) as sales_day_count,
                (select count(*) from ops.load_batches) as batch_count,
                (select count(*) from ops.gate_results where not is_passed and severity = 'error' and gate <> '{GATE}'
                    and run_id = (select max_by(run_id, checked_at) from ops.gate_results)) as failed_check_count,
                (select count(*) from information_schema.columns
                    where lower(column_name) in ({", ".join(f"'{name}'" for name in FORBIDDEN_COLUMNS)})) as identifier_column_count
        """,  # noqa: S608
        expectations=(
            equal_columns("member_count", "tagged_member_count", "every published member has tags"),
            *demanded,
            between("batch_count", 1, None, "the batches are listed"),
            zero("failed_check_count", "no blocking check of this run failed"),
            zero("identifier_column_count", "no column is named like a direct identifier"),
        ),
    )


def shrinkage(previous: dict[str, int], *, max_shrink_rate: float) -> Suite:
    """Compare with the row counts of the last publication (`schema.table` to rows): facts do not quietly disappear."""
    counts = " union all ".join(
        f"select '{table}' as table_name, {rows} as previous_row_count, (select count(*) from {table}) as row_count"  # noqa: S608
        for table, rows in sorted(previous.items())
    )
    return Suite(
        gate=GATE,
        subject=("ops", "publication"),
        name="shrinkage",
        description="No published fact or dimension lost more than the brand's `publish.max_shrink_rate` since the last publication.",
        sql=f"select table_name, row_count / greatest(previous_row_count, 1) as kept_rate from ({counts})",  # noqa: S608
        expectations=(
            between(
                "kept_rate",
                round(1 - max_shrink_rate, 6),
                None,
                "rows that were published before are still there; an intended "
                "correction of the sources needs a larger publish.max_shrink_rate in brand.yml for one run",
            ),
        ),
    )
