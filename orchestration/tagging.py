"""What is known of the tags of a published file: the catalogue, a tag's past, and what ought to be put in order.

How tags are declared and computed belongs in dbt_project/macros/tags; which audiences use them in `orchestration.audiences`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from orchestration.brands import suggest
from orchestration.warehouse import quoted

# Two tags say the same above this: |Pearson r| of numbers, Jaccard index of yes/no tags, agreement of texts.
SAME_ABOVE = 0.98
# Enough members to tell: with 5,000 a correlation of 0.98 is known to about 0.001.
COMPARED_MEMBERS = 5_000
UNUSED_AFTER_DAYS = 90


class UnknownTag(LookupError):
    """No tag has this code; str() says which is near."""


@dataclass(frozen=True)
class Finding:
    """One thing to put in order. `rule`: duplicate, constant, uncovered, expired, unused or shared_label."""

    rule: str
    tag_code: str
    other_tag_code: str | None
    detail: str


def known_codes(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [code for (code,) in connection.execute("select tag_code from tags.tag_catalogue order by 1").fetchall()]


def check_code(connection: duckdb.DuckDBPyConnection, code: str) -> None:
    """Raises UnknownTag, with a suggestion, for a code that is not in the catalogue."""
    known = known_codes(connection)
    if code not in known:
        near = suggest(code, known).split("known names:")[0].strip()
        raise UnknownTag(f"no tag has the code {code!r}. {near} `tessera tags list` shows all {len(known)}")


def value_on(connection: duckdb.DuckDBPyConnection, code: str, day: date) -> duckdb.DuckDBPyRelation:
    """A tag as of a past cut: member_id, value (typed), valid_from of what was kept. No row: nothing was kept for that day.

    What only drifts is kept as of valid_from: a count of days has grown by one a day since, a decaying score has halved every
    half_life_days.
    """
    check_code(connection, code)
    family, drift, half_life, value_type = connection.execute(
        "select family_code, drift, half_life_days, value_type from tags.tag_catalogue where tag_code = ?", [code]
    ).fetchone() or ("", "", None, "")
    column = f"kept.{quoted(code)}"
    since = "date_diff('day', kept.valid_from, $day)"
    value = {
        "none": column,
        "elapsed": f"{column} + {since}",
        "decay": f"{column} * power(0.5::double, {since} / {half_life or 1}::double)",
    }[drift]
    if drift == "elapsed" and value_type == "integer":
        value = f"cast({value} as integer)"
    history = f"tags.{quoted(f'tags_{family}_history')}"
    return connection.sql(
        f"""
        select kept.member_id, {value} as tag_value, kept.valid_from
        from {history} as kept
        where kept.valid_from <= $day and (kept.valid_to is null or kept.valid_to > $day)
        """,  # noqa: S608, names quoted
        params={"day": day},
    )


# Values that say that there is nothing to say.
_NOTHING = frozenset({"0", "0.0", "0.00", "false", "none"})


def of_member(connection: duckdb.DuckDBPyConnection, member: str, day: date) -> list[tuple[str, str, str, str, str]]:
    """Family, code, labels and value of the tags that say something of a member, as of a cut that was run."""
    told = []
    catalogue = connection.execute(
        "select family_code, tag_code, label_zh, label_en, drift, half_life_days from tags.tag_catalogue order by 1, 2"
    ).fetchall()
    for family in dict.fromkeys(row[0] for row in catalogue):
        kept = connection.execute(
            f"""
            select * from tags.{quoted(f"tags_{family}_history")}
            where member_id = $member and valid_from <= $day and (valid_to is null or valid_to > $day)
            """,  # noqa: S608, quoted
            {"member": member, "day": day},
        )
        names = [column[0] for column in kept.description or ()]
        row = kept.fetchone()
        if row is None:
            continue
        values = dict(zip(names, row, strict=True))
        since = (day - values["valid_from"]).days
        for _, code, label_zh, label_en, drift, half_life in (row for row in catalogue if row[0] == family):
            value = values.get(code)
            if value is not None and drift == "elapsed":
                value += since
            if value is not None and drift == "decay":
                value = round(value * 0.5 ** (since / half_life), 6)
            text = (
                "; ".join(value)
                if isinstance(value, list)
                else str(value).lower()
                if isinstance(value, bool)
                else str(value)
            )
            if value is not None and text not in _NOTHING:
                told.append((family, code, label_zh, label_en, text))
    return told


def days_kept(connection: duckdb.DuckDBPyConnection) -> tuple[date, date] | None:
    """First and last cut of which tags were kept."""
    found = connection.execute("select min(as_of_date), max(as_of_date) from tags.tag_distributions").fetchone()
    return found if found and found[0] is not None else None


def findings(connection: duckdb.DuckDBPyConnection, used: Collection[str], as_of_date: date) -> list[Finding]:
    """What ought to be put in order, by rule and tag. `used` are the codes that audiences and segments speak of."""
    return [
        *_by_catalogue(connection, as_of_date),
        *_shared_labels(connection),
        *_unused(connection, used, as_of_date),
        *_duplicates(connection),
    ]


def _by_catalogue(connection: duckdb.DuckDBPyConnection, as_of_date: date) -> Iterator[Finding]:
    rows = connection.execute(
        """
        select tag_code, is_supplied, covered_member_count, distinct_value_count, member_count, expires_on
        from tags.tag_catalogue order by tag_code
        """
    ).fetchall()
    for code, is_supplied, covered, distinct, members, expires_on in rows:
        if expires_on is not None and expires_on <= as_of_date:
            yield Finding("expired", code, None, f"was to be used until {expires_on}; take it out or move `expires`")
        if not is_supplied:
            yield Finding("uncovered", code, None, "the brand has no source of what it needs")
        elif covered == 0:
            yield Finding("uncovered", code, None, f"none of {members:,} members has a value")
        elif distinct == 1:
            yield Finding("constant", code, None, f"all {covered:,} members who have a value have the same")


def _shared_labels(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    for language in ("label_zh", "label_en"):
        for label, codes in connection.execute(
            f"select {language}, list(tag_code order by tag_code) from tags.tag_catalogue group by 1 having count(*) > 1 order by 1"  # noqa: S608
        ).fetchall():
            for other in codes[1:]:
                yield Finding("shared_label", codes[0], other, f"both are called {label!r}")


def _unused(connection: duckdb.DuckDBPyConnection, used: Collection[str], as_of_date: date) -> Iterator[Finding]:
    for code, valid_from in connection.execute(
        "select tag_code, min(valid_from) from tags.tag_versions group by 1 order by 1"
    ).fetchall():
        age = (as_of_date - valid_from).days
        if code not in used and age > UNUSED_AFTER_DAYS:
            yield Finding("unused", code, None, f"there for {age} days, and no audience speaks of it")


def _duplicates(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Pairs of tags that tell members apart in the same way, whatever they are called."""
    columns = dict(
        connection.execute(
            """
            select tag_code, value_type from tags.tag_catalogue
            where is_supplied and covered_member_count > 0 and distinct_value_count > 1 order by tag_code
            """
        ).fetchall()
    )
    numbers = [code for code, kind in columns.items() if kind in ("integer", "decimal", "rate")]
    flags = [code for code, kind in columns.items() if kind == "boolean"]
    texts = [code for code, kind in columns.items() if kind == "text"]
    members = f"(select * from tags.member_tags order by hash(member_id), member_id limit {COMPARED_MEMBERS})"  # noqa: S608
    if len(numbers) > 1:
        frame = _frame(connection, [f"cast({quoted(code)} as double) as {quoted(code)}" for code in numbers], members)
        yield from _pairs(numbers, _correlations(frame.to_numpy(dtype=float)), "correlation")
    if len(flags) > 1:
        frame = _frame(connection, [f"coalesce({quoted(code)}, false) as {quoted(code)}" for code in flags], members)
        yield from _pairs(flags, _jaccard(frame.to_numpy(dtype=float)), "Jaccard index")
    if len(texts) > 1:
        frame = _frame(connection, [quoted(code) for code in texts], members)
        codes = np.column_stack([pd.factorize(frame[code])[0] for code in texts])
        yield from _pairs(texts, _agreement(codes), "agreement")


