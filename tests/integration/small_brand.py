"""A small shop with a known truth: 260 days of orders, generated from a seed, written as a brand and its source files.

Members differ in how often they buy and when they stop, so churn and propensity can be learnt. A quarter of the orders
fall between midnight and eight in Shanghai, when it is still yesterday in UTC: a wrong zone shows. Names and phones sit
in columns that no mapping uses. What is asserted about a run belongs in the tests beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

BRAND = "small_shop"
ZONE = "Asia/Shanghai"
FIRST_DAY = date(2024, 3, 1)
DAYS = 260
HISTORY_DAYS = 230  # these come as one file, as a shop hands over its past; from then on one file a day
SEED = 11
MEMBERS = 1300
PRODUCTS = 120
FIRST_DAILY = FIRST_DAY + timedelta(days=HISTORY_DAYS)
BAD_ROWS_DAY, BAD_ROWS = FIRST_DAILY + timedelta(days=3), 4
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
# Prefixes that occur nowhere but in personal columns: what must never leave the lake is searched by them.
NAME_PREFIX = "欧阳测试"
PHONE_PREFIX = "15500155"
PERSONAL = (NAME_PREFIX, PHONE_PREFIX)

PARAMETERS = {
    "churn_horizon_days": 28,
    "churn_active_days": 28,
    "purchase_horizon_days": 28,  # the same horizon: both models share their cuts
    "training_cut_count": 6,
    "training_cut_step_days": 14,
    "lifecycle_new_days": 28,
    "lifecycle_active_days": 28,
    "lifecycle_dormant_days": 84,
    "rfm_window_days": 365,
}


@dataclass(frozen=True)
class Shop:
    """Source tables as the shop's systems export them; `lines` also carries `day`, the file a line is written to."""

    lines: pd.DataFrame
    members: pd.DataFrame
    products: pd.DataFrame
    campaigns: pd.DataFrame
    touches: pd.DataFrame
    coupons: pd.DataFrame
    redemptions: pd.DataFrame

    @property
    def days(self) -> list[date]:
        return sorted(self.lines["day"].unique())

    def until(self, last: date) -> Shop:
        """What the systems would have exported on the evening of `last`."""
        redeemed = pd.to_datetime(self.redemptions["redeemed_on"]).dt.date <= last
        return replace(self, lines=self.lines[self.lines["day"] <= last], redemptions=self.redemptions[redeemed])

    def write(self, root: Path) -> None:
        """All source files below `root`; a file whose text is there already is left alone."""
        for name in ("members", "products", "campaigns", "touches", "coupons", "redemptions"):
            _write(root / BRAND / f"{name}.csv", getattr(self, name))
        is_history = self.lines["day"] < FIRST_DAILY
        _write(root / BRAND / "orders_history.csv", self.lines[is_history].drop(columns="day"))
        for day, lines in self.lines[~is_history].groupby("day"):
            write_day(root, day, lines)


def write_day(root: Path, day: date, lines: pd.DataFrame) -> Path:
    """The daily file of one business date."""
    return _write(day_file(root, day), lines.drop(columns="day"))


def day_file(root: Path, day: date) -> Path:
    return root / BRAND / "orders" / f"{day:%Y-%m-%d}.csv"


