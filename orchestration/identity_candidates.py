"""Pairs of accounts that the rules of One-ID leave apart and that are alike: found, sampled for review, measured, handed to a run.

The model is `ml.identity`; here its records are read from the build file and its results are kept below the brand's home, never in
version control. What a run may make of them belongs in `orchestration.identity_measured`; docs/identity.md says how to use them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from ml.identity.columns import ID_LEFT, ID_RIGHT, PROBABILITY
from ml.identity.grouping import components, group_pairs
from ml.identity.linking import Field, LinkPlan, TooLittleToLearn, score_pairs
from ml.identity.measuring import Measurement, measure
from orchestration import warehouse
from orchestration.brands import Identity
from orchestration.explain import account_id_of
from orchestration.identity_measured import (
    ACCOUNTS,
    DECISION_PREFIX,
    FOLDER,
    FOUND_FILES,
    GROUP_COLUMNS,
    GROUPS,
    JUDGED,
    MEASURED,
    MEASUREMENT,
    PAIRS,
    file_digest,
)
from orchestration.settings import Settings

ACCOUNT, OTHER_ACCOUNT, IS_SAME = "account_id", "other_account_id", "is_same"
REVIEW_FILE, SAMPLE_FILE = "review.csv", "sample.json"
LOWEST = 0.5  # pairs less probable than this are not kept: nobody joins what is rather not one person
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
_YES = {"1", "y", "yes", "true", "是"}
_NO = {"0", "n", "no", "false", "否"}

# A phone in the form in which marketplaces show it: the first three and the last four digits.
PLAN = LinkPlan(
    fields=(
        Field("phone_shown", "code"),
        Field("full_name", "text"),
        Field("birthday", "digits"),
        Field("gender"),
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
    training=(("phone_shown",), ("full_name",), ("birthday", "gender")),
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
# Members that probable pairs are part of, and what else joins their accounts: without the pairs, that alone does.
_PROBABLE = """
    select distinct resolved.member_id
    from intermediate.int_identifiers_linked as linked
    inner join intermediate.int_accounts_resolved as resolved on linked.account_id = resolved.account_id
    where starts_with(linked.node_id, ?)
"""
_LINKS = f"""
    select linked.account_id, linked.node_id
    from intermediate.int_identifiers_linked as linked
    inner join intermediate.int_accounts_resolved as resolved on linked.account_id = resolved.account_id
    inner join ({_PROBABLE}) as probable on resolved.member_id = probable.member_id
    where not linked.is_hub and not starts_with(linked.node_id, ?)
