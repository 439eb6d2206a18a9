"""What is really so and no source says: written to a folder of its own, as Parquet, for scoring what is estimated.

docs/simulator.md describes every table. Nothing here may be read by anything that builds a warehouse.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from simulator import text
from simulator.behaviour import ON_APP, ON_WEB
from simulator.block import Block, World
from simulator.campaigns import ARMS, CAMPAIGNS, EXPERIMENTS, campaign_start
from simulator.files import Files
from simulator.identities import Keys, device_ids
from simulator.messages import SEND_HOURS, hour_response, open_chance
from simulator.orders import CAUSES, REPLENISHED
from simulator.population import APP, CHANNELS, JD, KINDS, MESSAGE_CHANNELS, MINI, NEVER, POS, TMALL
from simulator.recommendations import EXAMINED
from simulator.seasons import HOUR_TYPES, hour_curves
from simulator.silos.exports import MessLog
from simulator.silos.marketing_files import all_order_numbers, customer_ids
from simulator.silos.orders_files import member_keys
from simulator.tables import Table
from simulator.text import joined, pc, pick

_DAY = 86_400
_MONTH = 365.25 / 12


def write_shared_truth(world: World, files: Files) -> None:
    """Truth that belongs to no member: seasons, products, campaigns, positions."""
    _seasonality(world, files)
    _products(world, files)
    _definitions(world, files)


def write_block_truth(world: World, block: Block, keys: Keys, files: Files) -> None:
    """Truth of the members of a block."""
    _persons(world, block, keys, files)
    _identifiers(world, block, keys, files)
    _tastes(world, block["people"], keys, files)
    _responses(block["people"], keys, files)
    _effects(world, block, keys, files)
    _orders(world, block, keys, files)


def write_mess(log: MessLog, files: Files) -> None:
    files.parquet("mess.parquet", log.columns())


def future_orders(people: Table, end: int, days: float) -> np.ndarray:
    """Expected orders of each member in so many days after the period, in a season of 1 and without campaigns.

    The rate includes what is bought again when it is used up: a faithful member's orders each bring on q more.
    """
    alive = people["lapsed"] > end
    rate = people["purchase_rate"] / 365 / (1 - REPLENISHED * people["replenishes"])
    death = -np.log1p(-people["hazard_monthly"]) / _MONTH
    return np.where(alive, rate * -np.expm1(-death * days) / death, 0.0)


def _persons(world: World, block: Block, keys: Keys, files: Files) -> None:
    people, config = block["people"], world.config
    end = config.seconds
    files.parquet("persons.parquet", {
        "person_id": keys.person,
        "kind": pick(KINDS, people["kind"]),
        "is_woman": pa.array(people["is_woman"]),
        "birth_date": text.day(config, people["birth_day"]).cast(pa.date32()),
        "household": joined("H", text.padded(people["household"], 9)),
        "city_row": pa.array(people["city"].astype(np.int16)),
        "has_kids": pa.array(people["has_kids"]),
        "joined_at": text.instant(config, people["joined"]),
        "home_channel": pick(CHANNELS, people["home_channel"]),
        "activity": pa.array(people["activity"]),
        "satisfaction": pa.array(people["satisfaction"]),
        "replenishes": pa.array(people["replenishes"]),
        "hour_type": pick(HOUR_TYPES, people["hour_type"]),
    })  # fmt: skip
    orders = block["orders"]
    value = (
        np.bincount(orders["person"], weights=orders["payable"], minlength=len(people["person"])).sum()
        / max(len(orders["at"]), 1)
        / 100
    )
    columns = {
        "person_id": keys.person,
        "purchase_rate_yearly": pa.array(people["purchase_rate"]),
        "hazard_monthly": pa.array(people["hazard_monthly"]),
        "lapsed_at": text.instant(config, people["lapsed"]),
        "is_alive_at_end": pa.array(people["lapsed"] > end),
    }
    for days in (30, 90, 180, 365):
        columns[f"expected_orders_{days}d"] = pa.array(future_orders(people, end, days))
    columns["expected_value_365d"] = pa.array(np.round(future_orders(people, end, 365) * value, 4))
    files.parquet("hazards.parquet", columns)
    files.parquet("price_sensitivity.parquet", {
        "person_id": keys.person, "price_sensitivity": pa.array(people["price_sensitivity"]),
    })  # fmt: skip


def _identifiers(world: World, block: Block, keys: Keys, files: Files) -> None:
    """One row per identifier, person and time of validity; of crawlers with no person."""
    people, config = block["people"], world.config
    never = np.full(len(people["person"]), NEVER)
    accounts, changed = people["accounts"], people["phone_changed"]
    joined_at = people["joined"]
    crm = people["crm"]
    parts: list[dict[str, pa.Array]] = []

    def add(
        system: str,
        kind: str,
        value: pa.Array,
        person: pa.Array,
        since: np.ndarray,
        until: np.ndarray,
        mask: np.ndarray,
    ) -> None:
        which = np.flatnonzero(mask)
        index = pa.array(which)
        parts.append({
            "source_system": pa.repeat(pa.scalar(system), len(which)), "identifier_type": pa.repeat(pa.scalar(kind), len(which)),
            "identifier_value": value.take(index), "person_id": person.take(index),
            "valid_from": text.instant(config, since[which]), "valid_to": text.instant(config, until[which]),
        })  # fmt: skip

    def of_members(
        system: str, kind: str, value: pa.Array, since: np.ndarray, until: np.ndarray, mask: np.ndarray
    ) -> None:
        add(system, kind, value, keys.person, since, until, mask)

    in_crm = crm < NEVER
    for system, value in (
        ("crm", keys.member_no),
        ("loyalty", keys.account),
        ("marketing", keys.contact),
        ("consent", keys.member_no),
        ("external", keys.member_no),
    ):
        of_members(system, "member_key", value, crm, people["closed"] if system == "crm" else never, in_crm)
    for channel, system in ((TMALL, "tmall"), (JD, "jd"), (MINI, "miniprogram"), (APP, "app"), (POS, "pos")):
        of_members(
            system, "member_key", member_keys(keys, channel), accounts[:, channel], never, accounts[:, channel] < NEVER
        )
    of_members(
        "service", "member_key", customer_ids(people["person"]), joined_at, never, np.ones(len(never), dtype=bool)
    )
    of_members(
        "", "unionid", keys.unionid, accounts[:, MINI], never, (accounts[:, MINI] < NEVER) | (accounts[:, APP] < NEVER)
    )
    of_members("", "phone", keys.phone, joined_at, changed, np.ones(len(never), dtype=bool))
    of_members("", "phone", keys.phone_later, changed, never, changed < NEVER)
    of_members("", "email", keys.email, joined_at, never, people["has_email"])
    visits = block["visits"]
    device = device_ids(config, people, visits)
    for kind, mask in (("device_id", visits["surface"] == ON_APP), ("cookie_id", visits["surface"] == ON_WEB)):
        which = np.flatnonzero(mask)
        values = device.take(pa.array(which)).dictionary_encode()
        pair = visits["person"][which] * (len(values.dictionary) + 1) + values.indices.to_numpy(zero_copy_only=False)
        _, first, inverse = np.unique(pair, return_index=True, return_inverse=True)
        since = np.full(len(first), NEVER)
        np.minimum.at(since, inverse, visits["at"][which])
        person = visits["person"][which[first]]
        who = keys.person.take(pa.array(np.maximum(person, 0), mask=person < 0))
        add(
            "app",
            kind,
            device.take(pa.array(which[first])),
            who,
            since,
            np.full(len(first), NEVER),
            np.ones(len(first), dtype=bool),
        )
    for part in parts:
        files.parquet("identifiers.parquet", part)


def _tastes(world: World, people: Table, keys: Keys, files: Files) -> None:
    count, categories = people["taste"].shape
    files.parquet("affinities.parquet", {
        "person_id": pc.take(keys.person, pa.array(np.repeat(np.arange(count), categories))),
        "category_l2_code": pick([c[0] for c in world.catalogue.categories.l2], np.tile(np.arange(categories), count)),
        "affinity": pa.array(people["taste"].ravel()),
    })  # fmt: skip


def _responses(people: Table, keys: Keys, files: Files) -> None:
    count, channels = people["response"].shape
    person = np.repeat(np.arange(count), channels)
    channel = np.tile(np.arange(channels), count)
    mean = np.zeros(len(person))
    for hour in SEND_HOURS:
        for number in range(channels):
            mine = channel == number
            mean[mine] += open_chance(people, person[mine], number, np.full(int(mine.sum()), hour)) / len(SEND_HOURS)
    files.parquet("response_by_channel.parquet", {
        "person_id": keys.person.take(pa.array(person)),
        "channel": pick(MESSAGE_CHANNELS, channel),
        "open_rate": pa.array(mean),
    })  # fmt: skip
    response = hour_response()[people["hour_type"]]
    files.parquet("response_by_hour.parquet", {
        "person_id": keys.person.take(pa.array(np.repeat(np.arange(count), 24))),
        "hour": pa.array(np.tile(np.arange(24, dtype=np.int8), count)),
        "multiplier": pa.array(response.ravel().astype(np.float32)),
    })  # fmt: skip


def _effects(world: World, block: Block, keys: Keys, files: Files) -> None:
    assignments, units, config = block["assignments"], block["units"], world.config
    files.parquet("campaign_effects.parquet", {
        "campaign_code": pick([c.code for c in CAMPAIGNS], assignments["campaign"]),
        "person_id": keys.person.take(pa.array(assignments["person"])),
        "is_holdout": pa.array(assignments["is_holdout"]),
        "effect_orders": pa.array(assignments["effect"]),
        "has_responded": pa.array(assignments["responded"]),
        "window_from": text.instant(config, assignments["at"]),
        "window_to": text.instant(config, assignments["until"]),
    })  # fmt: skip
    files.parquet("experiment_effects.parquet", {
        "experiment_code": pick([e.code for e in EXPERIMENTS], units["experiment"]),
        "person_id": keys.person.take(pa.array(units["person"])),
        "arm": pick(ARMS, units["arm"]),
        "exposed_at": text.instant(config, units["at"]),
        "effect_orders": pa.array(units["effect"]),
        "has_responded": pa.array(units["responded"]),
        "is_logged": pa.array(units["is_logged"]),
    })  # fmt: skip


def _orders(world: World, block: Block, keys: Keys, files: Files) -> None:
    orders = block["orders"]
    cause = orders["cause"]
    code = text.where(
        cause == 2, pick([c.code for c in CAMPAIGNS], np.where(cause == 2, orders["cause_number"], -1)),
        pick([e.code for e in EXPERIMENTS], np.where(cause == 3, orders["cause_number"], -1)),
    )  # fmt: skip
    files.parquet("orders.parquet", {
        "source_system": pick(CHANNELS, orders["channel"]),
        "order_key": all_order_numbers(orders),
        "person_id": keys.person.take(pa.array(orders["person"])),
        "ordered_at": text.instant(world.config, orders["at"]),
        "cause": pick(CAUSES, cause),
        "cause_code": code,
        "paid_at": text.instant(world.config, orders["paid_at"]),
        "goods_amount": text.decimal(orders["payable"] - orders["freight"]),
        "payable_amount": text.decimal(orders["payable"]),
        "paid_amount": text.decimal(_paid(orders)),
        "refunded_amount": text.decimal(_refunded(block)),
    })  # fmt: skip


def _paid(orders: Table) -> np.ndarray:
    """Fen that came in: all of it, a deposit alone, or nothing."""
    deposit = np.where(orders["deposit_at"] < NEVER, orders["deposit"], 0)
    return np.where(orders["paid_at"] < NEVER, orders["payable"], deposit)


def _refunded(block: Block) -> np.ndarray:
    """Fen that went back, by order."""
    refunds = block["refunds"]
    back = np.where(refunds["refunded_at"] < NEVER, refunds["amount"], 0)
    return np.bincount(refunds["order"], weights=back, minlength=len(block["orders"]["at"])).astype(np.int64)


def _seasonality(world: World, files: Files) -> None:
    config, seasons = world.config, world.seasons
    days = np.arange(config.days)
    festival = np.full(config.days, "", dtype=object)
    for window in seasons.windows:
        for part, name in ((window.presale, "presale"), (window.sale, "sale")):
            if part:
                festival[max(part[0] // _DAY, 0) : max(-(-part[1] // _DAY), 0)] = f"{window.festival.code}:{name}"
    files.parquet("seasonality.parquet", {
        "business_date": text.day(config, days).cast(pa.date32()),
        "purchase_multiplier": pa.array(seasons.day_purchase),
        "visit_multiplier": pa.array(seasons.day_visit),
        "festival": pa.array([value or None for value in festival], pa.string()),
    })  # fmt: skip
    curves = hour_curves()
    files.parquet("hour_curves.parquet", {
        "hour_type": pick(HOUR_TYPES, np.repeat(np.arange(len(curves)), 24)),
        "hour": pa.array(np.tile(np.arange(24, dtype=np.int8), len(curves))),
        "multiplier": pa.array(curves.ravel()),
    })  # fmt: skip


def _products(world: World, files: Files) -> None:
    catalogue = world.catalogue
    count, partners = catalogue.partners.shape
    files.parquet("product_affinity.parquet", {
        "product_code": pick(catalogue.code, np.repeat(np.arange(count), partners)),
        "goes_with": pick(catalogue.code, catalogue.partners.ravel()),
        "share": pa.array(np.full(count * partners, 1 / partners)),
    })  # fmt: skip
    files.parquet("replenishment.parquet", {
        "product_code": pick(catalogue.code, np.arange(count)),
        "lasts_days": pa.array(catalogue.lasts_days.astype(np.int32), mask=catalogue.lasts_days == 0),
        "popularity": pa.array(catalogue.popularity * catalogue.categories.share[catalogue.l2]),
    })  # fmt: skip


def _definitions(world: World, files: Files) -> None:
    config = world.config
    files.parquet("campaigns.parquet", {
        "campaign_code": pa.array([c.code for c in CAMPAIGNS]),
        "planned_effect": pa.array([c.effect for c in CAMPAIGNS]),
        "grows_with": pa.array([c.grows_with for c in CAMPAIGNS]),
        "holdout_share": pa.array([c.holdout for c in CAMPAIGNS]),
        "starts_at": text.instant(config, np.array([campaign_start(config, c) for c in CAMPAIGNS])),
        "window_days": pa.array([c.days for c in CAMPAIGNS]),
    })  # fmt: skip
    files.parquet("experiments.parquet", {
        "experiment_code": pa.array([e.code for e in EXPERIMENTS]),
        "planned_effect": pa.array([e.effect for e in EXPERIMENTS]),
        "lost_share": pa.array([e.lost_share for e in EXPERIMENTS]),
        "outcome_days": pa.array([e.outcome_days for e in EXPERIMENTS]),
    })  # fmt: skip
    files.parquet("position_bias.parquet", {
        "position": pa.array(np.arange(1, len(EXAMINED) + 1)), "examined": pa.array(EXAMINED),
    })  # fmt: skip
