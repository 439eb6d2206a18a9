"""When things happen: the multiplier of every hour of the period for purchases and for visits, by kind of day-taker.

Festivals follow one rule for every year (Tmall's schedule of 2025, and that of 2023 for 618, whose last edition had a
presale of three days). What people buy belongs in `orders`; how often one person buys in `population`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from simulator.config import SimulatorConfig

# Share of events by hour in Taobao UserBehavior (545 users, 2017-11-25 to 12-03), smoothed by hand below 5 a.m.
_HOURS = np.array(
    [
        3.9,
        1.7,
        0.8,
        0.45,
        0.45,
        0.75,
        1.7,
        2.65,
        3.4,
        4.1,
        4.2,
        4.5,
        4.0,
        5.3,
        5.2,
        5.2,
        5.1,
        4.4,
        4.8,
        6.2,
        7.3,
        9.0,
        8.4,
        6.3,
    ]
)
# Kinds of day-takers: when they have time, in hours; their mixture gives back the curve above.
HOUR_TYPES = ("commuter", "lunch", "evening", "night")
HOUR_TYPE_SHARES = (0.22, 0.24, 0.34, 0.20)
_PEAKS = (8.0, 13.0, 20.5, 23.0)

# Spring Festival by Gregorian year: parcels stop, shops close.
_NEW_YEAR = {
    2023: (1, 22), 2024: (2, 10), 2025: (1, 29), 2026: (2, 17), 2027: (2, 6), 2028: (1, 26), 2029: (2, 13), 2030: (2, 3),
}  # fmt: skip


@dataclass(frozen=True)
class Festival:
    """A sale: presale (deposits) first where there is one, then the sale. Times are (month, day, hour), local."""

    code: str
    label_zh: str
    label_en: str
    sale: tuple[tuple[int, int, int], tuple[int, int, int]]
    purchase_lift: float  # of a sale hour, besides the peaks
    visit_lift: float
    presale: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
    peaks: tuple[tuple[int, int, int], ...] = ()  # openings: four hours of rush


FESTIVALS = (
    Festival("double_11", "双11", "Double 11", ((10, 20, 20), (11, 15, 0)), 1.9, 1.5,
             ((10, 15, 20), (10, 20, 20)), ((10, 20, 20), (10, 31, 20), (11, 10, 20))),
    Festival("mid_year_618", "618年中大促", "618 Mid-year Sale", ((5, 31, 20), (6, 21, 0)), 1.7, 1.4,
             ((5, 26, 20), (5, 31, 20)), ((5, 31, 20), (6, 17, 20))),
    Festival("double_12", "双12", "Double 12", ((12, 11, 20), (12, 13, 0)), 1.8, 1.4, None, ((12, 11, 20),)),
    Festival("womens_day_38", "3.8女神节", "Women's Day Sale", ((3, 5, 20), (3, 9, 0)), 2.0, 1.4, None, ((3, 5, 20),)),
    Festival("double_9", "99划算节", "9.9 Bargain Festival", ((9, 8, 20), (9, 11, 0)), 1.4, 1.2),
    Festival("love_day_520", "520", "520 (I Love You Day)", ((5, 18, 0), (5, 21, 0)), 1.5, 1.2),
)  # fmt: skip
_PRESALE_LIFT = 1.1
_PEAK_LIFT = 9.0
_OPENING_HOURS = 4


@dataclass(frozen=True)
class Window:
    """A festival of one year, in seconds from the start of the period (may lie partly outside)."""

    festival: Festival
    year: int
    presale: tuple[int, int] | None
    sale: tuple[int, int]


@dataclass(frozen=True)
class Seasons:
    """Weights of the period's hours. Arrays are (hour types, hours + 1) running sums that begin with 0."""

    day_purchase: np.ndarray  # (days,), mean near 1
    day_visit: np.ndarray
    hour_purchase: np.ndarray  # (hour types, hours): mean 1 over the period for each type
    running_purchase: np.ndarray
    running_visit: np.ndarray
    is_festival_hour: np.ndarray  # (hours,) bool: a sale is on
    windows: tuple[Window, ...]

    def purchase_between(self, kinds: np.ndarray, since: np.ndarray, until: np.ndarray) -> np.ndarray:
        """Expected purchases of a member with one a day, between two times in seconds."""
        return (_at(self.running_purchase, kinds, until) - _at(self.running_purchase, kinds, since)).clip(min=0) / 24

    def sample(
        self, rng: np.random.Generator, kinds: np.ndarray, since: np.ndarray, until: np.ndarray, *, visits: bool = False
    ) -> np.ndarray:
        """One time (seconds) for each element, between its two times, as the curve of its kind has it."""
        running = self.running_visit if visits else self.running_purchase
        low, high = _at(running, kinds, since), _at(running, kinds, until)
        wanted = low + rng.random(len(kinds)) * (high - low)
        seconds = np.zeros(len(kinds))
        for kind in range(len(running)):
            mine = np.flatnonzero(kinds == kind)
            seconds[mine] = np.interp(wanted[mine], running[kind], np.arange(running.shape[1]) * 3600.0)
        return np.clip(seconds, since, np.maximum(until - 1, since))


