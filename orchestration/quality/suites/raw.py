"""gate_raw: what landed may be staged. Types and nulls were judged row by row at landing; here whole batches are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import between, equal_columns, row_count, zero

GATE = "gate_raw"


# The rows that count: a corrected file is a new batch, and what it replaces must not keep the gate closed for ever.
_CURRENT = """
    current_batches as (
        select batch_id, entity from raw.load_batches
        qualify row_number() over (
            partition by entity, source_system, source_file order by loaded_at desc, batch_id desc
        ) = 1
    )
"""


@dataclass(frozen=True)
class QuarantineLimit:
    """What landing allows a file of an entity: a share of its rows (0 to 1), and that many rows whatever their share."""

    max_share: float
    tolerated_rows: int


def suites(limits: Mapping[str, QuarantineLimit]) -> tuple[Suite, ...]:
    """Suites for the contract entities that a brand has, with the limit of each."""
    checks = [_batches(entity, limit) for entity, limit in limits.items()]
    if "order_lines" in limits:
        checks.append(ORDER_LINES)
    if "coupon_redemptions" in limits:
        checks.append(COUPON_REDEMPTIONS)
    return tuple(checks)


def _batches(entity: str, limit: QuarantineLimit) -> Suite:
    return Suite(
        gate=GATE,
        subject=("raw", entity),
        name="batches",
        description=f"Every row of every batch of {entity} is landed or quarantined, and few are quarantined.",
        # The entity is one of the contract's names, checked when the configuration was read.
        sql=f"""
            with {_CURRENT}
            select batches.batch_id, batches.rows_in, batches.rows_landed + batches.rows_quarantined as rows_accounted,
                batches.rows_landed, coalesce(lake.lake_row_count, 0) as lake_row_count,
                case when current_batches.batch_id is not null and batches.rows_quarantined > {limit.tolerated_rows}
                    then batches.rows_quarantined / batches.rows_in else 0 end as quarantine_rate
            from raw.load_batches as batches
            left join current_batches on batches.batch_id = current_batches.batch_id
            left join (select batch_id, count(*) as lake_row_count from raw.{entity} group by batch_id) as lake
                on batches.batch_id = lake.batch_id
            where batches.entity = '{entity}'
        """,  # noqa: S608
        expectations=(
            row_count(1, None, "at least one batch has landed"),
            equal_columns("rows_in", "rows_accounted", "rows in = rows landed + rows quarantined"),
            equal_columns("rows_landed", "lake_row_count", "the lake holds as many rows as the batch says it landed"),
            between("quarantine_rate", 0, limit.max_share, "the quarantined share is within the brand's limit"),
        ),
    )


ORDER_LINES = Suite(
    gate=GATE,
    subject=("raw", "order_lines"),
    name="content",
    description="Order lines are dated in the past and their money has the sign of their kind.",
    sql=f"""
        with {_CURRENT}
        select
            count(*) as line_count,
            count(*) filter (where ordered_at > loaded_at + interval 1 day) as future_line_count,
            count(*) filter (where ordered_at < timestamptz '1990-01-01 00:00:00+00') as ancient_line_count,
            count(*) filter (where line_kind = 'sale' and line_amount < 0) as negative_sale_count,
            count(*) filter (where line_kind = 'refund' and line_amount > 0) as positive_refund_count,
            count(distinct currency_code) as currency_count
        from raw.order_lines where batch_id in (select batch_id from current_batches)
    """,  # noqa: S608
    expectations=(
        between("line_count", 1, None, "there are order lines"),
        zero("future_line_count", "no line is dated after it was loaded"),
        zero("ancient_line_count", "no line is dated before 1990: an epoch of 0 is not a date"),
        zero("negative_sale_count", "a sale does not take money away"),
        zero("positive_refund_count", "a refund does not bring money in"),
        between("currency_count", 1, 1, "one currency, because amounts are added up"),
    ),
)

COUPON_REDEMPTIONS = Suite(
    gate=GATE,
    subject=("raw", "coupon_redemptions"),
    name="content",
    description="Redemptions name coupons that exist.",
    sql=f"""
        with {_CURRENT}
        select
            count(*) as redemption_count,
            count(*) filter (where coupons.coupon_code is null) as unknown_coupon_count
        from raw.coupon_redemptions as redemptions
        left join (
            select distinct coupon_code, campaign_code from raw.coupon_products
            where batch_id in (select batch_id from current_batches)
        ) as coupons
            on redemptions.coupon_code = coupons.coupon_code and redemptions.campaign_code = coupons.campaign_code
        where redemptions.batch_id in (select batch_id from current_batches)
    """,  # noqa: S608
    expectations=(
        between("redemption_count", 1, None, "there are redemptions"),
        zero("unknown_coupon_count", "every redeemed coupon is one that a campaign issued"),
    ),
)
