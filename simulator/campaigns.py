"""Campaigns, offers and experiments: who is in the audience, who is held out or in which arm, and what it does to each.

The effect of an assignment is drawn here as a chance of one more order; `orders` places that order. Assignment is random
and independent of everything else, so the difference between the groups is the effect. Sending is in `messages`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.config import SimulatorConfig
from simulator.population import APP, MINI, NEVER
from simulator.randomness import generator, uniform_of
from simulator.tables import Table

_DAY = 86_400


@dataclass(frozen=True)
class Offer:
    """A coupon: `threshold` and `amount` in yuan, or `rate` off."""

    kind: str  # amount_off, percent_off, free_freight, gift
    threshold: float = 0
    amount: float = 0
    rate: float = 0.0
    payer: str = "brand"
    stackable: bool = False


@dataclass(frozen=True)
class Campaign:
    """`day_share` is where in the period it starts (0 to 1), so that a short period has all of them.

    `effect` is about the mean chance of one more order within `days` that being assigned to contact gives; `grows_with` is
    the trait by which it differs between members. Below 0 it is the share of the orders in that time that contact drives away.
    """

    code: str
    name_zh: str
    name_en: str
    kind: str
    channel: str
    goal: str
    day_share: float
    days: int
    audience: str
    reach: float  # share of the eligible who are chosen
    holdout: float
    effect: float
    grows_with: str
    offer: Offer | None = None


CAMPAIGNS = (
    Campaign("C01", "盛夏防晒节", "Summer sun care", "promotion", "sms", "repurchase",
             0.03, 14, "alive", 0.45, 0.30, 0.060, "price_sensitivity", Offer("amount_off", 199, 20)),
    Campaign("C02", "新客首单礼", "Welcome offer", "welcome", "wechat", "first_order",
             0.09, 21, "new", 0.95, 0.35, 0.120, "activity", Offer("percent_off", rate=0.12)),
    Campaign("C03", "七夕香氛", "Qixi fragrance", "festival", "app_push", "sales",
             0.15, 10, "app", 0.70, 0.30, 0.070, "fragrance", None),
    Campaign("C04", "沉睡唤醒·一", "Win-back, first wave", "win_back", "sms", "win_back",
             0.20, 30, "silent", 0.60, 0.40, 0.045, "price_sensitivity", Offer("amount_off", 99, 30)),
    Campaign("C05", "双11预热", "Double 11 warm-up", "festival", "sms", "presale",
             0.285, 20, "alive", 0.50, 0.25, 0.090, "price_sensitivity", Offer("amount_off", 299, 40, stackable=True)),
    Campaign("C06", "双11加购提醒", "Double 11 basket reminder", "festival", "wechat", "conversion",
             0.345, 12, "mini", 0.75, 0.25, 0.090, "activity", None),
    Campaign("C07", "会员日", "Member day", "loyalty", "email", "repurchase", 0.44, 10, "email", 0.80, 0.35, 0.000, "none", None),
    Campaign("C08", "年货节", "New Year goods", "festival", "sms", "sales",
             0.54, 18, "alive", 0.40, 0.30, 0.055, "skincare", Offer("amount_off", 399, 50, payer="shared")),
    Campaign("C09", "生日礼遇", "Birthday gift", "loyalty", "wechat", "loyalty",
             0.61, 28, "mini", 0.35, 0.40, 0.100, "satisfaction", Offer("gift")),
    Campaign("C10", "3.8女神节", "Women's Day", "festival", "app_push", "sales",
             0.68, 9, "app", 0.85, 0.30, 0.100, "women", Offer("percent_off", rate=0.15)),
    Campaign("C11", "沉睡唤醒·二", "Win-back, second wave", "win_back", "email", "win_back",
             0.75, 30, "silent", 0.70, 0.40, 0.035, "satisfaction", Offer("free_freight", payer="brand")),
    Campaign("C12", "高频短信压力测试", "Text message fatigue", "promotion", "sms", "sales",
             0.82, 21, "alive", 0.35, 0.35, -0.200, "none", None),
    Campaign("C13", "520心意季", "520 season", "festival", "wechat", "sales",
             0.885, 7, "mini", 0.80, 0.25, 0.060, "fragrance", Offer("amount_off", 299, 30)),
    Campaign("C14", "618主会场", "618 main sale", "festival", "sms", "sales",
             0.92, 21, "alive", 0.55, 0.25, 0.085, "price_sensitivity", Offer("amount_off", 299, 50, payer="shared", stackable=True)),
)  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """`lost_share`: exposures of the second arm that never reach the log, which is what a broken split looks like."""

    code: str
    name_zh: str
    name_en: str
    channel: int  # APP or MINI: whose account is the unit
    day_share: float
    days: int
    effect: float  # mean chance of one more order within `outcome_days` of the exposure
    lost_share: float = 0.0
    outcome_days: int = 14


EXPERIMENTS = (
    Experiment("E01", "首页推荐改版", "New home page recommendations", MINI, 0.25, 21, 0.060),
    Experiment("E02", "结算按钮颜色", "Colour of the checkout button", MINI, 0.45, 21, 0.0),
    Experiment("E03", "新手引导", "Onboarding tour", APP, 0.60, 28, 0.030, lost_share=0.18),
)
ARMS = ("control", "treatment")


def campaign_start(config: SimulatorConfig, campaign: Campaign | Experiment) -> int:
    """Second of the period at which it starts: 10:00 of its first day."""
    return int(campaign.day_share * config.days) * _DAY + 10 * 3600


def eligible(
    config: SimulatorConfig, campaign: Campaign, people: Table, last_order: np.ndarray, consented: np.ndarray
) -> np.ndarray:
    """Which members the brand would contact, from what it can know at the start: mask by person."""
    start = campaign_start(config, campaign)
    known = (people["crm"] < start) & (people["closed"] > start) & consented
    silent = start - np.maximum(last_order, people["last_before"])
    rules = {
        "alive": silent < 180 * _DAY,
        "new": (start - people["joined"] < 120 * _DAY) & (people["joined"] < start),
        "silent": (silent >= 120 * _DAY) & (silent < 540 * _DAY),
        "app": people["accounts"][:, APP] < start,
        "mini": people["accounts"][:, MINI] < start,
        "email": people["has_email"],
    }
    reachable = {
        "sms": np.ones(len(silent), dtype=bool),
        "email": people["has_email"],
        "app_push": people["accounts"][:, APP] < start,
        "wechat": people["accounts"][:, MINI] < start,
    }
    return known & rules[campaign.audience] & reachable[campaign.channel]


def member_effect(campaign: Campaign, people: Table, alive: np.ndarray) -> np.ndarray:
    """Chance of one more order that contact gives each member; below 0 = the share of their orders that it drives away.

    A member who has lapsed is moved by a win-back alone, and by that only half as much.
    """
    if campaign.effect == 0:
        return np.zeros(len(alive))
    women = catalogue_taste(people, "women")
    factor = {
        "none": np.ones(len(alive)),
        "price_sensitivity": 2.2 * people["price_sensitivity"],
        "activity": np.minimum(0.4 + 0.6 * people["activity"], 2.2),
        "satisfaction": 1.3 * people["satisfaction"],
        "women": women,
        "fragrance": np.minimum(0.5 + 5.0 * catalogue_taste(people, "fragrance"), 2.5),
        "skincare": np.minimum(0.4 + 1.1 * catalogue_taste(people, "skincare"), 2.0),
    }[campaign.grows_with]
    if campaign.effect < 0:
        return np.full(len(alive), campaign.effect)
    dead = 0.5 if campaign.kind == "win_back" else 0.0
    return np.clip(campaign.effect * factor * np.where(alive, 1.25, dead), 0, 0.6)


def catalogue_taste(people: Table, what: str) -> np.ndarray:
    """A member's liking, 0 to about 1: `skincare` and `fragrance` sum the categories of that kind."""
    if what == "women":
        return np.where(people["is_woman"], 1.2, 0.3)
    # Level-2 categories stand in the order of catalogue.TREE: six of skincare first, two of fragrance after make-up.
    columns = slice(0, 6) if what == "skincare" else slice(9, 11)
    return people["taste"][:, columns].sum(axis=1)