def _frame(connection: duckdb.DuckDBPyConnection, fields: list[str], members: str) -> pd.DataFrame:
    return connection.execute(f"select {', '.join(fields)} from {members}").df()  # noqa: S608, quoted


def _correlations(values: np.ndarray) -> np.ndarray:
    """Pearson's r of every two columns over the rows that both have; 0 where either does not vary there."""
    there = ~np.isnan(values)
    filled = np.where(there, values, 0.0)
    mask = there.astype(float)
    n = mask.T @ mask
    total = filled.T @ mask
    product = filled.T @ filled
    square = (filled**2).T @ mask
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = product - total * total.T / n
        variance = square - total**2 / n
        r = covariance / np.sqrt(variance * variance.T)
    # Too few rows, or next to no spread against the size of the numbers, tell nothing.
    weak = (n < 30) | (variance <= 1e-9 * np.maximum(square, 1e-12))
    return np.where(weak | weak.T | ~np.isfinite(r), 0.0, r)


def _jaccard(flags: np.ndarray) -> np.ndarray:
    both = flags.T @ flags
    single = np.diag(both)
    either = single[:, None] + single[None, :] - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def _agreement(codes: np.ndarray) -> np.ndarray:
    """Share of rows that stay together when the groups of one column are renamed to their most frequent partner in the other."""
    count = codes.shape[1]
    shares = np.zeros((count, count))
    for left in range(count):
        for right in range(left + 1, count):
            table = pd.crosstab(codes[:, left], codes[:, right]).to_numpy()
            shares[left, right] = min(table.max(axis=1).sum(), table.max(axis=0).sum()) / table.sum()
    return shares


def _pairs(codes: list[str], scores: np.ndarray, name: str) -> Iterator[Finding]:
    for left, right in zip(*np.nonzero(np.triu(np.abs(scores) > SAME_ABOVE, k=1)), strict=True):
        yield Finding("duplicate", codes[left], codes[right], f"{name} {float(scores[left, right]):.4f}")


def catalogue(
    connection: duckdb.DuckDBPyConnection, family: str | None = None, kind: str | None = None, word: str | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names and rows of the catalogue for people: those of a family, of a kind, whose code or labels hold a word."""
    cursor = connection.execute(
        """
        select family_code, tag_code, label_zh, label_en, kind, value_type, unit, window_days, coverage_rate, mean_value,
            population_stability_index, owner
        from tags.tag_catalogue
        where ($family is null or family_code = $family) and ($kind is null or kind = $kind)
            and ($word is null or contains(lower(tag_code || ' ' || label_zh || ' ' || label_en), lower($word)))
        order by family_code, tag_code
        """,
        {"family": family, "kind": kind, "word": word},
    )
    return [column[0] for column in cursor.description or ()], cursor.fetchall()
