"""What belongs to the brand and to no member: product master, content, shops, campaigns, offers and advertising costs. Written once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from simulator import mess, text
from simulator.block import World
from simulator.campaigns import CAMPAIGNS, campaign_start
from simulator.catalogue import CONTENT_KINDS
from simulator.files import Files
from simulator.places import FULL_REGIONS
from simulator.randomness import generator
from simulator.silos.orders_files import store_code
from simulator.text import joined, pick, whole

BRAND_NAME = "Lumière 露米"
PLATFORMS = (("douyin", 1.0), ("xiaohongshu", 0.8), ("wechat_moments", 0.5), ("alimama", 1.4), ("jd_kuaiche", 0.4))
_WEEKLY = 8  # last snapshots of the product master that come weekly; before, one at each month's end
_DAY = 86_400


def write_brand_files(world: World, files: Files) -> None:
    for day in snapshot_days(world):
        _products(world, files, day)
    _stores(world, files)
    _content(world, files)
    _campaigns(world, files)
    _ad_costs(world, files)


def snapshot_days(world: World) -> list[int]:
    """Days at whose end the product master is taken."""
    last = world.config.days - 1
    weekly = {last - 7 * n for n in range(_WEEKLY) if last - 7 * n >= 0}
    return sorted({int(day) for day in mess.month_edges(world.config)} | weekly)


def category_of(world: World, day: int) -> np.ndarray:
    """Level-2 category of every product on a day: one level-3 category moves in the middle of the period."""
    moved_on, l3, l2 = world.catalogue.moved_l3
    return np.where((world.catalogue.l3 == l3) & (day >= moved_on), l2, world.catalogue.l2)


def _products(world: World, files: Files, day: int) -> None:
    catalogue, config = world.catalogue, world.config
    listed = np.flatnonzero(catalogue.launched <= day)
    index = pa.array(listed)
    l2 = category_of(world, day)[listed]
    l3 = catalogue.l3[listed]
    categories = catalogue.categories
    price = catalogue.list_price(listed, np.full(len(listed), day))
    files.csv(f"products/{np.datetime64(config.start) + day}.csv", {
        "sku": pick(catalogue.code, listed),
        "spu": pick(catalogue.spu, listed),
        "name": pick(catalogue.name_zh, listed),
        "name_en": pick(catalogue.name_en, listed),
        "brand": pa.repeat(pa.scalar(BRAND_NAME), len(listed)),
        "cat1_code": pick([c[0] for c in categories.l1], l2),
        "cat1": pick([c[1] for c in categories.l1], l2),
        "cat2_code": pick([c[0] for c in categories.l2], l2),
        "cat2": pick([c[1] for c in categories.l2], l2),
        "cat3_code": pick([c[0] for c in categories.l3], l3),
        "cat3": pick([c[1] for c in categories.l3], l3),
        "spec": pick(catalogue.size, listed),
        "attributes": pick(catalogue.attributes, listed),
        "list_price": text.yuan(price),
        "cost": text.yuan(catalogue.cost).take(index),
        "launched_on": text.day(config, catalogue.launched[listed]),
        "lasts_days": text.where(catalogue.lasts_days[listed] > 0, whole(catalogue.lasts_days[listed]), ""),
    })  # fmt: skip


def _stores(world: World, files: Files) -> None:
    catalogue = world.catalogue
    codes = store_code(np.arange(world.config.stores)).to_pylist()
    opened = text.day(world.config, catalogue.store_opened).to_pylist()
    files.xlsx("pos/stores.xlsx", ("门店编码", "门店名称", "门店类型", "省市", "开业日期"), [
        (codes[n], str(catalogue.store_name[n]), "专柜" if n % 3 else "直营店", FULL_REGIONS[city], opened[n])
        for n, city in enumerate(catalogue.store_city)
    ])  # fmt: skip


def _content(world: World, files: Files) -> None:
    catalogue, config = world.catalogue, world.config
    count = np.arange(len(catalogue.content_l2))
    kind = catalogue.content_kind
    at = catalogue.content_at
    names = pick([c[1] for c in catalogue.categories.l2], catalogue.content_l2)
    files.csv("content/content.csv", {
        "content_id": joined("CT", whole(count)),
        "kind": pick([c[0] for c in CONTENT_KINDS], kind),
        "title": joined(names, "｜", pick(("成分党测评", "新手必看", "换季攻略", "主播同款", "送礼指南"), count % 5), whole(count)),
        "author": pick(("露米官方", "小露老师", "达人合作", "直播间"), count % 4),
        "topic": pick(("测评", "教程", "攻略", "直播", "种草"), count % 5),
        "category": pick([c[0] for c in catalogue.categories.l2], catalogue.content_l2),
        "sku": pick(catalogue.code, catalogue.content_product),
        "published_at": text.clock(config, at),
        "ended_at": text.where(kind == 2, text.clock(config, at + 3 * 3600), ""),
    })  # fmt: skip


def _campaigns(world: World, files: Files) -> None:
    """Campaign plan and offers. The holdout's size is known to the brand; what a campaign does is not."""
    config = world.config
    starts = np.array([campaign_start(config, c) for c in CAMPAIGNS])
    ends = np.array([min(s + c.days * _DAY, config.seconds) for s, c in zip(starts, CAMPAIGNS, strict=True)])

    def texts(values: list[str]) -> pa.Array:
        return pa.array(values, pa.string())

    files.csv("marketing/campaigns.csv", {
        "campaign": texts([c.code for c in CAMPAIGNS]),
        "name": texts([c.name_zh for c in CAMPAIGNS]),
        "kind": texts([c.kind for c in CAMPAIGNS]),
        "channel": texts([c.channel for c in CAMPAIGNS]),
        "goal": texts([c.goal for c in CAMPAIGNS]),
        "starts_at": text.clock(config, starts),
        "ends_at": text.clock(config, ends),
        "holdout_share": texts([f"{c.holdout:.2f}" for c in CAMPAIGNS]),
        "budget": texts([str(20_000 + 5_000 * n) for n, _ in enumerate(CAMPAIGNS)]),
    })  # fmt: skip
    offered = [(n, c.offer) for n, c in enumerate(CAMPAIGNS) if c.offer is not None]
    which = np.array([n for n, _ in offered])
    files.csv("marketing/offers.csv", {
        "offer": texts([f"O{CAMPAIGNS[n].code[1:]}" for n, _ in offered]),
        "campaign": texts([CAMPAIGNS[n].code for n, _ in offered]),
        "name": texts([f"{CAMPAIGNS[n].name_zh}券" for n, _ in offered]),
        "kind": texts([o.kind for _, o in offered]),
        "threshold": texts([f"{o.threshold:g}" for _, o in offered]),
        "amount": texts([f"{o.amount:g}" if o.amount else "" for _, o in offered]),
        "rate": texts([f"{o.rate:g}" if o.rate else "" for _, o in offered]),
        "payer": texts([o.payer for _, o in offered]),
        "valid_from": text.clock(config, starts[which]),
        "valid_to": text.clock(config, ends[which]),
        "stackable": texts(["1" if o.stackable else "0" for _, o in offered]),
    })  # fmt: skip