"""  # noqa: S608  a query of this module
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


@dataclass(frozen=True)
class Places:
    """Words for provinces and, by province, for prefectures, with their codes; the longest words first."""

    provinces: Mapping[str, str]
    prefectures: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, str, Sequence[str]]]) -> Places:
        """From rows of adcode, code of the province, level, and words."""
        provinces: dict[str, str] = {}
        prefectures: dict[str, dict[str, str]] = defaultdict(dict)
        for adcode, province, level, words in sorted(rows, key=lambda row: (-max(map(len, row[3]), default=0), row[0])):
            into = provinces if level == "province" else prefectures[province]
            into.update(dict.fromkeys(sorted(words, key=len, reverse=True), adcode))
        return cls(provinces, prefectures)

    def find(self, text: str | None) -> str | None:
        """Code of the prefecture that a region names, of its province where it names no more, None where it names neither."""
        start = next((word for word in self.provinces if text and text.startswith(word)), None)
        if text is None or start is None:
            return None
        rest, province = text[len(start) :], self.provinces[start]
        return next((code for word, code in self.prefectures.get(province, {}).items() if word in rest), province)


@dataclass(frozen=True)
class Group:
    """Accounts that the rules alone make one member. It is named by its first account with a member number, else by its first."""

    group_id: str
    source_system: str
    member_key: str
    member_number: str | None  # hashed
    account_ids: tuple[str, ...]


def read_groups(connection: duckdb.DuckDBPyConnection) -> list[Group]:
    """Every member of the build file, without the probable pairs that a run may have joined; by group_id."""
    node = f"decision:{DECISION_PREFIX}"
    probable = {member for (member,) in connection.execute(_PROBABLE, [node]).fetchall()}
    links = connection.execute(_LINKS, [node, node]).fetchall() if probable else []
    # A node's name must not be an account's, nor come before one.
    undone = components((account, f"~{node_id}") for account, node_id in links)
    grouped: dict[str, list[tuple[bool, str, str, str, str | None]]] = defaultdict(list)
    for account, system, key, member, number in connection.execute(_ACCOUNTS).fetchall():
        label = str(undone.get(account, account) if member in probable else member)
        grouped[label].append((number is None, account, system, key, number))
    groups = []
    for accounts in grouped.values():
        _, account, system, key, number = min(accounts)
        groups.append(Group(account, system, key, number, tuple(sorted(row[1] for row in accounts))))
    return sorted(groups, key=lambda group: group.group_id)


def read_records(connection: duckdb.DuckDBPyConnection, groups: Sequence[Group]) -> pd.DataFrame:
    """One row per group: id, what PLAN compares, member_number. A group says of itself what most of its accounts say."""
    of = {account: group.group_id for group in groups for account in group.account_ids}
    votes: dict[str, dict[str, Counter[str]]] = {name: defaultdict(Counter) for name in _COMPARED}

    def vote(name: str, account: str | None, value: str | None, weight: int = 1) -> None:
        if account in of and value:
            votes[name][of[account]].update({value: weight})

    finder = Places.of(connection.execute(_PLACES).fetchall())

    def vote_place(account: str, region: str | None, weight: int) -> None:
        place = finder.find(region)
        # A city says more than a province, however often the province was said.
        vote("place", account, place, weight if place is None or place.endswith("0000") else weight * 1_000_000)

    for account, name, phone, region, gender, birthday, email_name in connection.execute(_PROFILES).fetchall():
        vote("full_name", account, name)
        vote("gender", account, gender)
        vote("birthday", account, birthday)
        vote("email_name", account, email_name)
        vote("phone_shown", account, phone_shown(phone))
        vote_place(account, region, 1)
    for system, key, phone in connection.execute(_PHONES).fetchall():
        vote("phone_shown", account_id_of(system, key), phone_shown(phone))
    for account, region, count in connection.execute(_REGIONS).fetchall():
        vote_place(account, region, count)
    ids = [group.group_id for group in groups]
    said = {name: [_commonest(by_group.get(id_)) for id_ in ids] for name, by_group in votes.items()}
    return pd.DataFrame({"id": ids, **said, "member_number": [group.member_number for group in groups]}, dtype=object)


_COMPARED = tuple(field.column for field in PLAN.fields)


def _commonest(votes: Counter[str] | None) -> str | None:
    """The value with the most votes, the smallest of several."""
    return min(votes, key=lambda value: (-votes[value], value)) if votes else None


# ---- candidates --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidates:
    """What `find_candidates` found and wrote."""

    account_count: int
    group_count: int
    pair_count: int  # at least LOWEST
    sure_count: int  # at or above the threshold
    refused: Mapping[str, int]  # groups that a run would refuse, by why
    sampled_count: int
    answered_count: int  # of the sampled pairs, taken over from the review before
    review_file: Path


def find_candidates(settings: Settings, identity: Identity, sample: int | None = None) -> Candidates:
    """Score the accounts of the build file, and write the pairs and a sample to review. Call it while holding the brand's lock.

    `sample`: pairs to review, default min_reviewed_pairs. Raises CandidatesError without a built warehouse, and where the
    accounts say too little to learn from.
    """
    if not settings.build_file.exists():
        raise CandidatesError(
            f"{settings.brand} has never been built; run `tessera run --brand {settings.brand}` first"
        )
    with warehouse.read_only(settings.build_file) as connection:
        groups = read_groups(connection)
        records = read_records(connection, groups)
        kept_apart = connection.execute(_KEPT_APART).fetchall()
    try:
        pairs = score_pairs(records, PLAN, threshold=LOWEST)
    except TooLittleToLearn as error:
        raise CandidatesError(f"the accounts of {settings.brand} say too little to compare them: {error}") from error
    option, folder = identity.probabilistic, settings.brand_home / FOLDER
    of = {account: group.group_id for group in groups for account in group.account_ids}
    grouping = group_pairs(
        pairs,
        option.threshold,
        max_size=identity.max_accounts,
        sizes={group.group_id: len(group.account_ids) for group in groups},
        apart={group.group_id: group.member_number for group in groups if group.member_number},
        kept_apart=[(of.get(left, ""), of.get(right, "")) for left, right in kept_apart],
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    in_pairs = {*pairs[ID_LEFT], *pairs[ID_RIGHT]}
    _write_found(folder, pairs, groups, in_pairs)
    sampled, answered = _write_review(folder, pairs, option.threshold, sample or option.min_reviewed_pairs)
    return Candidates(
        account_count=len(of),
        group_count=len(groups),
        pair_count=len(pairs),
        sure_count=sum(value >= option.threshold for value in pairs[PROBABILITY]),
        refused=grouping.reasons,
        sampled_count=sampled,
        answered_count=answered,
        review_file=folder / REVIEW_FILE,
    )


def _write_found(folder: Path, pairs: pd.DataFrame, groups: Sequence[Group], in_pairs: Set[str]) -> None:
    """The pairs, the groups that they are of, and the group of every account. No value of a profile is written."""
    pairs.to_parquet(folder / PAIRS, index=False)
    rows = [
        (group.group_id, group.source_system, group.member_key, group.member_number, len(group.account_ids))
        for group in groups
        if group.group_id in in_pairs
    ]
    pd.DataFrame(rows, columns=list(GROUP_COLUMNS)).to_parquet(folder / GROUPS, index=False)
    accounts = [(account, group.group_id) for group in groups for account in group.account_ids]
    pd.DataFrame(accounts, columns=[ACCOUNT, "group_id"]).to_parquet(folder / ACCOUNTS, index=False)


def _write_review(folder: Path, pairs: pd.DataFrame, threshold: float, size: int) -> tuple[int, int]:
    """The sample: account ids and an empty answer, in no telling order. What was answered before stays answered.

    Drawn by a hash of the ids, so that a later sample has as many of the same pairs as it can.
    """
    path = folder / REVIEW_FILE
    before = _answers(path) if path.exists() else {}
    sure = pairs[pairs[PROBABILITY] >= threshold]
    drawn = sorted(
        zip(sure[ID_LEFT], sure[ID_RIGHT], strict=True),
        key=lambda pair: hashlib.sha256("|".join(pair).encode()).hexdigest(),
    )[:size]
    if path.exists():
        path.replace(path.with_suffix(".before.csv"))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([ACCOUNT, OTHER_ACCOUNT, IS_SAME])
        words = {True: "yes", False: "no", None: ""}
        writer.writerows([left, right, words[before.get((left, right))]] for left, right in drawn)
    (folder / SAMPLE_FILE).write_text(json.dumps({"threshold": threshold, "pairs": drawn}), encoding="utf-8")
    return len(drawn), sum(pair in before for pair in drawn)


def _answers(path: Path) -> dict[tuple[str, str], bool]:
    """Answers of a review file by pair; empty ones are left out. Raises CandidatesError for what it cannot read."""
    answers: dict[tuple[str, str], bool] = {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        if not {ACCOUNT, OTHER_ACCOUNT, IS_SAME} <= set(reader.fieldnames or ()):
            raise CandidatesError(f"{path}: its columns must be {ACCOUNT}, {OTHER_ACCOUNT}, {IS_SAME}")
        for row in reader:
            word = (row[IS_SAME] or "").strip().casefold()
            if word and word not in _YES | _NO:
                raise CandidatesError(f"{path}: line {reader.line_num}: {IS_SAME} must be yes, no or empty")
            if word:
                answers[row[ACCOUNT], row[OTHER_ACCOUNT]] = word in _YES
    return answers


# ---- measurement -------------------------------------------------------------------------------------------------


def measure_candidates(settings: Settings, identity: Identity, *, by_truth: bool = False) -> list[Measurement]:
    """Measure the candidates by their review, or by what the simulator knows, and keep them with the result for runs.

    Call it while holding the brand's lock. Raises CandidatesError where there is nothing to measure or to measure by.
    """
    folder = settings.brand_home / FOLDER
    if not (folder / SAMPLE_FILE).exists():
        raise CandidatesError(
            f"there are no candidates of {settings.brand}; run `tessera identity candidates --brand {settings.brand}` first"
        )
    pairs = pd.read_parquet(folder / PAIRS)
    drawn: dict[str, Any] = json.loads((folder / SAMPLE_FILE).read_text(encoding="utf-8"))
    true_pairs = None
    if by_truth:
        threshold, (judged, true_pairs) = LOWEST, _by_truth(settings, pairs)
    else:
        threshold, judged = drawn["threshold"], _by_review(folder, pairs, drawn)
    if all(pd.isna(answer) for answer in judged[IS_SAME].tolist()):
        raise CandidatesError(
            f"no pair is judged yet; write yes or no into the column {IS_SAME} of {folder / REVIEW_FILE}. "
            f"`tessera explain member <{ACCOUNT}>` shows what is known of an account"
        )
    _keep(folder, judged, threshold, "truth" if by_truth else "review")
    wanted = {item for item in THRESHOLDS if item > threshold}
    return measure(
        judged, sorted(wanted | {threshold, max(threshold, identity.probabilistic.threshold)}), true_pairs=true_pairs
    )


def _by_review(folder: Path, pairs: pd.DataFrame, drawn: Mapping[str, Any]) -> pd.DataFrame:
    """All pairs from the sample's threshold on, with the answers of the pairs that were drawn; of others they would not be fair."""
    answers = _answers(folder / REVIEW_FILE) if (folder / REVIEW_FILE).exists() else {}
    asked = {(left, right) for left, right in drawn["pairs"]}
    said = [
        answers.get((left, right)) if (left, right) in asked else None
        for left, right in zip(pairs[ID_LEFT], pairs[ID_RIGHT], strict=True)
    ]
    return pairs.assign(**{IS_SAME: pd.array(said, dtype="boolean")}).query(
        f"{PROBABILITY} >= {float(drawn['threshold'])}"
    )


