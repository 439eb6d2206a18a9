"""Pairs of accounts that the rules of One-ID leave apart and that are alike: found, sampled for review, measured, handed to a run.

The model is `ml.identity`; here its records are read from the build file and its results are kept below the brand's home, never in
version control. What a run makes of them is written by `orchestration.identity`; docs/identity.md says how to use them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from ml.identity.columns import ID_LEFT, ID_RIGHT, PROBABILITY
from ml.identity.grouping import Grouping, components, group_pairs
from ml.identity.linking import Field, LinkPlan, score_pairs
from ml.identity.measuring import Measurement, measure
from orchestration import warehouse
from orchestration.brands import Identity
from orchestration.identity import DECISION_PREFIX, FOLDER, MEASURED, Measured, digest, groups_of
from orchestration.settings import Settings

ACCOUNT, OTHER_ACCOUNT, IS_SAME = "account_id", "other_account_id", "is_same"
LOWEST = 0.5  # pairs less probable than this are not kept: nobody joins what is rather not one person
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
_YES = {"1", "y", "yes", "true", "是"}
_NO = {"0", "n", "no", "false", "否"}

# A phone in the form in which marketplaces show it: the first three and the last four digits.
PLAN = LinkPlan(
    fields=(
        Field("phone_shown", "exact"),
        Field("full_name", "text"),
        Field("birthday", "digits"),
        Field("gender", "exact"),
        Field("place", "place"),
        Field("email_name", "text"),
    ),
    blocks=(
        ("phone_shown",),
        ("full_name", "birthday"),
        ("full_name", "place"),
        ("birthday", "place", "gender"),
        ("email_name",),
    ),
    surest=(("phone_shown", "place"), ("full_name", "birthday"), ("email_name", "place")),
    training=(("phone_shown",), ("place", "gender"), ("full_name",)),
    apart="member_number",
)


class CandidatesError(Exception):
    """Candidates cannot be made or measured; the message says what to do."""


# ---- records -----------------------------------------------------------------------------------------------------

_ACCOUNTS = """
    select sighted.account_id, sighted.source_system, sighted.member_key, resolved.member_id,
        numbered.lowest_member_number as member_number
    from intermediate.int_accounts_sighted as sighted
    inner join intermediate.int_accounts_resolved as resolved on sighted.account_id = resolved.account_id
    inner join intermediate.int_accounts_numbered as numbered on sighted.account_id = numbered.account_id
    where sighted.account_flag = 'normal'
    order by sighted.account_id
"""
# What joined the members that probable pairs are part of: without those pairs, they fall into what the rules alone make.
_LINKS = """
    with probable as (
        select distinct resolved.member_id
        from intermediate.int_identifiers_linked as linked
        inner join intermediate.int_accounts_resolved as resolved on linked.account_id = resolved.account_id
        where starts_with(linked.node_id, ?)
    )
    select linked.account_id, linked.node_id
    from intermediate.int_identifiers_linked as linked
    inner join intermediate.int_accounts_resolved as resolved on linked.account_id = resolved.account_id
    inner join probable on resolved.member_id = probable.member_id
    where not linked.is_hub and not starts_with(linked.node_id, ?)
"""
_KEPT_APART = """
    select account_id, other_account_id from intermediate.int_accounts_decided
    where decision = 'keep_apart' and account_id is not null and other_account_id is not null
"""
# The newest non-empty value of each, of rows that count now; superseded files say nothing.
_PROFILES = """
    with current_members as (
        select members.* from raw.members as members
        inner join raw.current_batches as batches
            on members.batch_id = batches.batch_id and batches.entity = 'members'
        where not members.is_deleted
    ),
    named as (
        select source_system, member_key,
            max_by(nullif(trim(full_name), ''), coalesce(changed_at, loaded_at)) as full_name,
            max_by(nullif(trim(phone), ''), coalesce(changed_at, loaded_at)) as phone,
            max_by(nullif(trim(region), ''), coalesce(changed_at, loaded_at)) as region
        from current_members
        group by source_system, member_key
    )
    select profiles.account_id, named.full_name, named.phone, named.region,
        nullif(profiles.gender, 'unknown') as gender, strftime(profiles.birthday, '%Y%m%d') as birthday,
        lower(split_part(profiles.email, '@', 1)) as email_name
    from staging.stg_members as profiles
    left join named on profiles.source_system = named.source_system and profiles.member_key = named.member_key
    where not profiles.is_deleted
    order by profiles.account_id
