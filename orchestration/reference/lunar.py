"""Dates of the Chinese lunar calendar, and years aligned by lunar new year. The astronomy is lunar_python's.

Holidays belong in `orchestration.reference.days`, festivals in `orchestration.reference.festivals`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from lunar_python import LunarYear, Solar

# Lunar years asked for; the library knows far more, these are tested.
FIRST_YEAR, LAST_YEAR = 1990, 2100


@dataclass(frozen=True)
class LunarDate:
    """A day of the lunar calendar: month 1 to 12, day 1 to 30; a leap month repeats the number of the one before it."""

    year: int
    month: int
    day: int
    is_leap_month: bool


@dataclass(frozen=True)
class _Month:
    first: date
    days: int
    year: int
    month: int
    is_leap: bool


@lru_cache(maxsize=256)
def _months(year: int) -> tuple[_Month, ...]:
    """The 12 or 13 months of a lunar year."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"lunar year {year} lies outside {FIRST_YEAR} to {LAST_YEAR}")
    months = []
    for month in LunarYear.fromYear(year).getMonthsInYear():
        first = Solar.fromJulianDay(month.getFirstJulianDay())
        day = date(first.getYear(), first.getMonth(), first.getDay())
        months.append(_Month(day, month.getDayCount(), year, abs(month.getMonth()), month.getMonth() < 0))
    return tuple(months)


def lunar_new_year(year: int) -> date:
    """The first day of the first month of lunar `year`; it lies in the same Gregorian year. Raises ValueError."""
    return _months(year)[0].first


def lunar_date(day: date) -> LunarDate:
    """The lunar date of a day. Raises ValueError outside FIRST_YEAR to LAST_YEAR."""
    year = day.year if day >= lunar_new_year(day.year) else day.year - 1
    months = _months(year)
    month = months[bisect_right([m.first for m in months], day) - 1]
    return LunarDate(month.year, month.month, (day - month.first).days + 1, month.is_leap)


def gregorian_date(year: int, month: int, day: int) -> date:
    """The day on which lunar `month`/`day` of `year` falls, in the month that is not a leap month. Raises ValueError."""
    for candidate in _months(year):
        if candidate.month == month and not candidate.is_leap and 1 <= day <= candidate.days:
            return candidate.first + timedelta(days=day - 1)
    raise ValueError(f"lunar year {year} has no day {day} of month {month}")


def nearest_lunar_new_year(day: date) -> date:
    """The lunar new year that is fewest days away; of two equally far the coming one."""
    years = [lunar_new_year(year) for year in (day.year - 1, day.year, day.year + 1)]
    return min(reversed(years), key=lambda new_year: abs((new_year - day).days))


def days_to_lunar_new_year(day: date) -> int:
    """Days until the nearest lunar new year: positive before it, 0 on it, negative after; about -192 to 192."""
    return (nearest_lunar_new_year(day) - day).days


def lunar_aligned_day(day: date, years: int = -1) -> date:
    """The day as far from the lunar new year `years` later (earlier when negative) as `day` is from its nearest.

    Days within 176 days of a lunar new year are mapped one to one and back again; around midsummer, where the nearest new
    year changes, a few days are met twice or not at all, because lunar years have 353 to 385 days.
    """
    nearest = nearest_lunar_new_year(day)
    return lunar_new_year(nearest.year + years) + (day - nearest)
