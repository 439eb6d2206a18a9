"""Orders: money that adds up, states that follow each other, and presales, coupons, points and refunds within their rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated import CONFIG, Written, csv

from simulator.catalogue import build_catalogue
from simulator.orders import opening_hours
from simulator.randomness import scramble, split_exactly, within_group
from simulator.seasons import build_seasons, festival_windows, hour_curves

SHOPS = ("miniprogram", "app")


def test_split_adds_up_to_the_total_of_each_group() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(500), rng.integers(1, 6, 500))
    weights = rng.integers(0, 9_000, len(group))
    total = rng.integers(0, 100_000, 500)
    parts = split_exactly(total, weights, group)
    assert np.array_equal(np.bincount(group, weights=parts).astype(int), total)
    assert (parts >= 0).all()
    assert np.array_equal(split_exactly(np.array([7]), np.array([0, 0]), np.array([0, 0])), [0, 7])
    assert len(split_exactly(np.zeros(0), np.zeros(0), np.zeros(0, dtype=int))) == 0


def test_ids_are_never_the_same_for_two_numbers() -> None:
    numbers = np.arange(200_000)
    assert len(np.unique(scramble(numbers, 5))) == len(numbers)
    assert not np.array_equal(scramble(numbers, 5), scramble(numbers, 6))
    assert within_group(np.array([4, 4, 7, 9, 9, 9])).tolist() == [0, 1, 0, 0, 1, 2]


@pytest.mark.parametrize("system", SHOPS)
def test_heads_lines_and_payments_of_the_own_shops_agree(brand: Written, system: str) -> None:
    bad = brand.query(
        f"""with heads as (select * from {csv(system + "/orders.csv")}),
        lines as (
            select order_no, sum(goods_fen::int) as goods, sum(discount_fen::int) as discount, sum(platform_fen::int) as platform,
                sum(points_fen::int) as points, sum(paid_fen::int) as paid
            from {csv(system + "/order_items.csv")} group by 1
        ),
        payments as (
            select order_no, sum(amount::decimal(18, 2)) as paid, list(pay_type order by pay_type) as kinds
            from {csv(system + "/payments.csv")} group by 1
        )
        select h.order_no from heads h left join lines l using (order_no) left join payments p using (order_no)
        where l.goods is distinct from h.goods_fen::int or l.discount <> h.discount_fen::int or l.points <> h.points_fen::int
            or l.platform <> h.platform_fen::int or l.paid + h.freight_fen::int <> h.payable_fen::int
            or h.payable_fen::int < 0
            or (h.paid_at is not null and p.paid * 100 <> h.payable_fen::int)
            or (h.paid_at is not null and h.type = 'presale') <> (p.kinds = ['balance', 'deposit'])
            or (h.paid_at is null and p.kinds is not null and p.kinds <> ['deposit'])
            or (h.paid_at is null) <> (h.status in ('created', 'closed'))"""
    )
    assert bad == []
    assert brand.one(f"select count(*) from {csv(system + '/orders.csv')}") > 100


def test_tmall_presales_are_paid_after_the_sale_has_opened(brand: Written) -> None:
    kinds = dict(brand.query("select trade_type, count(*) from '{s}/tmall/orders/*.parquet' group by 1"))
    assert kinds["step"] > 10 and kinds["gift"] > 5
    (early,) = brand.query(
        "select count(*) from '{s}/tmall/orders/*.parquet' where trade_type = 'step' and pay_time < timestamp '2025-10-20 20:00'"
    )
    assert early == (0,)
    assert (
        brand.one(
            """select count(*) from (select tid, payment from '{s}/tmall/orders/*.parquet' where pay_time is not null group by all) o
        join (select order_no, sum(amount) as paid from '{s}/tmall/payments/*.parquet' group by 1) p on p.order_no = o.tid
        where p.paid <> o.payment"""
        )
        == 0
    )
    share = brand.one(
        """select avg(p.amount / o.payment) from (select distinct tid, payment from '{s}/tmall/orders/*.parquet') o
        join '{s}/tmall/payments/*.parquet' p on p.order_no = o.tid where p.pay_type = 'deposit'"""
    )
    assert 0.05 < share < 0.15


def test_coupons_and_platform_discounts_stack_in_a_sale(brand: Written) -> None:
    both = brand.one(
        "select count(*) from '{s}/tmall/orders/*.parquet' where platform_discount_fee > 0 and seller_discount_fee > 0"
    )
    assert both > 20
    outside = brand.one(
        "select count(*) from '{s}/tmall/orders/*.parquet' where platform_discount_fee > 0 and created < timestamp '2025-09-01'"
    )
    assert outside == 0


def test_refunds_stay_within_what_was_paid_but_for_those_planted(brand: Written) -> None:
    planted = {row[0] for row in brand.query("select row_key from '{t}/mess.parquet' where kind = 'refund_above_paid'")}
    found, total = set(), 0
    for system in SHOPS:
        rows = brand.query(
            f"""select r.refund_no, r.amount_fen::int as amount, coalesce(l.paid_fen::int, o.payable_fen::int) as paid
            from {csv(system + "/refunds.csv")} r join {csv(system + "/orders.csv")} o using (order_no)
            left join {csv(system + "/order_items.csv")} l on l.order_no = r.order_no and l.line_no = r.line_no"""
        )
        total += len(rows)
        found |= {number for number, amount, paid in rows if amount > paid}
    assert total > 30
    assert found and found <= planted
    assert {number for number in planted if number[:2] in ("MR", "AR")} == found


def test_refunds_are_full_and_partial_and_follow_the_purchase(brand: Written) -> None:
    rows = brand.query(
        f"""select r.line_no is null, r.requested_at >= o.created_at, r.status, r.refunded_at is null
        from {csv("miniprogram/refunds.csv")} r join {csv("miniprogram/orders.csv")} o using (order_no) where o.created_at is not null"""
    )
    assert {row[0] for row in rows} == {True, False}
    assert all(row[1] for row in rows)
    assert all((row[2] == "refunded") != row[3] for row in rows)


def test_points_never_fall_below_what_reversals_take(brand: Written) -> None:
    ledger = brand.query(
        "select account_no, points, balance, kind from '{s}/loyalty/points/*.parquet' order by account_no, booked_at, ledger_no"
    )
    frame = pd.DataFrame(ledger, columns=["account", "points", "balance", "kind"])
    assert (
        frame.groupby("account")["points"].cumsum() == frame["balance"]
    ).mean() > 0.999  # two bookings in one second
    assert (frame.groupby("account")["points"].sum() == frame.groupby("account")["balance"].last()).mean() > 0.999
    assert (frame["balance"] < 0).mean() < 0.01
    assert set(frame["kind"]) >= {"earn", "redeem", "adjust", "reverse"}
    spent = brand.one(f"select sum(points_fen::int) from {csv('miniprogram/orders.csv')} where paid_at is not null")
    assert spent > 0


def test_shops_are_shut_at_night(brand: Written) -> None:
    hours = brand.query(
        f"select distinct substr(sold_at, 9, 2)::int from {csv('pos/sales/*.psv', delimiter='|')} where sold_at is not null"
    )
    assert {hour for (hour,) in hours} <= set(range(10, 23))
    at = np.array([3 * 3600, 12 * 3600, 23 * 3600])
    moved = opening_hours(at, np.full(3, -(10**9)), 10**9)
    assert moved[1] == at[1] and ((moved >= 10 * 3600) & (moved < 22 * 3600)).all()


def test_festivals_lift_and_the_new_year_lowers_sales() -> None:
    seasons = build_seasons(CONFIG)
    windows = {w.festival.code: w for w in festival_windows(CONFIG)}
    assert "double_11" in windows and windows["double_11"].presale is not None
    opening = windows["double_11"].sale[0] // 3600
    usual = seasons.hour_purchase[:, : 24 * 30].mean()
    assert seasons.hour_purchase[:, opening : opening + 4].mean() > 8 * usual
    curves = hour_curves()
    assert np.allclose(curves.mean(axis=1), 1)
    assert curves.mean(axis=0).argmax() in (20, 21, 22)


def test_prices_change_and_a_category_moves(brand: Written) -> None:
    prices = brand.query(
        f"select sku, count(distinct list_price), count(distinct cat2_code) from {csv('products/*.csv')} group by 1"
    )
    assert sum(1 for _, count, _ in prices if count > 1) > 10
    assert {sku[:5] for sku, _, count in prices if count > 1} == {"LF101"}
    catalogue = build_catalogue(CONFIG)
    listed = catalogue.list_price(np.arange(len(catalogue.code)), np.full(len(catalogue.code), -1))
    assert np.array_equal(listed, catalogue.price[0])
