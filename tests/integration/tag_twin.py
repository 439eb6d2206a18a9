"""Every tag once more, in plain Python from the facts: what member_tags is compared with.

Written from what the tags' labels say, member by member, without SQL but to fetch a member's rows. A tag that is declared and not here
fails `test_tags.py` by name: add it where its family is.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

Row = dict[str, Any]
CENT = Decimal("0.01")
WINDOWS = (1, 7, 14, 30, 60, 90, 180, 365)


@dataclass(frozen=True)
class World:
    """What the twin needs to know beside a member's own rows."""

    as_of_date: date
    zone: ZoneInfo
    entities: frozenset[str]
    categories: list[tuple[str, str]]  # code, name as the products have it
    products: dict[str, Row]
    calendar: dict[date, Row]
    open_rates: dict[str, float | None]


def rows(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> list[Row]:
    cursor = connection.execute(sql, list(parameters))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def world_of(
    connection: duckdb.DuckDBPyConnection, zone: str, entities: Iterable[str], categories: list[tuple[str, str]]
) -> World:
    cut = connection.execute("select max(as_of_date) from tags.member_tags").fetchone()
    assert cut
    year = [cut[0] - timedelta(365), cut[0]]
    rates: dict[str, Counter[str]] = {}
    for touch in rows(
        connection,
        "select channel, touch_type, count(*) as n from marts.fct_touches where member_id is not null and not is_holdout "
        "and business_date >= ? and business_date < ? group by all",
        *year,
    ):
        rates.setdefault(touch["channel"], Counter())[touch["touch_type"]] += touch["n"]
    return World(
        cut[0],
        ZoneInfo(zone),
        frozenset(entities),
        categories,
        {p["product_id"]: p for p in rows(connection, "select * from marts.dim_products")},
        {d["calendar_date"]: d for d in rows(connection, "select * from reference.ref_calendar_days")},
        {channel: counts["opened"] / counts["sent"] if counts["sent"] else None for channel, counts in rates.items()},
    )


def money(amount: Decimal) -> Decimal:
    return Decimal(amount).quantize(CENT, ROUND_HALF_UP)


def share(part: float | Decimal, whole: float | Decimal) -> float | None:
    return float(part) / float(whole) if whole else None


def mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return sum(values) / len(values) if values else None


def newest(dates: Iterable[date]) -> date | None:
    return max(dates, default=None)


class Facts:
    """A member's rows of one table before the cut; `age` is 1 for the last known day."""

    def __init__(self, found: list[Row], world: World) -> None:
        self.all = [
            r | {"age": (world.as_of_date - r["business_date"]).days}
            for r in found
            if r["business_date"] < world.as_of_date
        ]

    def within(self, days: int) -> list[Row]:
        return [row for row in self.all if row["age"] <= days]

    def where(self, holds: Callable[[Row], object]) -> Facts:
        chosen = Facts.__new__(Facts)
        chosen.all = [row for row in self.all if holds(row)]
        return chosen

    def dates(self) -> list[date]:
        return [row["business_date"] for row in self.all]


class Twin:
    """The tags of one member."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, world: World, member: str) -> None:
        self.w, self.member, self.tags = world, member, {}
        fetch = lambda table, condition="true": Facts(  # noqa: E731
            rows(connection, f"select * from {table} where member_id = ? and {condition}", member), world
        )
        (self.profile,) = rows(connection, "select * from marts.dim_members where member_id = ?", member)
        self.consents = rows(
            connection,
            "select * from marts.dim_consents_history where member_id = ? and is_current and purpose = 'marketing'",
            member,
        )
        self.orders = fetch("marts.fct_orders", "is_valid")
        self.lines = fetch(
            "marts.fct_order_lines", "line_kind = 'sale' and product_kind not in ('service', 'gift') and not is_void"
        )
        self.refunds = fetch("marts.fct_refunds", "is_counted")
        self.events = fetch("marts.fct_events", "is_behaviour and not is_bot and not is_internal")
        self.sessions = fetch("marts.fct_sessions", "not is_bot and not is_internal")
        self.touches = fetch("marts.fct_touches")
        self.receipts = fetch("marts.fct_coupon_receipts")
        self.redemptions = fetch("marts.fct_coupon_redemptions")
        self.points = fetch("marts.fct_points")
        self.tiers = fetch("marts.fct_tier_changes")
        self.reviews = fetch("marts.fct_reviews")
        self.tickets = fetch("marts.fct_service_tickets")
        self.states = rows(
            connection, "select * from marts.fct_lifecycle_states where member_id = ? and is_current", member
        )
        cut = world.as_of_date
        self.churn = rows(
            connection, "select * from ml.churn_scores where member_id = ? and as_of_date = ?", member, cut
        )
        self.propensity = rows(
            connection, "select * from ml.propensity_scores where member_id = ? and as_of_date = ?", member, cut
        )
        for family in (
            self.base, self.transaction, self.rhythm, self.category, self.behaviour, self.content, self.social,
            self.channel, self.promotion, self.loyalty, self.service, self.lifecycle, self.prediction,
        ):  # fmt: skip
            family()

    def has(self, *entities: str) -> bool:
        return all(entity in self.w.entities for entity in entities)

    def put(self, found: dict[str, Any], *needs: str) -> None:
        """Add tags; where the brand has no source of what they need, nothing is known."""
        assert not found.keys() & self.tags.keys(), found.keys() & self.tags.keys()
        self.tags |= found if self.has(*needs) else dict.fromkeys(found)

    def since(self, day: date | None) -> int | None:
        return None if day is None else (self.w.as_of_date - day).days

    def hour(self, instant: datetime) -> int:
        return instant.astimezone(self.w.zone).hour

    @staticmethod
    def daypart(hour: int) -> str:
        return ("night", "morning", "afternoon", "evening")[hour // 6]

    # ---- who somebody is

    def base(self) -> None:
        p = self.profile
        same = (
            "gender", "gender_origin", "age_band", "age_band_origin", "income_band", "income_band_origin", "marital_status",
            "home_ownership", "household_size", "household_composition", "kids_count", "province_code", "province_name",
            "country_name", "tier_name", "registration_channel", "has_profile", "account_count", "first_seen_date",
        )  # fmt: skip
        registered = p["registered_at"] and p["registered_at"].astimezone(self.w.zone).date()
        known = (
            "age_band",
            "income_band",
            "marital_status",
            "household_size",
            "kids_count",
            "province_code",
            "registration_channel",
            "tier_name",
        )
        regions = {
            "1": "north",
            "2": "north_east",
            "3": "east",
            "4": "south_central",
            "5": "south_west",
            "6": "north_west",
            "7": "overseas",
            "8": "overseas",
        }
        self.put(
            {name: p[name] for name in same}
            | {
                "region_group": regions.get((p["province_code"] or " ")[0]),
                "is_municipality": p["province_code"] in ("110000", "120000", "310000", "500000"),
                "has_tier": p["tier_name"] is not None,
                "registration_store_id": p["store_id"],
                "has_registration_store": p["store_id"] is not None,
                "profile_field_count": sum(p[name] is not None for name in known) + (p["gender"] in ("female", "male")),
                "has_several_accounts": p["account_count"] > 1,
                "is_staff_or_test": p["account_flag"] in ("test", "internal"),
                "days_since_first_seen": self.since(p["first_seen_date"]),
                "registered_date": registered,
                "days_since_registration": self.since(registered),
            }
        )
        granted = {c["channel"] for c in self.consents if c["is_granted"]}
        refused = {c["channel"] for c in self.consents} - granted
        for channel in ("sms", "wechat", "email", "app_push", "phone"):
            self.put(
                {f"has_consent_{channel}": channel in granted, f"has_refused_{channel}": channel in refused}, "consents"
            )
        self.put(
            {
                "consent_channel_count": len(granted),
                "consent_channels": sorted(granted) or None,
                "is_reachable": bool(granted),
            },
            "consents",
        )

    # ---- what was bought

    def transaction(self) -> None:
        orders, refunds = self.orders, self.refunds.where(lambda r: r["product_kind"] != "service")
        spend = lambda found: sum((r["gross_amount"] for r in found), Decimal(0))  # noqa: E731
        back = lambda found: sum((r["refund_amount"] for r in found), Decimal(0))  # noqa: E731
        units = lambda found: sum((r["unit_count"] for r in found), Decimal(0))  # noqa: E731
        t: dict[str, Any] = {}
        for d in (7, 14, 30, 60, 90, 180, 365):
            t[f"order_count_{d}d"], t[f"spend_amount_{d}d"] = len(orders.within(d)), money(spend(orders.within(d)))
        for d in (30, 60, 90, 180, 365):
            t[f"net_spend_amount_{d}d"] = money(spend(orders.within(d)) - back(refunds.within(d)))
            t[f"purchase_day_count_{d}d"] = len({r["business_date"] for r in orders.within(d)})
        for d in (30, 90, 180, 365):
            t[f"unit_count_{d}d"] = round(units(orders.within(d)))
            t[f"refund_amount_{d}d"] = money(back(refunds.within(d)))
            t[f"refund_count_{d}d"] = len(refunds.within(d))
        for d in (90, 180, 365):
            found = orders.within(d)
            t[f"average_order_amount_{d}d"] = money(spend(found) / len(found)) if found else None
            t[f"max_order_amount_{d}d"] = max((r["gross_amount"] for r in found), default=None)
            t[f"refund_rate_{d}d"] = share(back(refunds.within(d)), spend(found))
        for d in (90, 365):
            found = orders.within(d)
            t[f"average_unit_amount_{d}d"] = money(spend(found) / units(found)) if units(found) else None
            t[f"lines_per_order_{d}d"] = share(sum(r["line_count"] for r in found), len(found))
            t[f"units_per_order_{d}d"] = share(units(found), len(found))
            t[f"saved_amount_{d}d"] = money(sum((r["store_discount_amount"] for r in found), Decimal(0)))
            t[f"presale_order_count_{d}d"] = sum(r["order_kind"] == "presale" for r in found)
            t[f"gift_order_count_{d}d"] = sum(r["order_kind"] == "gift" for r in found)
        year, average = orders.within(365), None
        if year:
            average = spend(year) / len(year)
        bands = ((100, "under_100"), (300, "from_100"), (600, "from_300"), (1000, "from_600"))
        t |= {
            "order_count_total": len(orders.all),
            "spend_amount_total": money(spend(orders.all)),
            "net_spend_amount_total": money(spend(orders.all) - back(refunds.all)),
            "unit_count_total": round(units(orders.all)),
            "purchase_day_count_total": len(set(orders.dates())),
            "min_order_amount_365d": min((r["gross_amount"] for r in year), default=None),
            "first_order_date": min(orders.dates(), default=None),
            "last_order_date": newest(orders.dates()),
            "days_since_last_order": self.since(newest(orders.dates())),
            "order_count_trend_30d": 2 * len(orders.within(30)) - len(orders.within(60)),
            "spend_amount_trend_90d": money(2 * spend(orders.within(90)) - spend(orders.within(180))),
            "spend_ratio_90d_365d": share(spend(orders.within(90)), spend(year)),
            "order_amount_band_365d": None
            if average is None
            else next((n for top, n in bands if average < top), "from_1000"),
            "has_bought": bool(orders.all),
            "has_refunded": bool(refunds.all),
        }
        self.put(t, "order_lines")
        self.put({"last_refund_date": newest(refunds.dates())}, "refunds")

    def rhythm(self) -> None:
        for order in self.orders.all:
            day = self.w.calendar.get(order["business_date"], {})
            order |= {
                "hour": self.hour(order["ordered_at"]),
                "festival": day.get("festival_code"),
                "holiday": bool(day.get("is_holiday")),
            }
        orders, year = self.orders, self.orders.within(365)
        parts = Counter(self.daypart(r["hour"]) for r in year)
        days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        weekdays = Counter(days[r["business_date"].weekday()] for r in year)
        festivals = (
            "mid_year_618",
            "double_11",
            "double_12",
            "womens_day_38",
            "new_year_goods",
            "love_day_520",
            "qixi",
        )
        amount = lambda found: sum((r["gross_amount"] for r in found), Decimal(0))  # noqa: E731
        part = lambda holds: share(sum(map(holds, year)), len(year))  # noqa: E731
        latest = ("evening", "afternoon", "morning", "night")
        t: dict[str, Any] = {f"order_share_{p}_365d": share(parts[p], len(year)) for p in latest}
        t |= {f"order_count_{d}_365d": weekdays[d] for d in days}
        t |= {f"order_count_{f}_365d": sum(r["festival"] == f for r in year) for f in festivals}
        t |= {f"is_{f}_buyer": any(r["festival"] == f for r in orders.all) for f in festivals}
        t |= {
            "festivals_bought": sorted({r["festival"] for r in orders.all if r["festival"]}) or None,
            "festival_spend_share_365d": share(amount(r for r in year if r["festival"]), amount(year)),
            "holiday_order_share_365d": part(lambda r: r["holiday"]),
            "weekend_order_share_365d": part(lambda r: r["business_date"].weekday() >= 5),
            "month_start_order_share_365d": part(lambda r: r["business_date"].day <= 10),
            "average_order_hour_365d": mean(r["hour"] for r in year),
            "preferred_daypart_365d": max(latest, key=lambda p: (parts[p], -latest.index(p))) if year else None,
            "is_night_owl": parts["night"] >= 3 and 3 * parts["night"] >= len(year),
            "is_festival_only_buyer": bool(year) and all(r["festival"] for r in year),
        }
        self.put(t, "order_lines")

    def category(self) -> None:
        def name_of(product_id: str | None) -> str | None:
            p = self.w.products.get(product_id or "")
            if p is None:
                return None
            ways = ("category_l2_name", "category_l1_name", "category_l2_code", "category_l1_code")
            return next((p[w] for w in ways if p[w] is not None), p["product_code"] and p["product_code"][:2])

        bought = self.lines.where(lambda r: r["age"] <= 365)
        looked = self.events.where(
            lambda e: (
                e["age"] <= 365 and e["product_id"] and e["source_event_name"] in ("view", "favourite", "cart", "share")
            )
        )
        buys: dict[str | None, list[Row]] = {}
        looks: dict[str, list[Row]] = {}
        brands: Counter[str | None] = Counter()
        for line in bought.all:
            buys.setdefault(name_of(line["product_id"]), []).append(line)
            brands[(self.w.products.get(line["product_id"]) or {}).get("brand_name")] += line["line_amount"]
        for event in looked.all:
            name = name_of(event["product_id"])
            if name is not None:
                looks.setdefault(name, []).append(event)
        spent = {c: sum((r["line_amount"] for r in found), Decimal(0)) for c, found in buys.items()}
        # NULL sorts behind every name.
        ranked = sorted(buys, key=lambda c: (-spent[c], c is None, c or ""))
        ages = {c: sorted({r["age"] for r in found}) for c, found in buys.items()}
        count = lambda c, kind, days: sum(e["source_event_name"] == kind and e["age"] <= days for e in looks.get(c, ()))  # noqa: E731
        weight = {"view": 1, "favourite": 3, "cart": 4, "share": 0}
        interest = {
            c: sum(weight[e["source_event_name"]] * 0.5 ** ((e["age"] - 1) / 30) for e in looks.get(c, ()))
            + sum(8 * 0.5 ** ((age - 1) / 30) for age in ages.get(c, ()))
            for c in {*buys, *looks}
        }
        keen = sorted(interest, key=lambda c: (-round(interest[c], 6), c is None, c or ""))

        def longest_run(c: str) -> int:
            seen = {e["age"] for e in looks.get(c, ()) if e["source_event_name"] == "view" and e["age"] <= 30}
            best = 0
            for age in seen:
                length = 1
                while age + length in seen:
                    length += 1
                best = max(best, length)
            return best

        def strong(c: str) -> bool:
            return longest_run(c) >= 7 and c not in buys

        branded = sum((v for b, v in brands.items() if b is not None), Decimal(0))
        top_brand = min((b for b in brands if b is not None), key=lambda b: (-brands[b], b), default=None)
        named = [c for c in ranked if c is not None]
        total = sum(spent.values(), Decimal(0))
        nth = lambda found, n: found[n] if len(found) > n else None  # noqa: E731
        self.put(
            {
                "top_category_365d": nth(ranked, 0), "second_category_365d": nth(ranked, 1), "third_category_365d": nth(ranked, 2),
                "top_category_share_365d": share(spent[ranked[0]], total) if ranked else None,
                "category_count_90d": sum(ages[c][0] <= 90 for c in named),
                "category_count_365d": len(named),
                "new_category_count_90d": sum(ages[c][-1] <= 90 for c in named),
                "categories_365d": sorted(named) or None,
                "repeat_categories_365d": sorted(c for c in named if len(ages[c]) >= 2) or None,
                "top_brand_365d": top_brand,
                "brand_loyalty_365d": share(brands[top_brand], branded) if top_brand is not None else None,
            },
            "order_lines",
        )  # fmt: skip
        self.put(
            {
                "top_interest_category": nth(keen, 0), "second_interest_category": nth(keen, 1),
                "interest_score_total": sum(interest.values()),
                "interested_categories": sorted(c for c in interest if c and interest[c] >= 5) or None,
                "strong_interest_categories": sorted(c for c in looks if strong(c)) or None,
                "browsed_not_bought_categories_90d": sorted(c for c in looks if c not in buys and count(c, "view", 90)) or None,
            },
            "events",
        )  # fmt: skip
        for code, c in self.w.categories:
            recent = bool(ages.get(c)) and ages[c][0] <= 90
            looked_at = sum(count(c, kind, 90) for kind in ("view", "cart", "favourite"))
            days = len(ages.get(c, ()))
            role = (
                "fan" if days >= 2 and recent else "buyer" if recent else "lapsed" if days
                else "potential" if looked_at >= 3 else "none"
            )  # fmt: skip
            self.put(
                {
                    f"{code}_spend_amount_365d": money(spent.get(c, Decimal(0))),
                    f"{code}_purchase_day_count_365d": days,
                    f"{code}_last_purchase_date": self.w.as_of_date - timedelta(ages[c][0]) if days else None,
                    f"{code}_role": role,
                },
                "order_lines",
            )
            self.put(
                {
                    f"{code}_view_count_30d": count(c, "view", 30),
                    f"{code}_cart_count_90d": count(c, "cart", 90),
                    f"{code}_interest_score": interest.get(c, 0.0),
                    f"is_{code}_strong_interest": strong(c),
                },
                "events",
            )

    # ---- what was done

    def behaviour(self) -> None:
        kinds: dict[str, Callable[[Row], object]] = {
            "page_view": lambda e: e["visit_role"] == "page",
            "product_view": lambda e: e["source_event_name"] == "view",
            "search": lambda e: e["source_event_name"] == "search",
            "cart": lambda e: e["source_event_name"] == "cart",
            "favourite": lambda e: e["source_event_name"] == "favourite",
            "checkout": lambda e: e["source_event_name"] == "checkout",
            "uncart": lambda e: e["source_event_name"] == "uncart",
            "click": lambda e: e["source_event_name"] == "click",
            "interaction": lambda e: e["visit_role"] == "interaction",
        }
        chosen = {kind: self.events.where(holds) for kind, holds in kinds.items()} | {"session": self.sessions}
        active = {r["business_date"] for r in [*self.events.all, *self.sessions.all]}
        age = {day: (self.w.as_of_date - day).days for day in active}
        n = lambda kind, d: len(chosen[kind].within(d))  # noqa: E731
        days = lambda d: [day for day in active if age[day] <= d]  # noqa: E731
        minutes = lambda d: float(sum((s["duration_seconds"] for s in self.sessions.within(d)), Decimal(0))) / 60  # noqa: E731
        t: dict[str, Any] = {}
        for kind in ("session", "page_view", "product_view", "search", "cart", "favourite", "checkout"):
            t |= {f"{kind}_count_{d}d": n(kind, d) for d in WINDOWS}
        for kind in ("uncart", "click", "interaction"):
            t |= {f"{kind}_count_{d}d": n(kind, d) for d in (7, 30, 90)}
        t |= {f"active_day_count_{d}d": len(days(d)) for d in WINDOWS[1:]}
        t |= {f"is_active_{d}d": bool(days(d)) for d in (1, 7, 30, 90)}
        t |= {f"session_minutes_{d}d": minutes(d) for d in (7, 30, 90, 365)}
        for d in (30, 90, 365):
            t[f"pages_per_session_{d}d"] = share(n("page_view", d), n("session", d))
            t[f"cart_rate_{d}d"] = share(n("cart", d), n("product_view", d))
            t[f"favourite_rate_{d}d"] = share(n("favourite", d), n("product_view", d))
            t[f"checkout_rate_{d}d"] = share(n("checkout", d), n("cart", d))
        for d in (30, 90):
            t[f"minutes_per_session_{d}d"] = share(minutes(d), n("session", d))
            t[f"search_rate_{d}d"] = share(n("search", d), n("session", d))
        for d in (90, 365):
            t[f"weekend_share_{d}d"] = share(sum(day.weekday() >= 5 for day in days(d)), len(days(d)))
        parts = Counter(self.daypart(self.hour(s["started_at"])) for s in self.sessions.within(90))
        t |= {
            f"session_share_{p}_90d": share(parts[p], n("session", 90))
            for p in ("night", "morning", "afternoon", "evening")
        }
        pages = Counter(e["business_date"] for e in chosen["page_view"].within(365))
        last = {
            kind: newest(chosen[kind].dates()) for kind in ("cart", "search", "favourite", "checkout", "product_view")
        }
        t |= {f"last_{kind}_date": day for kind, day in last.items()}
        month = len(days(30))
        steps = (("checkout", "checkout"), ("cart", "cart"), ("favourite", "favourite"), ("product_view", "product"))
        t |= {
            "most_pages_in_a_day_365d": max(pages.values(), default=0),
            "first_active_date": min(active, default=None),
            "last_active_date": newest(active),
            "days_since_active": self.since(newest(active)),
            "days_since_cart": self.since(last["cart"]),
            "days_since_product_view": self.since(last["product_view"]),
            "active_day_trend_30d": 2 * month - len(days(60)),
            "session_ratio_30d_90d": share(n("session", 30), n("session", 90)),
            "browsing_level_30d": "high" if month >= 12 else "medium" if month >= 4 else "low" if month else "none",
            "deepest_step_30d": next(
                (name for kind, name in steps if n(kind, 30)), "visit" if self.events.within(30) else "none"
            ),
        }
        self.put(t, "events")

    def content(self) -> None:
        of = lambda *names: self.events.where(lambda e: e["source_event_name"] in names)  # noqa: E731
        views, likes, lives = of("content_view"), of("content_like"), of("live_enter")
        watched = of("live_enter", "live_leave").where(lambda e: e["duration_seconds"])
        minutes = lambda d: float(sum((e["duration_seconds"] for e in watched.within(d)), Decimal(0))) / 60  # noqa: E731

        def days(d):
            return len(
                {e["business_date"] for e in [*views.within(d), *likes.within(d), *lives.within(d), *watched.within(d)]}
            )

        t: dict[str, Any] = {}
        for d in (7, 30, 90, 365):
            t[f"content_view_count_{d}d"], t[f"live_count_{d}d"] = len(views.within(d)), len(lives.within(d))
        for d in (30, 90, 365):
            t[f"content_like_count_{d}d"], t[f"live_minutes_{d}d"], t[f"content_day_count_{d}d"] = (
                len(likes.within(d)),
                minutes(d),
                days(d),
            )
        read, live = len(views.within(90)), len(lives.within(90))
        t |= {
            "content_like_rate_365d": share(len(likes.within(365)), len(views.within(365))),
            "minutes_per_live_365d": share(minutes(365), len(lives.within(365))),
            "last_content_date": newest(views.dates()),
            "days_since_content": self.since(newest(views.dates())),
            "last_live_date": newest(lives.dates()),
            "days_since_live": self.since(newest(lives.dates())),
            "reader_level_90d": "heavy" if read >= 15 else "regular" if read >= 5 else "light" if read else "none",
            "viewer_level_90d": "heavy" if live >= 4 else "regular" if live >= 2 else "light" if live else "none",
            "content_preference_90d": "none" if not read + live else "live" if 3 * live > read else "reading",
        }
        self.put(t, "events")

    def social(self) -> None:
        shares = self.events.where(lambda e: e["source_event_name"] == "share")
        likes = self.events.where(lambda e: e["source_event_name"] == "content_like")
        rated = self.reviews.where(lambda r: r["rating"] is not None)
        year, picture = rated.within(365), self.reviews.where(lambda r: (r["image_count"] or 0) > 0)
        self.put({f"share_count_{d}d": len(shares.within(d)) for d in (7, 30, 90, 365)}, "events")
        self.put({f"review_count_{d}d": len(self.reviews.within(d)) for d in (30, 90, 365)}, "reviews")
        newest_age = min((r["age"] for r in rated.all), default=None)
        self.put(
            {
                "average_rating_365d": mean(r["rating"] for r in year),
                "lowest_rating_90d": min((r["rating"] for r in rated.within(90)), default=None),
                "good_review_share_365d": share(sum(r["rating"] >= 4 for r in year), len(year)),
                "bad_review_count_90d": sum(r["rating"] <= 2 for r in rated.within(90)),
                "image_review_count_365d": len(picture.within(365)),
                "appended_review_count_365d": sum(bool(r["is_append"]) for r in self.reviews.within(365)),
                "last_review_date": newest(self.reviews.dates()),
                "last_rating": min((r["rating"] for r in rated.all if r["age"] == newest_age), default=None),
                "is_creator": sum((r["rating"] or 0) >= 4 for r in picture.within(365)) >= 2,
                "is_promoter": len(year) >= 2 and all(r["rating"] >= 4 for r in year),
                "is_detractor": any(r["rating"] <= 2 for r in rated.within(180)),
            },
            "reviews",
        )
        self.put({"last_share_date": newest(shares.dates()), "is_sharer": len(shares.within(90)) >= 3}, "events")
        score = (
            10 * len(shares.within(90))
            + len(likes.within(90))
            + 8 * len(self.reviews.within(90))
            + 6 * len(picture.within(90))
        )
        self.put({"social_score": min(100, score)})

    # ---- where and how somebody is reached

    def channel(self) -> None:
        year = self.orders.within(365)
        amount = lambda found: sum((r["gross_amount"] for r in found), Decimal(0))  # noqa: E731
        by = Counter(r["channel"] for r in year if r["channel"] is not None)
        first = lambda counts: min(counts, key=lambda c: (-counts[c], c), default=None)  # noqa: E731
        for c in ("tmall", "jd", "mini_program", "app", "pos"):
            self.put(
                {
                    f"{c}_order_count_365d": by[c],
                    f"{c}_spend_share_365d": share(amount(r for r in year if r["channel"] == c), amount(year)),
                    f"{c}_last_order_date": newest(r["business_date"] for r in self.orders.all if r["channel"] == c),
                },
                "order_lines",
            )
        own = ("mini_program", "app", "pos")
        self.put(
            {
                "preferred_sales_channel_365d": first(by),
                "sales_channel_count_365d": len(by),
                "sales_channels_365d": sorted(by) or None,
                "private_domain_spend_share_365d": share(amount(r for r in year if r["channel"] in own), amount(year)),
                "is_omnichannel": bool(by["pos"]) and len(by) > 1,
            },
            "order_lines",
        )
        kinds = {
            "mini_program": "mini_program",
            "ios": "app",
            "android": "app",
            "app": "app",
            "h5": "web",
            "web": "web",
            "pc": "web",
        }
        visits = {
            d: Counter(kinds[s["platform"]] for s in self.sessions.within(d) if s["platform"] in kinds)
            for d in (30, 90, 365)
        }
        for c in ("mini_program", "app", "web"):
            self.put(
                {f"{c}_session_count_{d}d": visits[d][c] for d in (30, 90)}
                | {f"{c}_session_share_90d": share(visits[90][c], visits[90].total())},
                "events",
            )
        touches = self.touches.where(lambda t: not t["is_holdout"])
        n = lambda c, kind, d: sum(t["channel"] == c and t["touch_type"] == kind for t in touches.within(d))  # noqa: E731
        self.put(
            {
                "preferred_client_365d": first(visits[365]),
                "clients_90d": sorted(visits[90]) or None,
                "is_wechat_active": visits[30]["mini_program"] + n("wechat", "opened", 30) > 0,
            },
            "events",
        )
        for c in ("sms", "wechat", "email", "app_push"):
            mine = [t for t in touches.all if t["channel"] == c]
            there = any(t["age"] <= 365 for t in mine)
            rate = self.w.open_rates.get(c)
            drawn = None
            if there and rate is not None:
                drawn = (n(c, "opened", 365) + 10 * rate) / (n(c, "sent", 365) + 10)
            self.put(
                {f"{c}_sent_count_{d}d": n(c, "sent", d) for d in (7, 30, 90)}
                | {
                    f"{c}_opened_count_90d": n(c, "opened", 90),
                    f"{c}_clicked_count_90d": n(c, "clicked", 90),
                    f"{c}_open_rate_365d": drawn,
                    f"has_unsubscribed_{c}": any(t["touch_type"] == "unsubscribed" for t in mine),
                    f"last_{c}_sent_date": newest(t["business_date"] for t in mine if t["touch_type"] == "sent"),
                },
                "touches",
            )
        self.put({"failed_message_count_90d": sum(t["touch_type"] == "failed" for t in touches.within(90))}, "touches")

    def promotion(self) -> None:
        of = {
            kind: self.touches.where(lambda t, kind=kind: t["touch_type"] == kind)
            for kind in ("sent", "opened", "clicked")
        }
        n = lambda kind, d: len(of[kind].within(d))  # noqa: E731
        self.put({f"touch_count_{d}d": n("sent", d) for d in (7, 14, 30, 60, 90, 180)}, "touches")
        for kind in ("opened", "clicked"):
            self.put({f"{kind}_count_{d}d": n(kind, d) for d in (30, 90, 365)}, "touches")
        for d in (90, 365):
            self.put(
                {
                    f"open_rate_{d}d": share(n("opened", d), n("sent", d)),
                    f"click_rate_{d}d": share(n("clicked", d), n("sent", d)),
                },
                "touches",
            )
        last = newest(of["sent"].dates())
        sent = {t["campaign_id"] for t in of["sent"].all} - {None}
        self.put(
            {"last_touch_date": last, "days_since_last_touch": self.since(last), "campaign_count_total": len(sent)},
            "touches",
        )
        got, used = self.receipts, self.redemptions
        self.put({f"coupon_receipt_count_{d}d": len(got.within(d)) for d in (30, 90, 365)}, "coupon_receipts")
        self.put({"last_coupon_receipt_date": newest(got.dates())}, "coupon_receipts")
        self.put(
            {f"coupon_redemption_count_{d}d": len(used.within(d)) for d in (30, 90, 180, 365)}, "coupon_redemptions"
        )
        self.put(
            {
                "coupon_redemption_rate_365d": share(len(used.within(365)), len(got.within(365))),
                "is_coupon_hoarder": len(got.within(365)) >= 3 and not used.within(365),
            },
            "coupon_receipts", "coupon_redemptions",
        )  # fmt: skip
        redeemed = {r["campaign_id"] for r in used.all} - {None}
        last_used = newest(used.dates())
        self.put(
            {
                "last_coupon_redemption_date": last_used,
                "days_since_coupon_redemption": self.since(last_used),
                "campaign_redemption_rate": share(len(redeemed), len(sent)),
            }
        )
        for d in (90, 365):
            found = self.orders.within(d)
            listed = sum((r["list_amount"] for r in found), Decimal(0))
            self.put(
                {
                    f"coupon_order_rate_{d}d": share(sum(r["has_coupon"] for r in found), len(found)),
                    f"store_discount_order_rate_{d}d": share(sum(r["has_store_discount"] for r in found), len(found)),
                    f"full_price_order_count_{d}d": sum(
                        not r["has_coupon"] and not r["has_store_discount"] for r in found
                    ),
                    f"discount_rate_{d}d": share(sum((r["store_discount_amount"] for r in found), Decimal(0)), listed),
                }
            )
        year = self.orders.within(365)
        saved = sum(r["has_coupon"] or r["has_store_discount"] for r in year)
        level = "high" if 10 * saved >= 8 * len(year) else "medium" if 10 * saved >= 4 * len(year) else "low"
        self.put({"price_sensitivity_365d": level if len(year) >= 2 else None})
        answers = len(used.within(365))
        self.put(
            {
                "is_coupon_user": bool(used.all),
                "promotion_response": "high"
                if answers >= 5
                else "medium"
                if answers
                else "low"
                if any(r["has_coupon"] for r in year)
                else "none",
            },
            "coupon_redemptions",
        )

    # ---- what somebody has, and has complained of

    def loyalty(self) -> None:
        of = lambda kind: self.points.where(lambda p: p["point_kind"] == kind)  # noqa: E731
        total = lambda found: sum(p["points"] for p in found)  # noqa: E731
        earned, redeemed, expired = of("earn"), of("redeem"), of("expire")
        balance = total(self.points.all)
        last = newest(redeemed.dates())
        t: dict[str, Any] = {}
        for d in (30, 90, 180, 365):
            t[f"points_earned_{d}d"], t[f"points_redeemed_{d}d"] = total(earned.within(d)), -total(redeemed.within(d))
        t |= {f"points_expired_{d}d": -total(expired.within(d)) for d in (90, 365)}
        t |= {f"point_task_count_{d}d": sum(p["reason"] == "task" for p in earned.within(d)) for d in (7, 30, 90)}
        bands = ((500, "under_500"), (2000, "from_500"), (10000, "from_2000"))
        t |= {
            "point_balance": balance,
            "points_earned_total": total(earned.all),
            "point_use_rate": share(-total(redeemed.all), total(earned.all)),
            "last_point_date": newest(self.points.dates()),
            "last_point_redemption_date": last,
            "days_since_point_redemption": self.since(last),
            "is_point_user": bool(redeemed.all),
            "point_balance_band": "none"
            if balance <= 0
            else next((n for top, n in bands if balance < top), "from_10000"),
        }
        self.put(t, "points")
        moves = self.tiers.where(lambda c: c["from_tier_name"] is not None)
        last = newest(moves.dates())
        self.put(
            {
                "tier_change_count_365d": len(moves.within(365)),
                "last_tier_change_date": last,
                "days_since_tier_change": self.since(last),
                "has_changed_tier_30d": bool(moves.within(30)),
                "tiers_held": sorted({c["to_tier_name"] for c in self.tiers.all if c["to_tier_name"]}) or None,
            },
            "members",
        )

    def service(self) -> None:
        tickets, year = self.tickets, self.tickets.within(365)
        scored = lambda d: [t["satisfaction_score"] for t in tickets.within(d) if t["satisfaction_score"] is not None]  # noqa: E731
        seconds = [t["first_response_seconds"] for t in year if t["first_response_seconds"] is not None]
        last = newest(tickets.dates())
        t: dict[str, Any] = {f"ticket_count_{d}d": len(tickets.within(d)) for d in (7, 30, 90, 365)}
        t |= {
            f"urgent_ticket_count_{d}d": sum(x["priority"] in ("high", "urgent") for x in tickets.within(d))
            for d in (30, 90, 365)
        }
        t |= {
            "has_open_ticket": any(x["closed_at"] is None for x in tickets.within(90)),
            "average_satisfaction_365d": mean(scored(365)),
            "lowest_satisfaction_90d": min(scored(90), default=None),
            "average_first_response_minutes_365d": None if not seconds else sum(seconds) / len(seconds) / 60,
            "last_ticket_date": last,
            "days_since_ticket": self.since(last),
            "ticket_topics_365d": sorted({x["topic"] for x in year if x["topic"]}) or None,
            "ticket_channels_365d": sorted({x["channel"] for x in year if x["channel"]}) or None,
        }
        self.put(t, "service_tickets")
        back = self.refunds.where(lambda r: r["refund_kind"] == "return_and_refund")
        swapped = self.refunds.where(lambda r: r["refund_kind"] == "exchange")
        ids = lambda found: len({r["refund_id"] for r in found})  # noqa: E731
        self.put(
            {f"return_count_{d}d": ids(back.within(d)) for d in (30, 90, 365)}
            | {"exchange_count_365d": ids(swapped.within(365)), "is_frequent_returner": ids(back.within(180)) >= 3},
            "refunds",
        )

    # ---- where somebody stands

    def lifecycle(self) -> None:
        ages = sorted({r["age"] for r in self.orders.all}, reverse=True)
        gaps = {age: before - age for before, age in itertools.pairwise(ages)}
        year = [gap for age, gap in gaps.items() if age <= 365]
        cycle = mean(year)
        recent = sum(age <= 90 for age in ages)
        self.put(
            {
                "lifecycle_state": self.states[0]["lifecycle_state"] if self.states else "prospect",
                "is_repeat_buyer": len(ages) >= 2,
                "customer_age_days": ages[0] if ages else None,
                "purchase_cycle_days": cycle,
                "days_past_cycle": None if cycle is None else ages[-1] - cycle,
                "is_past_cycle": cycle is not None and ages[-1] > cycle,
                "activity_level_90d": "high"
                if recent >= 10
                else "medium"
                if recent >= 3
                else "low"
                if recent
                else "none",
                "shortest_gap_days_365d": min(year, default=None),
                "longest_gap_days_365d": max(year, default=None),
                "last_gap_days": gaps[ages[-1]] if gaps else None,
                "cycle_count_365d": len(year),
                "second_purchase_gap_days": ages[0] - ages[1] if gaps else None,
                "is_new_buyer_30d": bool(ages) and ages[0] <= 30,
                "is_one_time_buyer": len(ages) == 1,
                "is_returned_30d": any(gap >= 180 and age <= 30 for age, gap in gaps.items()),
            },
            "order_lines",
        )

    def prediction(self) -> None:
        for name, found, level in (
            ("churn", self.churn, "churn_risk"),
            ("purchase_propensity", self.propensity, "purchase_propensity_level"),
        ):
            row = found[0] if found else {}
            self.put(
                {f"{name}_score": row.get("score"), level: row.get("tier"), f"{name}_percentile": row.get("percentile")}
            )