def _ad_costs(world: World, files: Files) -> None:
    config = world.config
    rng = generator(config.seed, "ad costs")
    days = np.tile(np.arange(config.days), len(PLATFORMS))
    platform = np.repeat(np.arange(len(PLATFORMS)), config.days)
    size = np.array([share for _, share in PLATFORMS])[platform]
    spend = (
        config.members / 20_000 * 2_400 * size * world.seasons.day_visit[days] * np.exp(rng.normal(0, 0.2, len(days)))
    )
    shown = spend * rng.uniform(25, 45, len(days))
    clicks = shown * rng.uniform(0.008, 0.02, len(days))
    campaign = np.full(len(days), -1)
    for number, c in enumerate(CAMPAIGNS):
        start = campaign_start(config, c) // _DAY
        campaign = np.where(
            (days >= start) & (days < start + c.days) & (platform == number % len(PLATFORMS)), number, campaign
        )
    codes = pick([c.code for c in CAMPAIGNS], campaign)
    files.csv("marketing/ad_costs.csv", {
        "date": text.day(config, days),
        "platform": pick([name for name, _ in PLATFORMS], platform),
        "plan": joined(pick([name for name, _ in PLATFORMS], platform), "_always_on"),
        "campaign": text.where(campaign >= 0, codes, ""),
        "cost": text.yuan((spend * 100).astype(np.int64)),
        "impressions": whole(shown.astype(np.int64)),
        "clicks": whole(clicks.astype(np.int64)),
    })  # fmt: skip
