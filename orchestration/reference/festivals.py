"""Shopping festivals as dated windows, and the clocks that align one year's campaign with another's.

The windows stand in festivals.yml. Public holidays belong in `orchestration.reference.days`; a brand's own campaigns are
data of the brand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml

from orchestration.reference.lunar import gregorian_date, lunar_new_year

FESTIVALS_FILE = Path(__file__).with_name("festivals.yml")

_DAY = timedelta(days=1)


class FestivalError(ValueError):
    """festivals.yml cannot be used; str() names the festival, the key and what to write instead."""


@dataclass(frozen=True)
class Window:
    """A phase of one year's festival: from `starts_at` up to, and without, `ends_at`, both UTC.

    `basis` is listed for a schedule that was announced, rule for a year without one.
    """

    festival_code: str
    festival_year: int
    phase_code: str
    phase_number: int
    starts_at: datetime
    ends_at: datetime
    basis: Literal["listed", "rule"]
    zone: ZoneInfo

    @property
    def first_day(self) -> date:
        return self.starts_at.astimezone(self.zone).date()

    @property
    def last_day(self) -> date:
        """The last calendar day in the festival's zone of which the window holds a moment."""
        return (self.ends_at - timedelta(microseconds=1)).astimezone(self.zone).date()


@dataclass(frozen=True)
class Festival:
    """A festival of every year from `first_year` on. `precedence` 0 wins a day that two festivals claim."""

    code: str
    label_zh: str
    label_en: str
    first_year: int
    precedence: int
    anchor_kind: str
    anchor_value: tuple[int, ...]
    rule_days: tuple[int, int]
    listed: tuple[Window, ...]
    zone: ZoneInfo

    def anchor(self, year: int) -> date:
        """Campaign day 0 of that year's festival."""
        if self.anchor_kind == "month_day":
            return date(year, *self.anchor_value)
        if self.anchor_kind == "lunar_month_day":
            return gregorian_date(year, *self.anchor_value)
        return lunar_new_year(year) + timedelta(days=self.anchor_value[0])

    def windows(self, year: int) -> tuple[Window, ...]:
        """The year's phases in order of their start; none before `first_year`."""
        if year < self.first_year:
            return ()
        if listed := tuple(window for window in self.listed if window.festival_year == year):
            return listed
        first, last = (self.anchor(year) + timedelta(days=days) for days in self.rule_days)
        starts_at, ends_at = _utc(first, self.zone), _utc(last + _DAY, self.zone)
        return (Window(self.code, year, "sale", 1, starts_at, ends_at, "rule", self.zone),)


@dataclass(frozen=True)
class CampaignDay:
    """A day within a festival: `day_index` from the anchor (0), `sale_day_number` from the day the sale opens (1).

    `sale_day_number` is None before the sale opens.
    """

    festival_code: str
    festival_year: int
    day_index: int
    sale_day_number: int | None


@dataclass(frozen=True)
class CampaignHour:
    """A moment within a phase: `day_number` counts days of 24 hours from the phase's own start, from 1.

    A sale that opens at 20:00 has its first day end at 20:00 of the next evening, so first days compare with first days.
    """

    festival_code: str
    festival_year: int
    phase_code: str
    phase_number: int
    day_number: int
    hours_since_start: float


