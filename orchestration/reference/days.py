"""The calendar of mainland China, day by day: holidays, make-up workdays, lunar dates, festivals.

Holidays are the State Council's yearly notice as chinesecalendar has it; it ends with the last year that was announced,
and so do the rows. Festivals belong in `orchestration.reference.festivals`, lunar dates in `orchestration.reference.lunar`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import chinese_calendar

from orchestration.reference.festivals import CampaignDay, campaign_days, festival, same_campaign_day
from orchestration.reference.lunar import LunarDate, days_to_lunar_new_year, lunar_aligned_day, lunar_date

# The library's English name of a holiday -> code, Chinese and English name.
_HOLIDAYS = {
    holiday.value: (holiday.name, str(getattr(holiday, "chinese")), str(holiday.value))  # noqa: B009  set in __new__
    for holiday in chinese_calendar.Holiday
}


@dataclass(frozen=True)
class CalendarDay:
    """One day. `is_holiday`: off because of a public holiday; a plain weekend is neither a holiday nor a workday."""

    day: date
    is_workday: bool
    is_holiday: bool
    is_make_up_workday: bool
    holiday: tuple[str, str, str] | None  # code, zh, en; of holidays only
    lunar: LunarDate
    days_to_lunar_new_year: int
    lunar_aligned_day: date
    campaigns: tuple[CampaignDay, ...]
    campaign_aligned_day: date | None


def known_days() -> tuple[date, date]:
    """First and last day for which the library knows holidays: whole years."""
    years = [day.year for day in chinese_calendar.holidays]
    return date(min(years), 1, 1), date(max(years), 12, 31)


def calendar_days(first: date, last: date) -> list[CalendarDay]:
    """The days `first` to `last`, cut to what the library knows; empty where that leaves none."""
    known_first, known_last = known_days()
    first, last = max(first, known_first), min(last, known_last)
    return [calendar_day(first + timedelta(days=n)) for n in range((last - first).days + 1)]


def calendar_day(day: date) -> CalendarDay:
    """One day of the calendar. Raises NotImplementedError for a year whose holidays are not known."""
    is_off, name = chinese_calendar.get_holiday_detail(day)
    is_holiday = is_off and name is not None
    campaigns = campaign_days(day)
    return CalendarDay(
        day=day,
        is_workday=not is_off,
        is_holiday=is_holiday,
        is_make_up_workday=not is_off and name is not None,
        holiday=_HOLIDAYS[name] if is_holiday else None,
        lunar=lunar_date(day),
        days_to_lunar_new_year=days_to_lunar_new_year(day),
        lunar_aligned_day=lunar_aligned_day(day),
        campaigns=campaigns,
        campaign_aligned_day=_year_ago(day, campaigns),
    )


def _year_ago(day: date, campaigns: tuple[CampaignDay, ...]) -> date | None:
    """The same campaign day of the year before, where the festival was held then."""
    if not campaigns:
        return None
    first = campaigns[0]
    if first.festival_year <= festival(first.festival_code).first_year:
        return None
    return same_campaign_day(day, first.festival_code)