"""
_PHONES = """
    select source_system, member_key, max_by(identifier_value, (observed_at, identifier_value)) as phone
    from raw.identifiers as identifiers
    inner join raw.current_batches as batches
        on identifiers.batch_id = batches.batch_id and batches.entity = 'identifiers'
    where identifier_type = 'phone' and valid_to is null and not is_deleted
    group by source_system, member_key
"""
_REGIONS = """
    select account_id, region, count(*) as order_count from staging.stg_orders
    where account_id is not null and region is not null and not is_deleted
    group by account_id, region
"""
_PLACES = """
    select adcode, province_adcode, level, aliases from reference.ref_regions
    where is_current and level in ('province', 'prefecture')
    order by adcode
"""

_SHOWN = re.compile(r"1\d\d[\d*]{4}\d{4}")


def phone_shown(text: object) -> str | None:
    """First three and last four digits of a mobile number of China, whether or not the middle is masked; else None."""
    if not isinstance(text, str):
        return None
    plain = re.sub(r"[^\d*]", "", unicodedata.normalize("NFKC", text).removesuffix(".0"))
    found = _SHOWN.fullmatch(plain[-11:]) if len(plain) in (11, 13, 15) else None
    return plain[-11:][:3] + plain[-4:] if found else None


def place_finder(regions: Iterable[tuple[str, str, str, Sequence[str]]]) -> Mapping[str, Any]:
    """Words for provinces and, by province, for prefectures; the longest first. Rows: adcode, province, level, aliases."""
    provinces: dict[str, str] = {}
    prefectures: dict[str, dict[str, str]] = {}
    for adcode, province, level, aliases in regions:
        into = provinces if level == "province" else prefectures.setdefault(province, {})
        into.update(dict.fromkeys(aliases, adcode))
    return {"provinces": provinces, "prefectures": prefectures}


def place_of(text: object, finder: Mapping[str, Any]) -> str | None:
    """Code of the prefecture that a region names, of its province where it names no more, None where it names neither."""
    if not isinstance(text, str):
        return None
    start = next((word for word in sorted(finder["provinces"], key=len, reverse=True) if text.startswith(word)), None)
    if start is None:
        return None
    province = finder["provinces"][start]
    rest = text[len(start) :]
    named = finder["prefectures"].get(province, {})
    return next((named[word] for word in sorted(named, key=len, reverse=True) if word in rest), province)


def read_groups(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Every account and the group that the rules alone put it into: account_id, group_id, source_system, member_key, member_number.

    A group has the id of its first account that has a member number, else of its first: decisions name that one.
    """
    accounts = connection.execute(_ACCOUNTS).df().astype(object)
    node = f"decision:{DECISION_PREFIX}"
    links = connection.execute(_LINKS, [node, node]).fetchall()
    undone = components((account, f"|{node_id}") for account, node_id in links)
    # In a member that probable pairs are part of, an account without any other link stands alone.
    probable = {member for account, member in accounts[["account_id", "member_id"]].to_numpy() if account in undone}
    label = [
        (undone.get(account) or account) if member in probable else member
        for account, member in accounts[["account_id", "member_id"]].to_numpy()
    ]
    accounts = accounts.assign(label=label, without_number=accounts["member_number"].isna())
    ordered = accounts.sort_values(["label", "without_number", "account_id"])
    accounts["group_id"] = accounts["label"].map(ordered.groupby("label")["account_id"].first())
    columns = ["account_id", "group_id", "source_system", "member_key", "member_number"]
    return accounts[columns].sort_values("account_id", ignore_index=True)