# ---- reading festivals.yml ---------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def load_festivals() -> tuple[Festival, ...]:
    """The festivals of festivals.yml in their order. Raises FestivalError."""
    return read_festivals(yaml.safe_load(FESTIVALS_FILE.read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def phase_labels() -> dict[str, tuple[str, str]]:
    """Labels of a phase, (zh, en), by its code."""
    phases = yaml.safe_load(FESTIVALS_FILE.read_text(encoding="utf-8"))["phases"]
    return {code: (labels["label_zh"], labels["label_en"]) for code, labels in phases.items()}


def read_festivals(document: dict[str, Any]) -> tuple[Festival, ...]:
    """Festivals from a parsed festivals.yml. Raises FestivalError where a window could mean two things."""
    zone, phases = ZoneInfo(document["zone"]), set(document["phases"])
    festivals = tuple(
        _festival(entry, precedence, zone, phases) for precedence, entry in enumerate(document["festivals"])
    )
    codes = [festival.code for festival in festivals]
    if repeated := sorted({code for code in codes if codes.count(code) > 1}):
        raise FestivalError(f"festivals.yml: {', '.join(repeated)} stands there twice; give each festival one entry")
    return festivals


def _festival(entry: dict[str, Any], precedence: int, zone: ZoneInfo, phases: set[str]) -> Festival:
    code = entry["code"]
    ((kind, value),) = entry["anchor"].items()
    if kind not in ("month_day", "lunar_month_day", "lunar_new_year"):
        raise FestivalError(f"festivals.yml: {code}: anchor {kind}; write month_day, lunar_month_day or lunar_new_year")
    listed = [
        window
        for year, windows in sorted((entry.get("years") or {}).items())
        for window in _listed(code, year, windows, zone, phases)
    ]
    return Festival(
        code=code,
        label_zh=entry["label_zh"],
        label_en=entry["label_en"],
        first_year=entry["first_year"],
        precedence=precedence,
        anchor_kind=kind,
        anchor_value=tuple(int(part) for part in str(value).split("-")),
        rule_days=(entry["rule"]["from_day"], entry["rule"]["to_day"]),
        listed=tuple(listed),
        zone=zone,
    )


def _listed(code: str, year: int, entries: list[dict[str, str]], zone: ZoneInfo, phases: set[str]) -> list[Window]:
    windows: list[Window] = []
    for entry in entries:
        where = f"festivals.yml: {code}: {year}"
        if entry["phase"] not in phases:
            raise FestivalError(f"{where}: phase {entry['phase']}; known phases: {', '.join(sorted(phases))}")
        number = 1 + sum(window.phase_code == entry["phase"] for window in windows)
        starts_at, ends_at = (_moment(entry[key], zone, where) for key in ("starts", "ends"))
        if starts_at >= ends_at:
            raise FestivalError(f"{where}: {entry['phase']} ends {entry['ends']}, not after its start")
        if windows and starts_at < windows[-1].ends_at:
            raise FestivalError(f"{where}: {entry['phase']} starts {entry['starts']}, within the phase before it")
        windows.append(Window(code, year, entry["phase"], number, starts_at, ends_at, "listed", zone))
    if not any(window.phase_code == "sale" for window in windows):
        raise FestivalError(f"festivals.yml: {code}: {year}: lists no sale; a year is listed whole or left to the rule")
    return windows


def _moment(text: str, zone: ZoneInfo, where: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=zone).astimezone(UTC)
    except (TypeError, ValueError) as error:
        raise FestivalError(f"{where}: {text!r} is not a time; write it like 2022-10-31 20:00") from error


def _utc(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which a day begins in the zone."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


# ---- clocks ------------------------------------------------------------------------------------------------------


def festival(code: str) -> Festival:
    """The festival of that code. Raises FestivalError."""
    for candidate in load_festivals():
        if candidate.code == code:
            return candidate
    raise FestivalError(f"no festival {code}; known codes: {', '.join(f.code for f in load_festivals())}")


def festival_windows(first: date, last: date) -> list[Window]:
    """Every phase of every festival that has a moment within the days `first` to `last`, ordered by start and code."""
    found = [
        window
        for one in load_festivals()
        for year in range(first.year - 1, last.year + 2)
        for window in one.windows(year)
        if window.first_day <= last and window.last_day >= first
    ]
    return sorted(found, key=lambda window: (window.starts_at, window.festival_code))


def campaign_days(day: date) -> tuple[CampaignDay, ...]:
    """The festivals a day lies in, the one that takes precedence first; empty on a day of none.

    A festival lasts from its first phase to its last: the days between two waves of a sale belong to it.
    """
    seasons = (*_seasons(day.year), *_seasons(day.year + 1))  # new year goods may begin in the December before
    held = [season for season in seasons if season.first_day <= day <= season.last_day]
    return tuple(_campaign_day(season, day) for season in sorted(held, key=lambda season: season.precedence))


@dataclass(frozen=True)
class _Season:
    """One year's festival in whole days: `opening` is the day on which the sale opens, `anchor` campaign day 0."""

    festival_code: str
    year: int
    precedence: int
    first_day: date
    last_day: date
    opening: date
    anchor: date


@lru_cache(maxsize=512)
def _seasons(year: int) -> tuple[_Season, ...]:
    seasons = []
    for one in load_festivals():
        if windows := one.windows(year):
            opening = next(window.first_day for window in windows if window.phase_code == "sale")
            first, last = windows[0].first_day, windows[-1].last_day
            seasons.append(_Season(one.code, year, one.precedence, first, last, opening, one.anchor(year)))
    return tuple(seasons)


def _campaign_day(season: _Season, day: date) -> CampaignDay:
    number = (day - season.opening).days + 1
    index = (day - season.anchor).days
    return CampaignDay(season.festival_code, season.year, index, number if number >= 1 else None)


def campaign_day(day: date, festival_code: str) -> int:
    """Days from the nearest anchor of a festival to `day`: 0 on it, negative before. Raises FestivalError."""
    one = festival(festival_code)
    anchors = [one.anchor(year) for year in (day.year - 1, day.year, day.year + 1)]
    return min(((day - anchor).days for anchor in anchors), key=lambda days: (abs(days), days))


def same_campaign_day(day: date, festival_code: str, years: int = -1) -> date:
    """The day with the same campaign day as `day`, `years` later (earlier when negative). Raises FestivalError."""
    one = festival(festival_code)
    index = campaign_day(day, festival_code)
    anchor = day - timedelta(days=index)
    return one.anchor(anchor.year + years) + timedelta(days=index)


def campaign_hour(instant: datetime, festival_code: str) -> CampaignHour | None:
    """Where an instant stands in the running phase of a festival; None outside. Raises ValueError without a zone."""
    if instant.tzinfo is None:
        raise ValueError("the instant has no zone; give a datetime in UTC")
    one = festival(festival_code)
    year = instant.astimezone(one.zone).year
    for window in (*one.windows(year), *one.windows(year + 1)):
        if window.starts_at <= instant < window.ends_at:
            elapsed = instant - window.starts_at
            return CampaignHour(
                festival_code=one.code,
                festival_year=window.festival_year,
                phase_code=window.phase_code,
                phase_number=window.phase_number,
                day_number=elapsed // _DAY + 1,
                hours_since_start=elapsed / timedelta(hours=1),
            )
    return None
