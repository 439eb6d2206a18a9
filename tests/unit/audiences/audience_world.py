"""A small warehouse as plain Python lists, and a second reading of audience rules over it.

`members_of` walks a rule as it stands in YAML, member by member and fact by fact, with nothing of the compiler: no SQL, no
parsed tree. The tests compare the two. `World.write` puts the same lists into DuckDB for the compiler.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

ZONE = ZoneInfo("Asia/Shanghai")
AS_OF = date(2026, 7, 1)
CUT = datetime(2026, 7, 1, tzinfo=ZONE)

Row = dict[str, Any]

_TABLES = {
    "marts.dim_members": "member_id varchar, first_seen_date date, account_flag varchar, registered_at timestamptz, "
    "gender varchar, age_band varchar, tier_name varchar, region varchar, has_profile boolean",
    "marts.dim_products": "product_id varchar, product_code varchar, category_l1_code varchar, category_l1_name varchar, "
    "category_l2_code varchar, category_l2_name varchar, category_l3_code varchar, category_l3_name varchar, launch_date date",
    "marts.fct_events": "member_id varchar, event_name varchar, event_at timestamptz, business_date date, product_id varchar, "
    "channel varchar, platform varchar, page_name varchar, source_system varchar, category_code varchar, is_bot boolean, "
    "is_internal boolean, is_behaviour boolean",
    "marts.fct_orders": "order_id varchar, member_id varchar, ordered_at timestamptz, business_date date, channel varchar, "
    "store_code varchar, source_system varchar, has_coupon boolean, is_valid boolean, gross_amount decimal(18, 2)",
    "marts.fct_order_lines": "order_id varchar, product_id varchar, line_kind varchar, is_void boolean, gross_amount decimal(18, 2)",
    "ml.churn_scores": "member_id varchar, score double, as_of_date date",
    "ml.propensity_scores": "member_id varchar, score double, as_of_date date",
    "segments.seg_rfm": "member_id varchar, rfm_tier varchar, recency_score integer, as_of_date date",
    "tags.tag_values": "tag_code varchar, value_code varchar",
}


@dataclass
class World:
    """Rows by table, without the schema; `tags` and `tag_types` by column."""

    members: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    churn: list[Row] = field(default_factory=list)
    propensity: list[Row] = field(default_factory=list)
    rfm: list[Row] = field(default_factory=list)
    tags: list[Row] = field(default_factory=list)
    tag_types: dict[str, str] = field(default_factory=dict)
    as_of_date: date = AS_OF

    # ---- making rows ----

    def member(self, member_id: str, **columns: Any) -> str:
        self.members.append(
            {"member_id": member_id, "first_seen_date": date(2025, 1, 1), "account_flag": "normal", **columns}
        )
        return member_id

    def event(self, member_id: str | None, name: str, at: datetime, **columns: Any) -> None:
        flags = {"is_bot": False, "is_internal": False, "is_behaviour": True}
        self.events.append(
            {
                "member_id": member_id,
                "event_name": name,
                "event_at": at,
                "business_date": at.astimezone(ZONE).date(),
                **flags,
                **columns,
            }
        )

    def order(self, member_id: str | None, at: datetime, amount: float = 100, **columns: Any) -> str:
        order_id = f"o{len(self.orders)}"
        row = {
            "order_id": order_id,
            "member_id": member_id,
            "ordered_at": at,
            "business_date": at.astimezone(ZONE).date(),
        }
        self.orders.append(row | {"gross_amount": amount, "is_valid": True, "has_coupon": False} | columns)
        return order_id

    def line(self, order_id: str, product_id: str | None, amount: float = 100, **columns: Any) -> None:
        row = {"order_id": order_id, "product_id": product_id, "gross_amount": amount}
        self.lines.append(row | {"line_kind": "sale", "is_void": False} | columns)

    def tag(self, member_id: str, **values: Any) -> None:
        self.tags.append({"member_id": member_id, "as_of_date": self.as_of_date, **values})

    # ---- into DuckDB ----

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("set TimeZone = 'UTC'")
        for schema in ("marts", "tags", "ml", "segments"):
            connection.execute(f"create schema if not exists {schema}")
        rows = {
            "marts.dim_members": self.members,
            "marts.dim_products": self.products,
            "marts.fct_events": self.events,
            "marts.fct_orders": self.orders,
            "marts.fct_order_lines": self.lines,
            "ml.churn_scores": self.churn,
            "ml.propensity_scores": self.propensity,
            "segments.seg_rfm": self.rfm,
            "tags.tag_values": [],
            "tags.member_tags": self.tags,
        }
        types = "member_id varchar, as_of_date date" + "".join(f', "{n}" {t}' for n, t in self.tag_types.items())
        for table, columns in (_TABLES | {"tags.member_tags": types}).items():
            connection.execute(f"create or replace table {table} ({columns})")
            if rows[table]:
                names = [part.strip().split(" ")[0].strip('"') for part in _split(columns)]
                marks = ", ".join("?" for _ in names)
                connection.executemany(
                    f"insert into {table} values ({marks})", [[row.get(name) for name in names] for row in rows[table]]
                )


def _split(columns: str) -> list[str]:
    """Column definitions; a comma inside decimal(18, 2) separates nothing."""
    return columns.replace("(18, 2)", "").split(", ")


# ---- the second reading ------------------------------------------------------------------------------------------


def members_of(where: Any, world: World, others: Mapping[str, Any] | None = None) -> set[str]:
    """Members whom a rule, as written in YAML, takes in; `others` are the rules that it may name."""
    return _Reading(world, others or {}).members(where)


class _Reading:
    def __init__(self, world: World, others: Mapping[str, Any]) -> None:
        self.world, self.others = world, others
        self.everybody = {
            m["member_id"]
            for m in world.members
            if (m["first_seen_date"] is None or m["first_seen_date"] < world.as_of_date)
            and m["account_flag"] in (None, "normal")
        }
        self.products = {p["product_id"]: p for p in world.products}
        self.events, self.orders, self.lines = (
            _by(rows, key)
            for rows, key in ((world.events, "member_id"), (world.orders, "member_id"), (world.lines, "order_id"))
        )
        midnight = datetime(world.as_of_date.year, world.as_of_date.month, world.as_of_date.day, tzinfo=ZONE)
        self.cut = midnight.astimezone(UTC)

    def members(self, rule: Any) -> set[str]:
        if "all" in rule:
            return set.intersection(*(self.members(part) for part in rule["all"]))
        if "any" in rule:
            return set.union(*(self.members(part) for part in rule["any"]))
        if "not" in rule:
            return self.everybody - self.members(rule["not"])
        if "audience" in rule:
            return self.members(self.others[rule["audience"]])
        if "sample" in rule:
            return {m for m in self.everybody if self._in_sample(m, rule["sample"])}
        if "sequence" in rule:
            return {m for m in self.everybody if self._sequence(m, rule)}
        if "event" in rule or "order" in rule:
            return {m for m in self.everybody if self._counted(m, rule)}
        values = self._values(rule)
        if "top_percent" in rule:
            return self._top(values, rule)
        return {
            m for m in self.everybody if all(self._passes(values.get(m), k, v) for k, v in rule.items() if k in _TESTS)
        }

    # ---- values ----

    def _values(self, rule: Row) -> dict[str, Any]:
        world = self.world
        if "tag" in rule:
            return {row["member_id"]: row.get(rule["tag"]) for row in world.tags}
        if "member" in rule:
            return {row["member_id"]: row.get(rule["member"]) for row in world.members}
        if "score" in rule:
            rows = {"churn": world.churn, "propensity": world.propensity}[rule["score"]]
            return {row["member_id"]: row["score"] for row in rows if row["as_of_date"] == world.as_of_date}
        column = rule.get("column", {"seg_rfm": "rfm_tier"}[rule["segment"]])
        return {row["member_id"]: row[column] for row in world.rfm}

    def _passes(self, value: Any, test: str, wanted: Any) -> bool:
        if test == "is_unknown":
            return value is None
        if value is None:
            return False
        if test == "is_known":
            return True
        if test in ("in_last_days", "more_than_days_ago"):
            if isinstance(value, datetime):  # an instant belongs to the business date it lies in
                value = value.astimezone(ZONE).date()
            age = (self.world.as_of_date - value).days
            return 1 <= age <= wanted if test == "in_last_days" else age > wanted
        return _TESTS[test](value, wanted)

    def _top(self, values: Row, rule: Row) -> set[str]:
        base = self.members(rule["among"]) if "among" in rule else self.everybody
        known = [(values[m], m) for m in base & self.everybody if values.get(m) is not None]
        places = math.ceil(round(len(known) * rule["top_percent"] * 10_000) / 1_000_000)
        ties = rule.get("ties", "in")
        ranked = sorted(known, key=lambda pair: (-pair[0], pair[1]))
        if ties == "by_member_id":
            return {m for _, m in ranked[:places]}
        descending = [value for value, _ in ranked]
        if ties == "in":  # fewer than the places are better
            return {m for value, m in known if bisect_left(descending, -value, key=lambda v: -v) < places}
        return {m for value, m in known if bisect_right(descending, -value, key=lambda v: -v) <= places}

    def _in_sample(self, member: str, sample: Row) -> bool:
        digest = hashlib.md5(f"{sample['seed']}:{member}".encode()).hexdigest()
        return int(digest[:8], 16) < round(sample["percent"] / 100 * 2**32)

    # ---- facts ----

    def _facts(self, member: str, rule: Row) -> list[Row]:
        """Facts of a member before the cut that are of the kind and pass the filters; of an order the matching lines' sum."""
        where = rule.get("where") or {}
        found = []
        if "event" in rule:
            for fact in self.events.get(member, []):
                named = fact["is_behaviour"] if rule["event"] == "any" else fact["event_name"] == rule["event"]
                if named and not fact["is_bot"] and not fact["is_internal"]:
                    product = self.products.get(fact.get("product_id"))
                    if all(_matches(k, v, fact, product) for k, v in where.items()):
                        found.append({"at": fact["event_at"], "day": fact["business_date"], "amount": 0})
        else:
            of_lines = {k: v for k, v in where.items() if k in ("category", "product", "launched_within_days")}
            for order in self.orders.get(member, []):
                if not order["is_valid"]:
                    continue
                if not all(_matches(k, v, order, None) for k, v in where.items() if k not in of_lines):
                    continue
                amount = order["gross_amount"]
                if of_lines:
                    lines = [
                        line
                        for line in self.lines.get(order["order_id"], [])
                        if line["line_kind"] == "sale"
                        and not line["is_void"]
                        and all(
                            _matches(k, v, order, self.products.get(line["product_id"])) for k, v in of_lines.items()
                        )
                    ]
                    if not lines:
                        continue
                    amount = sum(line["gross_amount"] for line in lines)
                found.append({"at": order["ordered_at"], "day": order["business_date"], "amount": amount})
        return [fact for fact in found if fact["day"] < self.world.as_of_date]

    def _in_window(self, fact: Row, rule: Row) -> bool:
        age = (self.world.as_of_date - fact["day"]).days
        if "in_last_days" in rule:
            return age <= rule["in_last_days"]
        if "days_ago" in rule:
            return rule["days_ago"][0] <= age <= rule["days_ago"][1]
        return True

    def _counted(self, member: str, rule: Row) -> bool:
        facts = [fact for fact in self._facts(member, rule) if self._in_window(fact, rule)]
        told = {
            "count": len(facts),
            "days": len({fact["day"] for fact in facts}),
            "amount": float(sum(fact["amount"] for fact in facts)),
        }
        asked = {name: rule[name] for name in told if name in rule} or {"count": {"at_least": 1}}
        return all(_TESTS[test](told[name], wanted) for name, tests in asked.items() for test, wanted in tests.items())

    def _sequence(self, member: str, rule: Row) -> bool:
        within = (
            timedelta(hours=rule["within_hours"]) if "within_hours" in rule else timedelta(days=rule["within_days"])
        )
        steps = [(step["not"], True) if "not" in step else (step, False) for step in rule["sequence"]]
        facts = [[fact["at"] for fact in self._facts(member, step)] for step, _ in steps]
        starts = [f["at"] for f in self._facts(member, steps[0][0]) if self._in_window(f, rule)]

        def follows(index: int, start: datetime, reached: datetime, forbidden: list[datetime]) -> bool:
            if index == len(steps):
                if steps[-1][1]:
                    return start + within <= self.cut and not any(reached < at <= start + within for at in forbidden)
                return True
            if steps[index][1]:
                return follows(index + 1, start, reached, forbidden + facts[index])
            return any(
                follows(index + 1, start, at, [])
                for at in facts[index]
                if reached < at <= start + within and not any(reached < bad < at for bad in forbidden)
            )

        return any(follows(1, start, start, []) for start in starts)