def _at(running: np.ndarray, kinds: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    hours = np.clip(seconds / 3600.0, 0, running.shape[1] - 1)
    whole = np.minimum(hours.astype(np.int64), running.shape[1] - 2)
    below = running[kinds, whole]
    return below + (running[kinds, whole + 1] - below) * (hours - whole)


def hour_curves() -> np.ndarray:
    """(hour types, 24): relative weight of each hour of the day, mean 1; all types together follow Taobao's curve."""
    hours = np.arange(24)
    curves = []
    for peak in _PEAKS:
        distance = np.minimum(np.abs(hours - peak), 24 - np.abs(hours - peak))
        curves.append(0.35 + 1.9 * np.exp(-0.5 * (distance / 2.6) ** 2))
    raw = np.array(curves)
    mixture = (raw * np.array(HOUR_TYPE_SHARES)[:, None]).sum(axis=0)
    wanted = raw * (_HOURS / _HOURS.mean()) / mixture
    return wanted / wanted.mean(axis=1, keepdims=True)


def festival_windows(config: SimulatorConfig) -> tuple[Window, ...]:
    """Festivals whose sale touches the period, by date."""
    origin = datetime.combine(config.start, datetime.min.time())

    def second(year: int, point: tuple[int, int, int]) -> int:
        return int((datetime(year, point[0], point[1]) + timedelta(hours=point[2]) - origin).total_seconds())

    found = []
    for year in range(config.start.year, config.end.year + 1):
        for festival in FESTIVALS:
            sale = (second(year, festival.sale[0]), second(year, festival.sale[1]))
            if sale[1] <= 0 or sale[0] >= config.seconds:
                continue
            presale = (
                (second(year, festival.presale[0]), second(year, festival.presale[1])) if festival.presale else None
            )
            found.append(Window(festival, year, presale, sale))
    return tuple(sorted(found, key=lambda w: w.sale))


def new_year_days(config: SimulatorConfig) -> list[int]:
    """Day numbers of lunar new year within reach of the period."""
    return [
        (date(year, *_NEW_YEAR[year]) - config.start).days
        for year in range(config.start.year, config.end.year + 1)
        if year in _NEW_YEAR
    ]


def build_seasons(config: SimulatorConfig) -> Seasons:
    days = np.arange(config.days)
    weekday = (config.start.weekday() + days) % 7
    purchase = np.where(weekday >= 5, 1.12, 0.96) * (1 + 0.06 * days / 365)
    visit = np.where(weekday >= 5, 1.08, 0.97) * (1 + 0.06 * days / 365)
    for new_year in new_year_days(config):
        dip = np.exp(-0.5 * ((days - new_year - 2) / 4.0) ** 2)
        purchase, visit = purchase * (1 - 0.62 * dip), visit * (1 - 0.35 * dip)
    hours = np.arange(config.days * 24)
    by_hour_purchase = np.repeat(purchase, 24)
    by_hour_visit = np.repeat(visit, 24)
    festival_hour = np.zeros(len(hours), dtype=bool)
    windows = festival_windows(config)
    origin = datetime.combine(config.start, datetime.min.time())
    for window in windows:
        sale = (hours * 3600 >= window.sale[0]) & (hours * 3600 < window.sale[1])
        festival_hour |= sale
        by_hour_purchase = np.where(sale, by_hour_purchase * window.festival.purchase_lift, by_hour_purchase)
        by_hour_visit = np.where(sale, by_hour_visit * window.festival.visit_lift, by_hour_visit)
        if window.presale:
            early = (hours * 3600 >= window.presale[0]) & (hours * 3600 < window.presale[1])
            by_hour_purchase = np.where(early, by_hour_purchase * _PRESALE_LIFT, by_hour_purchase)
            by_hour_visit = np.where(early, by_hour_visit * 1.3, by_hour_visit)
            before = (hours * 3600 >= window.presale[0] - 5 * 86_400) & (hours * 3600 < window.presale[0])
            by_hour_purchase = np.where(before, by_hour_purchase * 0.72, by_hour_purchase)  # people wait for the sale
        for month, day, hour in window.festival.peaks:
            opening = int((datetime(window.year, month, day) - origin).total_seconds()) // 3600 + hour
            rush = (hours >= opening) & (hours < opening + _OPENING_HOURS)
            by_hour_purchase = np.where(rush, by_hour_purchase * _PEAK_LIFT, by_hour_purchase)
            by_hour_visit = np.where(rush, by_hour_visit * 2.2, by_hour_visit)
        after = (hours * 3600 >= window.sale[1]) & (hours * 3600 < window.sale[1] + 10 * 86_400)
        by_hour_purchase = np.where(after & ~festival_hour, by_hour_purchase * 0.78, by_hour_purchase)
    curves = hour_curves()
    tiled = np.tile(curves, (1, config.days))
    hour_purchase = tiled * by_hour_purchase
    hour_visit = tiled * by_hour_visit
    scale_purchase = hour_purchase.mean(axis=1, keepdims=True)
    hour_purchase = hour_purchase / scale_purchase
    hour_visit = hour_visit / hour_visit.mean(axis=1, keepdims=True)
    start = np.zeros((len(curves), 1))
    return Seasons(
        day_purchase=by_hour_purchase.reshape(-1, 24).mean(axis=1) / by_hour_purchase.mean(),
        day_visit=by_hour_visit.reshape(-1, 24).mean(axis=1) / by_hour_visit.mean(),
        hour_purchase=hour_purchase,
        running_purchase=np.hstack([start, np.cumsum(hour_purchase, axis=1)]),
        running_visit=np.hstack([start, np.cumsum(hour_visit, axis=1)]),
        is_festival_hour=festival_hour,
        windows=windows,
    )