def consents(config: SimulatorConfig, people: Table, cohort: int) -> Table:
    """One row per decision: everybody in the CRM decides on each channel when registering; some change their minds.

    Columns: person (row of the cohort), channel, at, granted.
    """
    rng = generator(config.seed, "consents", cohort)
    members = np.flatnonzero(people["crm"] < NEVER)
    parts: list[Table] = []
    for channel, (granted_share, change_share) in enumerate(((0.86, 0.05), (0.72, 0.03), (0.80, 0.05), (0.90, 0.03))):
        granted = rng.random(len(members)) < granted_share
        at = people["crm"][members]
        parts.append({"person": members, "channel": np.full(len(members), channel), "at": at, "granted": granted})
        change = (rng.random(len(members)) < change_share) & granted
        later = (np.maximum(at, 0) + rng.random(len(members)) * (config.seconds - np.maximum(at, 0))).astype(np.int64)
        parts.append({
            "person": members[change], "channel": np.full(int(change.sum()), channel),
            "at": np.maximum(later[change], at[change] + 60), "granted": np.zeros(int(change.sum()), dtype=bool),
        })  # fmt: skip
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def consent_at(decisions: Table, channel: int, moment: int, size: int) -> np.ndarray:
    """Mask by person: consent to a channel held at a moment."""
    mine = np.flatnonzero((decisions["channel"] == channel) & (decisions["at"] <= moment))
    order = mine[np.argsort(decisions["at"][mine], kind="stable")]
    held = np.zeros(size, dtype=bool)
    held[decisions["person"][order]] = decisions["granted"][order]  # of several the last assignment stays
    return held