_TRUTH = """
    select source_system, identifier_value, person_id from read_parquet(?)
    where identifier_type = 'member_key' and person_id is not null
"""


def _by_truth(settings: Settings, pairs: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """All pairs with whether the two are one person, and how many pairs of groups are one person, found or not."""
    path = settings.truth_dir / "identifiers.parquet"
    if not path.exists():
        raise CandidatesError(f"{settings.brand} is not simulated, so the truth is not known; measure it by its review")
    with warehouse.scratch() as connection:
        rows = connection.execute(_TRUTH, [str(path)]).fetchall()
    person = {account_id_of(system, key): who for system, key, who in rows}
    groups = pd.read_parquet(settings.brand_home / FOLDER / ACCOUNTS)["group_id"].unique()
    counts = Counter(person[group] for group in groups if group in person)
    said = [
        person[left] == person[right] if left in person and right in person else None
        for left, right in zip(pairs[ID_LEFT], pairs[ID_RIGHT], strict=True)
    ]
    total = sum(count * (count - 1) // 2 for count in counts.values())
    return pairs.assign(**{IS_SAME: pd.array(said, dtype="boolean")}), total


def _keep(folder: Path, judged: pd.DataFrame, threshold: float, source: str) -> None:
    """Copy what was measured, so that newer candidates do not touch it before they are measured too; all or nothing."""
    fresh = folder / f"{MEASURED}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    for name in FOUND_FILES:
        shutil.copyfile(folder / name, fresh / name)
    judged.to_parquet(fresh / JUDGED, index=False)
    document = {
        "threshold": threshold,
        "judged_by": source,
        "measured_at": datetime.now(UTC).isoformat(),
        "sha256": {name: file_digest(fresh / name) for name in (*FOUND_FILES, JUDGED)},
    }
    (fresh / MEASUREMENT).write_text(json.dumps(document, indent=2), encoding="utf-8")
    shutil.rmtree(folder / MEASURED, ignore_errors=True)
    fresh.rename(folder / MEASURED)