def _write(path: Path, frame: pd.DataFrame) -> Path:
    text = frame.to_csv(index=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def utc_text(local: pd.Series | pd.Timestamp) -> pd.Series | str:
    """Shanghai's wall clock as naive UTC text, as the order system writes it."""
    shifted = local - pd.Timedelta(hours=8)
    if isinstance(shifted, pd.Timestamp):
        return shifted.strftime("%Y-%m-%d %H:%M:%S")
    return shifted.dt.strftime("%Y-%m-%d %H:%M:%S")


def phone(number: int) -> str:
    return f"{PHONE_PREFIX}{number % 1000:03d}"


def generate(seed: int = SEED, days: int = DAYS) -> Shop:
    """The shop's whole history. The same seed gives the same text."""
    rng = np.random.default_rng(seed)
    first = pd.Timestamp(FIRST_DAY)
    members = _members(rng, first, days)
    products = _products(rng)
    orders = _orders(rng, members, first, days)
    campaigns = _campaigns(first, days)
    touches = _touches(rng, members, campaigns)
    coupons = _coupons(rng, campaigns)
    lines = _lines(rng, orders, products)
    lines, redemptions = _redeem(rng, lines, touches, campaigns, coupons)
    lines = pd.concat([lines, _refunds(rng, lines, first, days)], ignore_index=True)
    lines = lines.sort_values(["day_number", "order_no", "line_no"], ignore_index=True)
    exported = members.drop(columns=["gap", "joined", "left"])
    # A few members buy without ever having filled in a profile.
    return Shop(_spoilt(_written(lines)), exported.iloc[:-40], products, campaigns, touches, coupons, redemptions)


def _members(rng: np.random.Generator, first: pd.Timestamp, days: int) -> pd.DataFrame:
    number = np.arange(MEMBERS)
    joined = np.where(number % 5 < 3, -rng.integers(5, 200, MEMBERS), rng.integers(0, days - 10, MEMBERS))
    gap = np.exp(rng.normal(np.log(26), 0.8, MEMBERS)).clip(2.5, 120)
    return pd.DataFrame(
        {
            "member_no": [f"u{i:05d}" for i in number],
            "real_name": [f"{NAME_PREFIX}{i:04d}" for i in number],
            "mobile": [phone(i) for i in number],
            "registered_at": utc_text(first + pd.to_timedelta(joined * 24 + 10, unit="h").to_series(index=number)),
            "gender": rng.choice(["female", "male", ""], MEMBERS, p=[0.55, 0.35, 0.1]),
            "age_band": rng.choice(["18-24", "25-34", "35-44", "45-59"], MEMBERS),
            "region": rng.choice(["华东", "华南", "华北", "西南"], MEMBERS),
            "gap": gap,  # mean days between orders
            "joined": joined,
            "left": joined + rng.exponential(280, MEMBERS) + 15,  # the day after which nothing is bought
        }
    )


def _products(rng: np.random.Generator) -> pd.DataFrame:
    number = np.arange(PRODUCTS)
    prices = rng.integers(900, 26000, PRODUCTS) / 100
    return pd.DataFrame(
        {
            "product_no": [f"P{i:04d}" for i in number],
            "name": [f"商品 {i}" for i in number],
            "brand": [f"品牌{i % 12}" for i in number],
            "category_1": [f"大类{i % 4}" for i in number],
            "category_2": [f"小类{i % 20}" for i in number],
            "kind": ["service" if i == 0 else "goods" for i in number],
            "list_price": [f"{p:.2f}" for p in prices],
        }
    )


def _orders(rng: np.random.Generator, members: pd.DataFrame, first: pd.Timestamp, days: int) -> pd.DataFrame:
    """One row per order: member (-1 = none), moment in Shanghai."""
    draws = 150
    # Gamma gaps of shape 2: more regular than chance, so "late for this member" says something.
    gaps = rng.gamma(2.0, 1 / 2.0, (MEMBERS, draws)) * members["gap"].to_numpy()[:, None]
    at = members["joined"].to_numpy()[:, None] + np.cumsum(gaps, axis=1)
    bought = (at >= 0) & (at < np.minimum(members["left"].to_numpy(), days)[:, None])
    who, which = np.nonzero(bought)
    day = np.floor(at[who, which]).astype(int)
    anonymous = rng.integers(0, days, 3 * days)
    who, day = np.concatenate([who, np.full(len(anonymous), -1)]), np.concatenate([day, anonymous])
    night = rng.random(len(day)) < 0.25
    second = np.where(night, rng.integers(0, 8 * 3600, len(day)), rng.integers(8 * 3600, 24 * 3600, len(day)))
    # The edges of the day, exactly: 16:00:00 UTC begins a business date in Shanghai.
    second[::97], second[1::97] = 0, 24 * 3600 - 1
    at = first + pd.to_timedelta(day, unit="D") + pd.to_timedelta(second, unit="s")
    orders = pd.DataFrame({"member": who, "day_number": day, "at": at}).sort_values(["at", "member"], ignore_index=True)
    return orders.assign(order_no=[f"S{i:06d}" for i in range(len(orders))])


def _lines(rng: np.random.Generator, orders: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    counts = 1 + rng.poisson(0.9, len(orders))
    lines = orders.loc[orders.index.repeat(counts)].reset_index(drop=True)
    lines["line_no"] = lines.groupby("order_no").cumcount() + 1
    # Members keep to their own corner of the catalogue.
    taste = (lines["member"].to_numpy() * 7 + rng.integers(0, 30, len(lines))) % (PRODUCTS - 1) + 1
    product = np.where(rng.random(len(lines)) < 0.02, 0, taste)  # P0000 is delivery: a service
    price = products["list_price"].astype(float).to_numpy()[product]
    quantity = 1 + (rng.random(len(lines)) < 0.2)
    cents = np.round(price * quantity * 100).astype(int)
    discount = np.where(rng.random(len(lines)) < 0.15, cents // 10, 0)
    free = rng.random(len(lines)) < 0.004  # a sample
    return lines.assign(
        product_no=products["product_no"].to_numpy()[product],
        kind="sale",
        quantity=quantity,
        unit_price=np.where(free, 0, np.round(price * 100).astype(int)),
        list_amount=cents,
        amount=np.where(free, 0, cents - discount),
        store_discount=np.where(free, cents, discount),
        coupon_discount=0,
    )


def _campaigns(first: pd.Timestamp, days: int) -> pd.DataFrame:
    starts = [first + pd.Timedelta(days=20 + 40 * i) for i in range((days - 40) // 40 + 1)]
    return pd.DataFrame(
        {
            "campaign_no": [f"C{i:02d}" for i in range(len(starts))],
            "title": [f"活动 {i}" for i in range(len(starts))],
            "type": ["coupon" if i % 2 else "gift" for i in range(len(starts))],
            "from_day": [s.strftime("%Y-%m-%d") for s in starts],
            "to_day": [(s + pd.Timedelta(days=29)).strftime("%Y-%m-%d") for s in starts],
        }
    )


def _touches(rng: np.random.Generator, members: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for number, campaign in enumerate(campaigns.itertuples()):
        chosen = np.sort(rng.choice(MEMBERS, 320, replace=False))
        sent = pd.Timestamp(campaign.from_day) + pd.Timedelta(hours=10)
        # Every third campaign's list has no time: the campaign's first day stands for it.
        parts.append(
            pd.DataFrame(
                {
                    "member_no": members["member_no"].to_numpy()[chosen],
                    "campaign_no": campaign.campaign_no,
                    "channel": "sms",
                    "status": "sent",
                    "sent_at": "" if number % 3 == 2 else utc_text(sent),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _coupons(rng: np.random.Generator, campaigns: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (f"K{campaign}", campaign, f"P{product:04d}")
        for campaign in campaigns["campaign_no"]
        for product in sorted(rng.choice(np.arange(1, PRODUCTS), 45, replace=False))
    ]
    rows.append(rows[0])  # listed twice, as exports do
    return pd.DataFrame(rows, columns=["coupon_no", "campaign_no", "product_no"])


def _redeem(
    rng: np.random.Generator,
    lines: pd.DataFrame,
    touches: pd.DataFrame,
    campaigns: pd.DataFrame,
    coupons: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Touched members take a coupon for a product they buy during the campaign: on the business date of the order."""
    sold = lines[lines["member"] >= 0].assign(
        line=lambda f: f.index,
        member_no=lambda f: f["member"].map("u{:05d}".format),
        on=lambda f: f["at"].dt.normalize(),
    )
    offers = touches.merge(campaigns, on="campaign_no").merge(coupons.drop_duplicates(), on="campaign_no")
    taken = sold.merge(offers, on=["member_no", "product_no"])
    within = (taken["on"] >= pd.to_datetime(taken["from_day"])) & (taken["on"] <= pd.to_datetime(taken["to_day"]))
    taken = taken[within & (taken["amount"] > 0) & (rng.random(len(taken)) < 0.8)]
    lines = lines.copy()
    lines.loc[taken["line"], "coupon_discount"] = lines.loc[taken["line"], "amount"] // 5
    redemptions = taken.assign(redeemed_on=taken["on"].dt.strftime("%Y-%m-%d"))
    columns = ["member_no", "coupon_no", "campaign_no", "redeemed_on"]
    return lines, redemptions[columns].drop_duplicates().sort_values(["redeemed_on", *columns[:3]], ignore_index=True)


def _refunds(rng: np.random.Generator, lines: pd.DataFrame, first: pd.Timestamp, days: int) -> pd.DataFrame:
    """Three lines in a hundred come back within ten days, under a number of their own."""
    back = lines[(rng.random(len(lines)) < 0.03) & (lines["amount"] > 0)].copy()
    back["at"] = back["at"] + pd.to_timedelta(rng.integers(1, 10, len(back)), unit="D")
    back["day_number"] = (back["at"].dt.normalize() - first).dt.days
    back = back[back["day_number"] < days].reset_index(drop=True)
    back["order_no"] = [f"R{i:05d}" for i in range(len(back))]
    back["line_no"] = 1
    for column in ("quantity", "amount", "list_amount"):
        back[column] = -back[column]
    return back.assign(kind="refund", store_discount=0, coupon_discount=0)


def _written(lines: pd.DataFrame) -> pd.DataFrame:
    """Lines as the order system writes them: UTC text, money with two decimals, a name and a phone nobody mapped."""
    member = lines["member"].to_numpy()
    money = {
        name: (lines[name] / 100).map("{:.2f}".format)
        for name in ("unit_price", "list_amount", "amount", "store_discount", "coupon_discount")
    }
    return pd.DataFrame(
        {
            "day": (pd.Timestamp(FIRST_DAY) + pd.to_timedelta(lines["day_number"], unit="D")).dt.date,
            "order_no": lines["order_no"],
            "line_no": lines["line_no"],
            "ordered_at_utc": utc_text(lines["at"]),
            "member_no": np.where(member < 0, "", lines["member"].map("u{:05d}".format)),
            "customer_name": np.where(member < 0, "", lines["member"].map((NAME_PREFIX + "{:04d}").format)),
            "customer_phone": np.where(member < 0, "", lines["member"].map(phone)),
            "product_no": lines["product_no"],
            "kind": lines["kind"],
            "quantity": lines["quantity"],
            **money,
            "store": "online",
        }
    )


def _spoilt(lines: pd.DataFrame) -> pd.DataFrame:
    """Four lines with a name where a quantity belongs: fewer than refuse a file, each one a quarantined row."""
    broken = (lines["day"] == BAD_ROWS_DAY) & (lines["kind"] == "sale")
    chosen = lines.index[broken][:BAD_ROWS]
    quantities = lines["quantity"].astype(str)
    quantities[chosen] = NAME_PREFIX + "9999"
    return lines.assign(quantity=quantities)


# ---- configuration -----------------------------------------------------------------------------------------------

BRAND_YML: dict = {
    "brand": BRAND,
    "label_zh": "小店",
    "label_en": "Small shop",
    "zone": ZONE,
    "currency": "CNY",
    "clock": {"as_of": "latest_fact"},
    "calendar_start": FIRST_DAY,
    "parameters": PARAMETERS,
    "publish": {"keep_versions": 3},
}

_ORDERS: dict = {
    "source_system": "shop",
    "reader": {"kind": "csv", "path": f"{BRAND}/orders/{{date}}.csv"},
    "timestamps_in": "UTC",
    "entities": {
        "order_lines": {
            "fields": {
                "order_key": "order_no",
                "order_line_number": "line_no",
                "ordered_at": "ordered_at_utc",
                "member_key": "member_no",
                "product_code": "product_no",
                "line_kind": "kind",
                "quantity": "quantity",
                "unit_price": "unit_price",
                "list_amount": "list_amount",
                "line_amount": "amount",
                "store_discount_amount": "store_discount",
                "coupon_discount_amount": "coupon_discount",
                "currency_code": "'CNY'",
                "store_code": "store",
            }
        }
    },
    "cleaning_rules": [
        {
            "code": "member_missing",
            "entity": "order_lines",
            "when": "member_no is null",
            "label_zh": "匿名",
            "label_en": "No member",
        }
    ],
}

SOURCES_YML: dict[str, dict] = {
    "orders": _ORDERS,
    "orders_history": _ORDERS | {"reader": {"kind": "csv", "path": f"{BRAND}/orders_history.csv"}},
    "members": {
        "fields": {
            "member_key": "member_no",
            "registered_at": "registered_at",
            "gender": "gender",
            "age_band": "age_band",
            "region": "region",
        }
    },
    "products": {
        "fields": {
            "product_code": "product_no",
            "product_name": "name",
            "brand_name": "brand",
            "category_l1_name": "category_1",
            "category_l2_name": "category_2",
            "product_kind": "kind",
        }
    },
    "campaigns": {
        "fields": {
            "campaign_code": "campaign_no",
            "campaign_name": "title",
            "campaign_type": "type",
            "starts_on": "from_day",
            "ends_on": "to_day",
        }
    },
    "touches": {
        "fields": {
            "member_key": "member_no",
            "campaign_code": "campaign_no",
            "channel": "channel",
            "message_key": "'list'",  # a member is on a campaign's list once
            "touch_type": "status",
            "touched_at": "sent_at",
        }
    },
    "coupons": {
        "entity": "coupon_products",
        "fields": {"coupon_code": "coupon_no", "campaign_code": "campaign_no", "product_code": "product_no"},
    },
    "redemptions": {
        "entity": "coupon_redemptions",
        "fields": {
            "member_key": "member_no",
            "coupon_code": "coupon_no",
            "campaign_code": "campaign_no",
            "redeemed_on": "redeemed_on",
        },
    },
}


def write_configuration(brands: Path) -> None:
    """brands/small_shop/brand.yml and its sources."""
    folder = brands / BRAND
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    _dump(folder / "brand.yml", BRAND_YML)
    for name, source in SOURCES_YML.items():
        if "reader" not in source:
            source = {
                "source_system": "shop",
                "reader": {"kind": "csv", "path": f"{BRAND}/{name}.csv"},
                "timestamps_in": "UTC",
                "entities": {source.get("entity", name): {"fields": source["fields"]}},
            }
        _dump(folder / "sources" / f"{name}.yml", source)


def _dump(path: Path, document: dict) -> None:
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