def read_records(connection: duckdb.DuckDBPyConnection, groups: pd.DataFrame) -> pd.DataFrame:
    """One row per group: id, what PLAN compares, member_number. A group says of itself what most of its accounts say."""
    accounts = groups.set_index("account_id")
    by_key = groups.set_index(["source_system", "member_key"])["group_id"]
    profiles = connection.execute(_PROFILES).df().astype(object)
    profiles["group_id"] = profiles["account_id"].map(accounts["group_id"])
    phones = connection.execute(_PHONES).df().astype(object)
    phones["group_id"] = pd.MultiIndex.from_frame(phones[["source_system", "member_key"]]).map(by_key)
    finder = place_finder(connection.execute(_PLACES).fetchall())
    regions = connection.execute(_REGIONS).df()
    regions["group_id"] = regions["account_id"].map(accounts["group_id"])
    lived = pd.concat([regions, profiles[["group_id", "region"]].assign(order_count=1)])
    codes = {text: place_of(text, finder) for text in lived["region"].dropna().unique()}
    lived["place"] = lived["region"].map(codes)
    # A city says more than a province, however often the province was said.
    lived["weight"] = lived["order_count"] + 1_000_000 * ~lived["place"].astype(str).str.endswith("0000")
    told = pd.concat([phones[["group_id", "phone"]], profiles[["group_id", "phone"]]])
    told["phone_shown"] = told["phone"].map(phone_shown)
    records = pd.DataFrame({"id": sorted(groups["group_id"].unique())})
    for frame, column in ((told, "phone_shown"), (lived, "place"), *((profiles, c) for c in _PROFILE_FIELDS)):
        records[column] = records["id"].map(_commonest(frame, column))
    records["member_number"] = records["id"].map(groups.groupby("group_id")["member_number"].min())
    return records


_PROFILE_FIELDS = ("full_name", "birthday", "gender", "email_name")


def _commonest(frame: pd.DataFrame, column: str) -> pd.Series:
    """By group: the value with the greatest weight (rows, where there is none), the smallest of several."""
    weighted = frame.assign(weight=frame["weight"] if "weight" in frame else 1).dropna(subset=["group_id", column])
    sums = weighted.groupby(["group_id", column], as_index=False)["weight"].sum()
    ranked = sums.sort_values(["group_id", "weight", column], ascending=[True, False, True])
    return ranked.groupby("group_id")[column].first()


# ---- candidates --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidates:
    """What `find_candidates` found and wrote."""

    account_count: int
    group_count: int
    pair_count: int  # at least LOWEST
    taken_count: int  # at or above the threshold, and in a group that breaks no rule
    refused: Mapping[str, int]  # groups by why they were refused
    sampled_count: int
    answered_count: int  # of the sampled pairs, taken over from the review before
    folder: Path


def find_candidates(settings: Settings, identity: Identity, sample: int | None = None) -> Candidates:
    """Score the accounts of the build file, and write the pairs and a sample to review. Call it while holding the brand's lock.

    `sample`: pairs to review, default min_reviewed_pairs. Raises CandidatesError without a built warehouse, TooLittleToLearn
    where the accounts say too little.
    """
    if not settings.build_file.exists():
        raise CandidatesError(
            f"{settings.brand} has never been built; run `tessera run --brand {settings.brand}` first"
        )
    with warehouse.read_only(settings.build_file) as connection:
        groups = read_groups(connection)
        records = read_records(connection, groups)
        kept_apart = connection.execute(_KEPT_APART).fetchall()
    pairs = score_pairs(records, PLAN, threshold=LOWEST)
    folder = settings.brand_home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    by_group = _by_group(groups)
    in_pairs = by_group["group_id"].isin(set(pairs[ID_LEFT]) | set(pairs[ID_RIGHT]))
    _write(folder / "pairs.parquet", pairs)
    _write(folder / "groups.parquet", by_group[in_pairs])
    _write(folder / "accounts.parquet", groups[["account_id", "group_id"]])
    option = identity.probabilistic
    of = groups.set_index("account_id")["group_id"]
    grouping = grouped(
        pairs, by_group, option.threshold, identity.max_accounts, _in_groups(kept_apart, of.to_dict())
    )
    taken = taken_pairs(pairs, grouping, option.threshold)
    sampled, answered = _write_review(folder, taken, sample or option.min_reviewed_pairs)
    return Candidates(
        account_count=len(groups),
        group_count=len(records),
        pair_count=len(pairs),
        taken_count=len(taken),
        refused=grouping.reasons,
        sampled_count=sampled,
        answered_count=answered,
        folder=folder,
    )
