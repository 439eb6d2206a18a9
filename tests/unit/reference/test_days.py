"""The calendar against the State Council's notices on public holidays of 2024, 2025 and 2026."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from orchestration.reference.days import calendar_day, calendar_days, known_days
from orchestration.reference.lunar import lunar_new_year

# Days off by holiday (first and last), and make-up workdays, as the notices state them.
NOTICES: dict[int, tuple[list[tuple[str, str]], list[str]]] = {
    2024: (
        [
            ("01-01", "01-01"),
            ("02-10", "02-17"),
            ("04-04", "04-06"),
            ("05-01", "05-05"),
            ("06-08", "06-10"),
            ("09-15", "09-17"),
            ("10-01", "10-07"),
        ],
        ["02-04", "02-18", "04-07", "04-28", "05-11", "09-14", "09-29", "10-12"],
    ),
    2025: (
        [
            ("01-01", "01-01"),
            ("01-28", "02-04"),
            ("04-04", "04-06"),
            ("05-01", "05-05"),
            ("05-31", "06-02"),
            ("10-01", "10-08"),
        ],
        ["01-26", "02-08", "04-27", "09-28", "10-11"],
    ),
    2026: (
        [
            ("01-01", "01-03"),
            ("02-15", "02-23"),
            ("04-04", "04-06"),
            ("05-01", "05-05"),
            ("06-19", "06-21"),
            ("09-25", "09-27"),
            ("10-01", "10-07"),
        ],
        ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"],
    ),
}


def span(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def of(year: int, month_day: str) -> date:
    return date.fromisoformat(f"{year}-{month_day}")


@pytest.mark.parametrize("year", NOTICES)
def test_every_day_of_the_year_is_what_the_notice_says(year: int) -> None:
    holidays, make_up = NOTICES[year]
    off = {day for first, last in holidays for day in span(of(year, first), of(year, last))}
    worked = {of(year, day) for day in make_up}
    days = calendar_days(date(year, 1, 1), date(year, 12, 31))
    assert [d.day for d in days] == span(date(year, 1, 1), date(year, 12, 31))
    weekends = {d.day for d in days if d.day.weekday() >= 5}
    assert {d.day for d in days if d.is_make_up_workday} == worked
    assert {d.day for d in days if not d.is_workday} == (off | weekends) - worked
    # The notices count some weekends into a holiday and leave others beside it; a weekday off is always one.
    assert off - weekends <= {d.day for d in days if d.is_holiday} <= off


def test_a_holiday_has_its_names_and_a_make_up_workday_has_none() -> None:
    assert calendar_day(date(2025, 1, 29)).holiday == ("spring_festival", "春节", "Spring Festival")
    assert calendar_day(date(2026, 10, 1)).holiday == ("national_day", "国庆节", "National Day")
    assert calendar_day(date(2025, 1, 26)).is_make_up_workday
    assert calendar_day(date(2025, 1, 26)).holiday is None
    assert calendar_day(date(2025, 3, 1)).holiday is None  # a plain Saturday
    assert not calendar_day(date(2025, 3, 1)).is_holiday


def test_lunar_new_year_is_a_holiday_in_every_known_year() -> None:
    first, last = known_days()
    assert first <= date(2004, 1, 1)
    assert last >= date(2026, 12, 31)
    for year in range(first.year, last.year + 1):
        found = calendar_day(lunar_new_year(year))
        assert found.holiday is not None
        assert found.holiday[0] == "spring_festival"


def test_the_calendar_ends_with_the_last_year_that_was_announced() -> None:
    _, last = known_days()
    assert calendar_days(last, date.max)[-1].day == last
    assert calendar_days(last + timedelta(days=1), date.max) == []
    assert calendar_days(date(1990, 1, 1), date(2004, 1, 2))[0].day == date(2004, 1, 1)


def test_every_known_day_keeps_the_rules_between_its_flags() -> None:
    days = calendar_days(*known_days())
    for one in days:
        is_weekend = one.day.weekday() >= 5
        assert one.is_workday == ((not is_weekend and not one.is_holiday) or one.is_make_up_workday)
        assert not one.is_make_up_workday or is_weekend
        assert one.is_holiday == (one.holiday is not None)
    assert len(days) == len({one.day for one in days})


def test_a_year_ago_by_campaign_day() -> None:
    assert calendar_day(date(2025, 11, 11)).campaign_aligned_day == date(2024, 11, 11)
    assert calendar_day(date(2025, 1, 10)).campaign_aligned_day == date(2024, 1, 22)  # new year goods
    assert calendar_day(date(2025, 4, 10)).campaign_aligned_day is None  # no festival
    assert calendar_day(date(2017, 9, 9)).campaign_aligned_day is None  # 99 began in 2017
    assert calendar_day(date(2025, 2, 2)).lunar_aligned_day == date(2024, 2, 14)  # the fifth day of the year