def experiment_units(config: SimulatorConfig, experiment: Experiment, people: Table, number: int, cohort: int) -> Table:
    """One row per unit of an experiment: person (row), arm, exposed at, effect, is_logged.

    Only members who come by during the experiment are exposed; the split is 50 : 50.
    """
    rng = generator(config.seed, f"experiment {experiment.code}", cohort)
    start = campaign_start(config, experiment)
    end = min(start + experiment.days * _DAY, config.seconds)
    drawn = rng.random(len(people["person"]))
    at = (start + rng.random(len(drawn)) * max(end - start, 1)).astype(np.int64)
    visits = 1 - np.exp(-1.6 * people["activity"])
    account = people["accounts"][:, experiment.channel]
    mask = (account < at) & (people["lapsed"] > at) & (drawn < visits) & (at < config.seconds)
    arm = (uniform_of(people["person"], 900 + number) < 0.5).astype(np.int8)
    lost = rng.random(len(drawn)) < experiment.lost_share
    who = np.flatnonzero(mask)
    effect = np.clip(experiment.effect * np.minimum(0.4 + 0.6 * people["activity"], 2.2), 0, 0.5)
    return {
        "person": who,
        "experiment": np.full(len(who), number),
        "arm": arm[who],
        "at": at[who],
        "effect": effect[who],
        "is_logged": ~(lost & (arm == 1))[who],
    }


def audience(
    config: SimulatorConfig, campaign: Campaign, number: int, people: Table, mask: np.ndarray, cohort: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the members who are in a campaign, and which of them are held out."""
    rng = generator(config.seed, f"campaign {campaign.code}", cohort)
    drawn = rng.random(len(mask))
    who = np.flatnonzero(mask & (drawn < campaign.reach))
    return who, uniform_of(people["person"], 300 + number)[who] < campaign.holdout