def _by(rows: list[Row], key: str) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _matches(name: str, wanted: Any, fact: Row, product: Row | None) -> bool:
    items = wanted if isinstance(wanted, list) else [wanted]
    if name == "launched_within_days":
        launched = product.get("launch_date") if product else None
        return launched is not None and 0 <= (fact["business_date"] - launched).days < wanted
    if name == "category":
        keys = [f"category_l{level}_{part}" for level in (1, 2, 3) for part in ("code", "name")]
        own = [product.get(key) for key in keys] if product else []
        return any(item in [*own, fact.get("category_code")] for item in items if item is not None)
    if name == "product":
        return bool(product) and product.get("product_code") in items
    column = {"page": "page_name", "store": "store_code", "system": "source_system"}.get(name, name)
    return fact.get(column) in items


_TESTS = {
    "is": lambda value, wanted: value == wanted,
    "is_not": lambda value, wanted: value != wanted,
    "in": lambda value, wanted: value in wanted,
    "not_in": lambda value, wanted: value not in wanted,
    "at_least": lambda value, wanted: value >= wanted,
    "at_most": lambda value, wanted: value <= wanted,
    "more_than": lambda value, wanted: value > wanted,
    "less_than": lambda value, wanted: value < wanted,
    "between": lambda value, wanted: wanted[0] <= value <= wanted[1],
    "contains": lambda value, wanted: wanted in value,
    "contains_any": lambda value, wanted: any(item in value for item in wanted),
    "is_known": None,
    "is_unknown": None,
    "in_last_days": None,
    "more_than_days_ago": None,
}
