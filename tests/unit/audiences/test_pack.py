"""The eighteen audiences that every brand has: who is just in and who is just out, rule by rule."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from audience_world import AS_OF, CUT, World, members_of

from orchestration.audiences import grammar
from orchestration.audiences.catalogue import check, missing, read_catalogue
from orchestration.audiences.compile import Clock, membership_query
from orchestration.audiences.definitions import load_audiences
from orchestration.settings import PROJECT_ROOT, load_settings

PACK = PROJECT_ROOT / "brands" / "_shared" / "audiences"
IDS = {
    "aud_new7d_no_order",
    "aud_top10pct_spend",
    "aud_silent30_high_repurchase",
    "aud_silent30_viewed_skincare",
    "aud_high_active_low_buy",
    "aud_high_value_silent",
    "aud_high_engage_no_convert",
    "aud_price_sensitive",
    "aud_new_product_fan",
    "aud_cart_abandon_24h",
    "aud_post90s_f_high_basket_repeat",
    "aud_high_potential_campaign",
    "aud_high_active_members",
    "aud_silence_warning",
    "aud_frequent_buyers",
    "aud_low_potential",
    "aud_category_fan_high_spend",
    "aud_core_repurchasers",
}
TAGS = {
    "spend_amount_365d": "decimal(18, 2)",
    "purchase_day_count_365d": "integer",
    "purchase_day_count_90d": "integer",
    "order_count_90d": "integer",
    "order_count_365d": "integer",
    "days_since_last_order": "integer",
    "coupon_order_rate_365d": "double",
    "average_order_amount_365d": "decimal(18, 2)",
    "top_category_share_365d": "double",
    "category_count_365d": "integer",
}
Case = tuple[World, set[str]]


def noon(age: int) -> datetime:
    """Midday of the business date of this age; 1 is the last known day."""
    return CUT - timedelta(days=age) + timedelta(hours=12)


def world() -> World:
    return World(tag_types=TAGS)


def seen(w: World, member: str, ages: range | list[int], name: str = "view", **columns: Any) -> None:
    for age in ages:
        w.event(member, name, noon(age), **columns)


def new7d_no_order() -> Case:
    w = world()
    w.member("day_1", registered_at=noon(1))
    w.member("day_7_begins", registered_at=CUT - timedelta(days=7))
    w.member("day_8_ends", registered_at=CUT - timedelta(days=7, seconds=1))
    w.member("tomorrow", registered_at=CUT)
    w.order(w.member("ordered", registered_at=noon(3)), noon(2))
    w.order(w.member("ordered_invalid", registered_at=noon(3)), noon(2), is_valid=False)
    w.order(w.member("ordered_long_ago", registered_at=noon(3)), noon(300))
    w.order(w.member("orders_tomorrow", registered_at=noon(3)), CUT + timedelta(hours=1))
    w.member("unknown", registered_at=None)
    w.member("tester", registered_at=noon(3), account_flag="test")
    return w, {"day_1", "day_7_begins", "ordered_invalid", "orders_tomorrow"}


def top10pct_spend() -> Case:
    """Twenty spenders make two places; the second place is shared by three: all are in. Who spent nothing makes no place."""
    w = world()
    for n, spend in enumerate([900, 800, 800, 800, *range(100, 116)]):
        w.tag(w.member(f"s{n:02d}"), spend_amount_365d=spend)
    for n in range(30):
        w.tag(w.member(f"zero{n:02d}"), spend_amount_365d=0)
    w.tag(w.member("nothing_known"), spend_amount_365d=None)
    return w, {"s00", "s01", "s02", "s03"}


def silent30_high_repurchase() -> Case:
    w = world()
    for member, days, age, kind in [
        ("silent", 4, 31, "view"),
        ("seen_on_day_30", 4, 30, "view"),
        ("seen_on_day_29", 4, 29, "view"),
        ("three_days", 3, 31, "view"),
        ("ordered_on_day_30", 4, 30, "order"),
        ("ordered_on_day_31", 4, 31, "order"),
    ]:
        w.tag(w.member(member), purchase_day_count_365d=days)
        w.order(member, noon(age)) if kind == "order" else w.event(member, kind, noon(age))
    w.event("silent", "view", noon(3), is_bot=True)
    return w, {"silent", "ordered_on_day_31"}


def silent30_viewed_skincare() -> Case:
    w = world()
    w.products = [
        {"product_id": "cream", "category_l1_name": "护肤"},
        {"product_id": "lipstick", "category_l1_name": "彩妆"},
    ]
    for member, login, view, product, ordered in [
        ("just_silent", 31, 90, "cream", 31),
        ("login_day_30", 30, 90, "cream", None),
        ("login_day_29", 29, 90, "cream", None),
        ("view_day_91", 31, 91, "cream", None),
        ("other_category", 31, 5, "lipstick", None),
        ("never_logged_in", None, 5, "cream", None),
        ("ordered_day_30", 31, 5, "cream", 30),
    ]:
        w.member(member)
        w.event(member, "view", noon(view), product_id=product)
        if login:
            w.event(member, "login", noon(login))
        if ordered:
            w.order(member, noon(ordered))
    return w, {"just_silent", "never_logged_in"}


def high_active_low_buy() -> Case:
    w = world()
    for member, days, last, orders in [
        ("eight_days", 8, 30, 1),
        ("seven_days", 7, 30, 0),
        ("eighth_on_day_31", 8, 31, 0),
        ("two_orders", 8, 30, 2),
    ]:
        w.tag(w.member(member), order_count_90d=orders)
        seen(w, member, [*range(1, days), last])
    seen(w, "seven_days", [1, 1, 1])
    return w, {"eight_days"}


def high_value_silent() -> Case:
    """Ten spenders make two places."""
    w = world()
    for n, days in enumerate([61, 60, 200, *([90] * 7)]):
        w.tag(w.member(f"s{n}"), spend_amount_365d=1000 - n, days_since_last_order=days)
    w.tag(w.member("never"), spend_amount_365d=0, days_since_last_order=None)
    return w, {"s0"}


def high_engage_no_convert() -> Case:
    w = world()
    for member, ages, ordered in [
        ("three_days", [1, 2, 30], None),
        ("third_on_day_31", [1, 2, 31], None),
        ("three_times_one_day", [1, 1, 1], None),
        ("ordered_day_180", [1, 2, 3], 180),
        ("ordered_day_181", [1, 2, 3], 181),
    ]:
        seen(w, w.member(member), ages, "cart")
        if ordered:
            w.order(member, noon(ordered))
    for name in ("cart", "favourite", "share"):
        w.event("third_on_day_31", name, noon(2))  # three kinds of it on one day are no three days
    seen(w, w.member("searches"), [5, 6, 7], "search")
    for name in ("content_like", "share", "favourite"):
        seen(w, w.member(f"likes_{name}"), [1, 2], name)
    return w, {"three_days", "ordered_day_181", "searches"}


def price_sensitive() -> Case:
    w = world()
    for member, rate, ages in [
        ("half_of_two", 0.5, [1, 365]),
        ("below_half", 0.49, [1, 365]),
        ("one_order", 1.0, [1]),
        ("second_on_day_366", 1.0, [1, 366]),
    ]:
        w.tag(w.member(member), coupon_order_rate_365d=rate)
        for age in ages:
            w.order(member, noon(age))
    return w, {"half_of_two"}


def new_product_fan() -> Case:
    w = world()
    w.products = [{"product_id": "new", "product_code": "N", "launch_date": AS_OF - timedelta(days=61)}]
    seen(w, w.member("views_day_59"), [2] * 5, product_id="new")  # 59 days after its launch: the last day it is new
    seen(w, w.member("views_day_60"), [1] * 5, product_id="new")
    seen(w, w.member("four_views"), [2] * 4, product_id="new")
    w.line(w.order(w.member("buys_day_59"), noon(2)), "new")
    w.line(w.order(w.member("buys_day_60"), noon(1)), "new")
    w.line(w.order(w.member("gets_it_free"), noon(2)), "new", line_kind="gift")
    w.line(w.order(w.member("buys_before"), noon(62)), "new")
    return w, {"views_day_59", "buys_day_59"}


def cart_abandon_24h() -> Case:
    w = world()
    hour = timedelta(hours=1)
    for member, cart, order in [
        ("never_ordered", noon(3), None),
        ("ordered_after_23h", noon(3), noon(3) + 23 * hour),
        ("ordered_at_24h", noon(3), noon(3) + 24 * hour),
        ("ordered_after_25h", noon(3), noon(3) + 25 * hour),
        ("ordered_before", noon(3), noon(3) - hour),
        ("at_one_moment", noon(3), noon(3)),
        ("day_7", CUT - timedelta(days=7), None),
        ("day_8", CUT - timedelta(days=7, seconds=1), None),
        ("over_at_the_cut", CUT - 24 * hour, None),
        ("not_over_yet", CUT - 24 * hour + timedelta(seconds=1), None),
    ]:
        w.event(w.member(member), "cart", cart)
        if order:
            w.order(member, order)
    w.event("ordered_after_23h", "cart", noon(6))  # and another, which nobody bought
    return w, {
        "never_ordered",
        "ordered_after_23h",
        "ordered_after_25h",
        "ordered_before",
        "at_one_moment",
        "day_7",
        "over_at_the_cut",
    }


def post90s_f_high_basket_repeat() -> Case:
    w = world()
    for member, gender, band, basket, days in [
        ("in_25", "female", "25-29", 300, 3),
        ("in_30", "female", "30-34", 500, 9),
        ("older", "female", "35-39", 500, 9),
        ("younger", "female", "18-24", 500, 9),
        ("man", "male", "25-29", 500, 9),
        ("unknown", "unknown", "25-29", 500, 9),
        ("basket_299", "female", "25-29", 299.99, 3),
        ("two_days", "female", "25-29", 300, 2),
        ("no_basket", "female", "25-29", None, 3),
    ]:
        w.tag(
            w.member(member, gender=gender, age_band=band),
            average_order_amount_365d=basket,
            purchase_day_count_365d=days,
        )
    return w, {"in_25", "in_30"}


def high_potential_campaign() -> Case:
    """Ten scored members make two places; the second is shared."""
    w = world()
    for n, (score, age) in enumerate([(0.9, 14), (0.8, 1), (0.8, 15), *[(0.1, 1)] * 7]):
        w.event(w.member(f"s{n}"), "view", noon(age))
        w.propensity.append({"member_id": f"s{n}", "score": score, "as_of_date": AS_OF})
    w.event(w.member("yesterdays_score"), "view", noon(1))
    w.propensity.append({"member_id": "yesterdays_score", "score": 1.0, "as_of_date": AS_OF - timedelta(1)})
    return w, {"s0", "s1"}


def high_active_members() -> Case:
    w = world()
    seen(w, w.member("eight", tier_name="V1"), range(23, 31))
    seen(w, w.member("seven_and_day_31", tier_name="V1"), range(24, 32))
    seen(w, w.member("without_tier"), range(1, 20))
    seen(w, w.member("exposed_only", tier_name="V1"), range(1, 20), is_behaviour=False)
    return w, {"eight"}


def silence_warning() -> Case:
    w = world()
    for member, orders, ages in [
        ("day_15", 2, [15]),
        ("day_30", 2, [30]),
        ("day_31", 2, [31]),
        ("day_14_too", 2, [14, 20]),
        ("one_order", 1, [20]),
    ]:
        w.tag(w.member(member), order_count_365d=orders)
        seen(w, member, ages)
    w.tag(w.member("ordered_day_14"), order_count_365d=2)
    seen(w, "ordered_day_14", [20])
    w.order("ordered_day_14", noon(14))
    return w, {"day_15", "day_30"}


def frequent_buyers() -> Case:
    w = world()
    w.tag(w.member("three"), purchase_day_count_90d=3)
    w.tag(w.member("two"), purchase_day_count_90d=2)
    w.member("untagged")
    return w, {"three"}


def low_potential() -> Case:
    """Of ten scored members eight have a place among the upper four fifths."""
    w = world()
    for n in range(10):
        w.member(f"s{n}")
        w.propensity.append({"member_id": f"s{n}", "score": n / 10, "as_of_date": AS_OF})
    w.event("s0", "view", noon(31))
    w.event("s1", "view", noon(30))
    w.event("s2", "view", noon(31))
    w.event(w.member("unscored"), "view", noon(90))
    return w, {"s0"}


def category_fan_high_spend() -> Case:
    """Ten spenders make three places, the third of them shared."""
    w = world()
    for n, (spend, share, categories) in enumerate(
        [(900, 0.6, 2), (800, 0.59, 2), (700, 0.9, 3), (700, 1.0, 1), *[(10, 0.9, 2)] * 6]
    ):
        w.tag(w.member(f"s{n}"), spend_amount_365d=spend, top_category_share_365d=share, category_count_365d=categories)
    return w, {"s0", "s2"}


def core_repurchasers() -> Case:
    w = world()
    for member, days, age in [("six", 6, 90), ("five", 5, 1), ("day_91", 6, 91), ("tomorrow", 6, 0)]:
        w.tag(w.member(member), purchase_day_count_365d=days)
        w.order(member, noon(age))
    return w, {"six"}


CASES = {
    f"aud_{case.__name__}": case
    for case in (
        new7d_no_order,
        top10pct_spend,
        silent30_high_repurchase,
        silent30_viewed_skincare,
        high_active_low_buy,
        high_value_silent,
        high_engage_no_convert,
        price_sensitive,
        new_product_fan,
        cart_abandon_24h,
        post90s_f_high_basket_repeat,
        high_potential_campaign,
        high_active_members,
        silence_warning,
        frequent_buyers,
        low_potential,
        category_fan_high_spend,
        core_repurchasers,
    )
}


def where_of(audience_id: str) -> Any:
    return yaml.safe_load((PACK / f"{audience_id}.yml").read_text(encoding="utf-8"))["where"]


def test_the_pack_is_the_eighteen() -> None:
    assert {path.stem for path in PACK.glob("*.yml")} == IDS == set(CASES)


@pytest.mark.parametrize("audience_id", sorted(IDS))
def test_borders(audience_id: str) -> None:
    """Both the query and the second reading take in exactly who is just in."""
    made, expected = CASES[audience_id]()
    rule = where_of(audience_id)
    assert members_of(rule, made) == expected
    with duckdb.connect(":memory:") as connection:
        made.write(connection)
        query = membership_query(
            {audience_id: grammar.parse_rule(rule)}, read_catalogue(connection, AS_OF), Clock(AS_OF)
        )
        assert {member for _, member in connection.execute(query.sql, query.parameters).fetchall()} == expected


def test_the_pack_names_what_a_full_brand_has() -> None:
    """A misspelt tag or event of the pack would make an audience unavailable everywhere, and nobody would know why."""
    w = world()
    w.products = [{"product_id": "p", "category_l1_name": "护肤", "launch_date": date(2026, 1, 1)}]
    w.tag(
        w.member("m", gender="female", age_band="25-29", tier_name="V1", registered_at=noon(1)),
        **dict.fromkeys(TAGS, 1),
    )
    w.order("m", noon(1))
    w.propensity.append({"member_id": "m", "score": 0.5, "as_of_date": AS_OF})
    for name in ("view", "cart", "login", "favourite", "share", "content_like", "search"):
        w.event("m", name, noon(1))
    with duckdb.connect(":memory:") as connection:
        w.write(connection)
        catalogue = read_catalogue(connection, AS_OF)
    for audience in load_audiences(load_settings("cdnow", {})).values():
        assert (check(audience.rule, catalogue), missing(audience.rule, catalogue)) == ([], []), audience.audience_id


def test_every_rule_quotes_where_it_comes_from() -> None:
    for path in sorted(Path(PACK).glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert document["source"].startswith("S-"), path.name
        assert "/" in document["goal"], path.name
