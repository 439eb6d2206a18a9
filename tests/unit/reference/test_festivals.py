"""Windows of shopping festivals, the clocks on them, and what festivals.yml may not say."""

from __future__ import annotations

import copy
import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestration.reference.festivals import (
    FESTIVALS_FILE,
    FestivalError,
    campaign_day,
    campaign_days,
    campaign_hour,
    festival,
    festival_windows,
    load_festivals,
    phase_labels,
    read_festivals,
    same_campaign_day,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
CODES = st.sampled_from([one.code for one in load_festivals()])


def shanghai(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=SHANGHAI)  # type: ignore[arg-type,misc]


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(yaml.safe_load(FESTIVALS_FILE.read_text(encoding="utf-8")))


# ---- windows -----------------------------------------------------------------------------------------------------


def test_a_sale_that_opens_at_eight_in_the_evening_is_stored_in_utc() -> None:
    first, second = (w for w in festival("double_11").windows(2022) if w.phase_code == "sale")
    # 20:00 in Shanghai is noon in UTC, all year.
    assert first.starts_at == datetime(2022, 10, 31, 12, tzinfo=UTC)
    assert second.starts_at == datetime(2022, 11, 10, 12, tzinfo=UTC) == shanghai(2022, 11, 10, 20)
    assert second.ends_at == datetime(2022, 11, 11, 16, tzinfo=UTC) == shanghai(2022, 11, 12)
    assert (second.first_day, second.last_day) == (date(2022, 11, 10), date(2022, 11, 11))
    assert {w.starts_at.tzinfo for w in festival("double_11").windows(2022)} == {UTC}


@pytest.mark.parametrize(
    ("year", "opens"),
    [
        (2016, shanghai(2016, 11, 11)),
        (2019, shanghai(2019, 11, 11)),
        (2020, shanghai(2020, 11, 1)),
        (2021, shanghai(2021, 11, 1)),
        (2022, shanghai(2022, 10, 31, 20)),
        (2023, shanghai(2023, 10, 31, 20)),
        (2024, shanghai(2024, 10, 21, 20)),
        (2025, shanghai(2025, 10, 20, 20)),
    ],
)
def test_double_11_opens_when_it_was_announced_to(year: int, opens: datetime) -> None:
    assert next(w.starts_at for w in festival("double_11").windows(year) if w.phase_code == "sale") == opens


def test_a_year_without_a_schedule_says_that_its_window_is_a_rule() -> None:
    (window,) = festival("double_11").windows(2030)
    assert window.basis == "rule"
    assert (window.starts_at, window.ends_at) == (shanghai(2030, 11, 11), shanghai(2030, 11, 12))
    assert {w.basis for w in festival("double_11").windows(2022)} == {"listed"}


def test_there_is_no_festival_before_its_first_year() -> None:
    assert festival("double_11").windows(2008) == ()
    assert len(festival("double_11").windows(2009)) == 1


@pytest.mark.parametrize(
    ("code", "year", "anchor"),
    [
        ("qixi", 2024, date(2024, 8, 10)),
        ("qixi", 2025, date(2025, 8, 29)),
        ("qixi", 2026, date(2026, 8, 19)),
        ("new_year_goods", 2025, date(2025, 1, 29)),
        ("mid_year_618", 2025, date(2025, 6, 18)),
    ],
)
def test_anchors(code: str, year: int, anchor: date) -> None:
    assert festival(code).anchor(year) == anchor


@given(CODES, st.integers(2000, 2060))
def test_windows_of_a_year_follow_one_another(code: str, year: int) -> None:
    windows = festival(code).windows(year)
    assert all(w.starts_at < w.ends_at for w in windows)
    assert all(a.ends_at <= b.starts_at for a, b in itertools.pairwise(windows))
    keys = [(w.phase_code, w.phase_number) for w in windows]
    assert len(set(keys)) == len(keys)


@given(st.dates(date(2009, 1, 1), date(2040, 12, 31)), st.integers(0, 400))
def test_windows_of_a_span_are_those_with_a_moment_in_it(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    begins, ends = (datetime.combine(d, datetime.min.time(), SHANGHAI) for d in (first, last + timedelta(days=1)))
    every = [w for one in load_festivals() for year in range(2008, 2044) for w in one.windows(year)]
    expected = {w for w in every if w.starts_at < ends and w.ends_at > begins}
    found = festival_windows(first, last)
    assert set(found) == expected
    assert len(found) == len(expected)
    assert [w.starts_at for w in found] == sorted(w.starts_at for w in found)


def test_every_phase_and_festival_has_labels_in_both_languages() -> None:
    labels = [label for pair in phase_labels().values() for label in pair]
    labels += [label for one in load_festivals() for label in (one.label_zh, one.label_en)]
    assert all(isinstance(label, str) and label for label in labels)


# ---- clocks ------------------------------------------------------------------------------------------------------


def test_days_between_two_waves_belong_to_the_festival() -> None:
    (day,) = campaign_days(date(2024, 10, 28))
    assert (day.festival_code, day.festival_year, day.day_index, day.sale_day_number) == ("double_11", 2024, -14, 8)
    assert not any(w.first_day <= date(2024, 10, 28) <= w.last_day for w in festival("double_11").windows(2024))


def test_a_presale_day_has_no_sale_day_yet() -> None:
    (presale,), (opening,) = campaign_days(date(2022, 10, 25)), campaign_days(date(2022, 10, 31))
    assert (presale.day_index, presale.sale_day_number) == (-17, None)
    assert (opening.day_index, opening.sale_day_number) == (-11, 1)


def test_the_festival_named_first_takes_precedence() -> None:
    assert [d.festival_code for d in campaign_days(date(2024, 5, 20))] == ["mid_year_618", "love_day_520"]
    assert [d.festival_code for d in campaign_days(date(2023, 5, 20))] == ["love_day_520"]


def test_new_year_goods_begin_in_the_december_before() -> None:
    (day,) = campaign_days(date(2022, 12, 26))
    assert (day.festival_code, day.festival_year, day.day_index) == ("new_year_goods", 2023, -27)


def test_an_ordinary_day_is_no_campaign_day() -> None:
    assert campaign_days(date(2024, 4, 10)) == ()


@given(st.dates(date(2001, 1, 1), date(2060, 12, 31)), CODES)
def test_campaign_day_of_the_year_before_is_the_same_number(day: date, code: str) -> None:
    index = campaign_day(day, code)
    if abs(index) <= 170:  # beyond it another year's festival is nearer
        assert campaign_day(same_campaign_day(day, code), code) == index
        assert same_campaign_day(same_campaign_day(day, code), code, 1) == day


@given(st.dates(date(2012, 1, 1), date(2060, 12, 31)))
def test_campaign_days_agree_with_campaign_day(day: date) -> None:
    for found in campaign_days(day):
        assert found.day_index == campaign_day(day, found.festival_code)
        assert day - timedelta(days=found.day_index) == festival(found.festival_code).anchor(found.festival_year)


def test_anchors_align_year_on_year() -> None:
    assert same_campaign_day(date(2025, 11, 9), "double_11") == date(2024, 11, 9)
    assert same_campaign_day(date(2025, 1, 10), "new_year_goods") == date(2024, 1, 22)  # 19 days before new year's day
    assert same_campaign_day(date(2024, 2, 28), "mid_year_618", 1) == date(2025, 2, 27)  # a leap day lies between


@pytest.mark.parametrize(
    ("instant", "number"),
    [
        (datetime(2022, 10, 31, 12, tzinfo=UTC), 1),
        (datetime(2022, 11, 1, 11, 59, 59, tzinfo=UTC), 1),
        (datetime(2022, 11, 1, 12, tzinfo=UTC), 2),  # 24 hours after the opening, not midnight
        (datetime(2022, 11, 3, 15, 59, 59, tzinfo=UTC), 4),
    ],
)
def test_the_campaign_clock_counts_days_from_the_opening(instant: datetime, number: int) -> None:
    found = campaign_hour(instant, "double_11")
    assert found is not None
    assert (found.phase_code, found.phase_number, found.day_number) == ("sale", 1, number)
    assert found.hours_since_start == (instant - datetime(2022, 10, 31, 12, tzinfo=UTC)).total_seconds() / 3600


def test_windows_are_half_open_and_any_zone_says_the_same() -> None:
    assert campaign_hour(datetime(2022, 11, 3, 16, tzinfo=UTC), "double_11") is None  # the end itself
    just_before = shanghai(2022, 10, 31, 19, 59)
    found = campaign_hour(just_before, "double_11")
    assert found is not None
    assert found.phase_code == "presale"
    assert campaign_hour(just_before.astimezone(ZoneInfo("America/New_York")), "double_11") == found


def test_an_instant_of_the_december_before_is_counted_to_the_next_year() -> None:
    found = campaign_hour(shanghai(2022, 12, 26, 8), "new_year_goods")
    assert found is not None
    assert (found.festival_year, found.day_number) == (2023, 2)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        campaign_hour(datetime(2022, 11, 1), "double_11")


def test_an_unknown_festival_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FestivalError, match=r"no festival double_10; known codes: double_11, "):
        campaign_day(date(2024, 1, 1), "double_10")


# ---- festivals.yml -----------------------------------------------------------------------------------------------


def first_year(document: dict[str, Any], year: int) -> list[dict[str, str]]:
    return document["festivals"][0]["years"][year]


def test_a_window_that_ends_before_it_starts_is_refused(document: dict[str, Any]) -> None:
    first_year(document, 2025)[0]["ends"] = "2025-10-14 20:00"
    with pytest.raises(FestivalError, match="double_11: 2025: presale ends 2025-10-14 20:00, not after its start"):
        read_festivals(document)


def test_windows_that_overlap_are_refused(document: dict[str, Any]) -> None:
    first_year(document, 2025)[1]["starts"] = "2025-10-19 20:00"
    with pytest.raises(FestivalError, match="double_11: 2025: sale starts 2025-10-19 20:00, within the phase before"):
        read_festivals(document)


def test_a_time_that_is_none_is_refused(document: dict[str, Any]) -> None:
    first_year(document, 2025)[0]["starts"] = "2025-10-15 8pm"
    with pytest.raises(FestivalError, match="'2025-10-15 8pm' is not a time; write it like 2022-10-31 20:00"):
        read_festivals(document)


def test_an_unknown_phase_is_refused(document: dict[str, Any]) -> None:
    first_year(document, 2025)[0]["phase"] = "encore"
    with pytest.raises(FestivalError, match="phase encore; known phases: presale, sale"):
        read_festivals(document)


def test_a_year_that_lists_no_sale_is_refused(document: dict[str, Any]) -> None:
    del first_year(document, 2025)[1]
    with pytest.raises(FestivalError, match="2025: lists no sale"):
        read_festivals(document)


def test_a_festival_may_stand_there_once(document: dict[str, Any]) -> None:
    document["festivals"].append(document["festivals"][0])
    with pytest.raises(FestivalError, match="double_11 stands there twice"):
        read_festivals(document)


def test_an_unknown_anchor_is_refused(document: dict[str, Any]) -> None:
    document["festivals"][0]["anchor"] = {"week_day": "11-11"}
    with pytest.raises(FestivalError, match="anchor week_day; write month_day, lunar_month_day or lunar_new_year"):
        read_festivals(document)
