"""Lunar dates against published tables, and properties of the alignment by lunar new year."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.reference.lunar import (
    LunarDate,
    days_to_lunar_new_year,
    gregorian_date,
    lunar_aligned_day,
    lunar_date,
    lunar_new_year,
)

# Hong Kong Observatory, Gregorian-Lunar calendar conversion tables.
NEW_YEARS = {
    2016: date(2016, 2, 8),
    2017: date(2017, 1, 28),
    2018: date(2018, 2, 16),
    2019: date(2019, 2, 5),
    2020: date(2020, 1, 25),
    2021: date(2021, 2, 12),
    2022: date(2022, 2, 1),
    2023: date(2023, 1, 22),
    2024: date(2024, 2, 10),
    2025: date(2025, 1, 29),
    2026: date(2026, 2, 17),
    2027: date(2027, 2, 6),
    2028: date(2028, 1, 26),
}
DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize(("year", "day"), NEW_YEARS.items())
def test_new_years_are_the_published_ones(year: int, day: date) -> None:
    assert lunar_new_year(year) == day
    assert lunar_date(day) == LunarDate(year, 1, 1, False)
    assert lunar_date(day - timedelta(days=1)).year == year - 1


@pytest.mark.parametrize(
    ("day", "lunar"),
    [
        (date(2023, 3, 22), LunarDate(2023, 2, 1, True)),  # leap second month
        (date(2025, 7, 25), LunarDate(2025, 6, 1, True)),  # leap sixth month
        (date(2024, 9, 17), LunarDate(2024, 8, 15, False)),  # Mid-Autumn
        (date(2025, 10, 6), LunarDate(2025, 8, 15, False)),
        (date(2025, 5, 31), LunarDate(2025, 5, 5, False)),  # Dragon Boat
        (date(2026, 6, 19), LunarDate(2026, 5, 5, False)),
        (date(2033, 12, 22), LunarDate(2033, 11, 1, True)),  # the year that older tables get wrong
        (date(2057, 9, 29), LunarDate(2057, 9, 1, False)),  # new moon minutes before midnight
    ],
)
def test_lunar_dates_are_the_published_ones(day: date, lunar: LunarDate) -> None:
    assert lunar_date(day) == lunar


def test_every_day_of_a_century_follows_the_day_before() -> None:
    day, last = date(2000, 1, 1), date(2099, 12, 31)
    before = lunar_date(day)
    while day < last:
        day += timedelta(days=1)
        now = lunar_date(day)
        assert now.day == before.day + 1 or (now.day == 1 and before.day in (29, 30))
        before = now


@given(DAYS)
def test_a_lunar_date_leads_back_to_its_day(day: date) -> None:
    lunar = lunar_date(day)
    if not lunar.is_leap_month:
        assert gregorian_date(lunar.year, lunar.month, lunar.day) == day


def test_a_day_that_a_lunar_year_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="no day 31"):
        gregorian_date(2024, 1, 31)
    with pytest.raises(ValueError, match="outside 1990 to 2100"):
        lunar_new_year(1900)


@pytest.mark.parametrize(
    ("day", "days"),
    [(date(2025, 1, 29), 0), (date(2025, 1, 28), 1), (date(2025, 2, 2), -4), (date(2024, 12, 31), 29)],
)
def test_days_to_lunar_new_year_count_down_and_go_on_negative(day: date, days: int) -> None:
    assert days_to_lunar_new_year(day) == days


@given(st.integers(2000, 2060), st.integers(-176, 176), st.integers(-5, 5))
def test_alignment_keeps_the_distance_and_leads_back(year: int, distance: int, years: int) -> None:
    day = lunar_new_year(year) + timedelta(days=distance)
    aligned = lunar_aligned_day(day, years)
    assert days_to_lunar_new_year(aligned) == days_to_lunar_new_year(day) == -distance
    assert lunar_aligned_day(aligned, -years) == day


@given(DAYS)
def test_a_year_ago_by_lunar_new_year_is_about_a_year_ago(day: date) -> None:
    assert 353 <= (day - lunar_aligned_day(day)).days <= 385
    assert abs(days_to_lunar_new_year(day)) <= 193
