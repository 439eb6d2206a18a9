"""gate_raw: what landed may be staged. Types and nulls were judged row by row at landing; here whole batches are.

Which batches count is said by raw.current_batches: a corrected file is a new batch, and what it replaces must not keep the
gate closed for ever. What a row must be like belongs in the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.landing.contract import load_contract
from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import between, zero

GATE = "gate_raw"

_CURRENT = "batch_id in (select batch_id from raw.current_batches)"


@dataclass(frozen=True)
class QuarantineLimit:
    """What landing allows a file of an entity: a share of its rows (0 to 1), and that many rows whatever their share."""

    max_share: float
    tolerated_rows: int


def suites(limits: Mapping[str, QuarantineLimit]) -> tuple[Suite, ...]:
    """Suites for the contract entities that a brand has, with the limit of each."""
    contract = load_contract()
    checks = [_batches(entity, limit) for entity, limit in limits.items()]
    checks += [_clock(entity, clock) for entity in limits if (clock := contract[entity].clock)]
    return (*checks, *(suite for entity, suite in CONTENT.items() if entity in limits))


def _batches(entity: str, limit: QuarantineLimit) -> Suite:
    return Suite(
        gate=GATE,
        subject=("raw", entity),
        name="batches",
        description=f"Every row of every batch of {entity} is landed or quarantined, and few are quarantined.",
        # One row, also for an entity of which nothing has come in yet. The entity is one of the contract's names.
        sql=f"""
            with lake as (select batch_id, count(*) as lake_row_count from raw.{entity} group by batch_id),
            set_aside as (
                select distinct batch_id from raw.quarantine_reasons where reason like '%:missing_column'
            ),
            batches as (
                select load_batches.batch_id,
                    rows_in <> rows_landed + rows_quarantined as is_unaccounted,
                    rows_landed + rows_tombstoned + rows_carried <> coalesce(lake_row_count, 0) as is_mislaid,
                    current_batches.batch_id is not null as is_current,
                    set_aside.batch_id is not null as is_set_aside,
                    case when rows_quarantined > {limit.tolerated_rows} and replay_of is null
                        then rows_quarantined / (rows_in + rows_unchanged) else 0 end as quarantine_rate
                from raw.load_batches
                left join raw.current_batches on load_batches.batch_id = current_batches.batch_id
                left join lake on load_batches.batch_id = lake.batch_id
                left join set_aside on load_batches.batch_id = set_aside.batch_id
                where load_batches.entity = '{entity}'
            )
            select count(*) as batch_count,
                count(*) filter (where is_unaccounted) as unaccounted_batch_count,
                count(*) filter (where is_mislaid) as mislaid_batch_count,
                coalesce(max(quarantine_rate) filter (where is_current and not is_set_aside), 0) as quarantine_rate,
                count(*) filter (where is_current and is_set_aside) as set_aside_file_count
            from batches
        """,  # noqa: S608
        expectations=(
            between("batch_count", 1, None, "something has come in from the entity's sources", severity="warn"),
            zero("unaccounted_batch_count", "rows in = rows landed + rows quarantined, in every batch"),
            zero(
                "mislaid_batch_count",
                "the lake holds the rows that the batch landed, its tombstones and what it carried",
            ),
            between("quarantine_rate", 0, limit.max_share, "the quarantined share is within the brand's limit"),
            # The source's policy chose it, so nothing stops; but nobody should take the day for complete.
            zero("set_aside_file_count", "no file is set aside whole for a missing column", severity="warn"),
        ),
    )


def _clock(entity: str, clock: str) -> Suite:
    return Suite(
        gate=GATE,
        subject=("raw", entity),
        name="clock",
        description=f"What {entity} tell of happened in the past, and not before there were shops like this.",
        sql=f"""
            select
                count(*) filter (where {clock} > loaded_at + interval 1 day) as future_row_count,
                count(*) filter (where {clock} < timestamptz '1990-01-01 00:00:00+00') as ancient_row_count
            from raw.{entity} where {_CURRENT}
        """,  # noqa: S608
        expectations=(
            zero("future_row_count", "nothing happened after it was loaded: landing sets such rows aside"),
            zero("ancient_row_count", "nothing happened before 1990: an epoch of 0 is not a date"),
        ),
    )


ORDER_LINES = Suite(
    gate=GATE,
    subject=("raw", "order_lines"),
    name="content",
    description="There are order lines, in one currency, and their money has the sign of their kind.",
    sql=f"""
        select
            count(*) as line_count,
            count(*) filter (where line_kind = 'sale' and line_amount < 0) as negative_sale_count,
            count(*) filter (where line_kind = 'refund' and line_amount > 0) as positive_refund_count,
            count(distinct currency_code) as currency_count
        from raw.order_lines where not is_deleted and {_CURRENT}
    """,  # noqa: S608
    expectations=(
        between("line_count", 1, None, "there are order lines", severity="warn"),
        zero("negative_sale_count", "a sale does not take money away"),
        zero("positive_refund_count", "a refund does not bring money in"),
        between("currency_count", 0, 1, "one currency, because amounts are added up"),
    ),
)

REFUNDS = Suite(
    gate=GATE,
    subject=("raw", "refunds"),
    name="content",
    description="A refund is money that goes back: its amount has no sign.",
    sql=f"""
        select count(*) filter (where refund_amount < 0) as negative_amount_count
        from raw.refunds where not is_deleted and {_CURRENT}
    """,  # noqa: S608
    expectations=(zero("negative_amount_count", "the amount of a refund says how much goes back"),),
)

POINTS = Suite(
    gate=GATE,
    subject=("raw", "points"),
    name="content",
    description="Movements of points have the sign of their kind.",
    sql=f"""
        select
            count(*) filter (where point_kind = 'earn' and points < 0) as negative_earning_count,
            count(*) filter (where point_kind in ('redeem', 'expire') and points > 0) as positive_spending_count
        from raw.points where not is_deleted and {_CURRENT}
    """,  # noqa: S608
    expectations=(
        zero("negative_earning_count", "what is earned adds points"),
        zero("positive_spending_count", "what is redeemed or expires takes points away"),
    ),
)

EVENTS = Suite(
    gate=GATE,
    subject=("raw", "events"),
    name="content",
    description="Events are spread over time, and most of them say whose they are.",
    sql=f"""
        select
            case when count(*) > 1 then count(distinct occurred_at) else 2 end as instant_count,
            coalesce(avg(case when member_key is null and anonymous_key is null and session_key is null
                then 1.0 else 0.0 end), 0) as nobody_rate
        from raw.events where not is_deleted and {_CURRENT}
    """,  # noqa: S608
    expectations=(
        between("instant_count", 2, None, "not all events are of one instant: the time of export is not a clock"),
        between("nobody_rate", 0, 0.5, "most events name a member, a device or a session", severity="warn"),
    ),
)

COUPON_REDEMPTIONS = Suite(
    gate=GATE,
    subject=("raw", "coupon_redemptions"),
    name="content",
    description="Redemptions name coupons that exist.",
    sql=f"""
        select
            count(*) filter (where coupons.coupon_code is null and has_coupons.answer) as unknown_coupon_count
        from raw.coupon_redemptions as redemptions
        cross join (select count(*) > 0 as answer from raw.coupon_products where {_CURRENT}) as has_coupons
        left join (
            select distinct coupon_code, campaign_code from raw.coupon_products where {_CURRENT}
        ) as coupons
            on redemptions.coupon_code = coupons.coupon_code and redemptions.campaign_code = coupons.campaign_code
        where not redemptions.is_deleted and redemptions.{_CURRENT}
    """,  # noqa: S608
    expectations=(zero("unknown_coupon_count", "every redeemed coupon is one that a campaign issued"),),
)

# Entity → what must hold of its rows together.
CONTENT = {suite.subject[1]: suite for suite in (ORDER_LINES, REFUNDS, POINTS, EVENTS, COUPON_REDEMPTIONS)}
