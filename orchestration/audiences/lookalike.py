"""Who resembles an audience: the members outside it, ranked. Reads a published file; learning and measuring are `ml.lookalike`'s.

Left out of what is learnt from: the tags that the audience's own rule names and their families, because they would only find the
rule again; predictions, which may have been made of the same; and what grows with time alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml.lookalike.measuring import Recovery, check_sizes, recover, resemblance
from ml.lookalike.model import PositiveUnlabelledLogistic
from orchestration.audiences import grammar
from orchestration.audiences.insight import InsightError, check_published
from orchestration.warehouse import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from orchestration.audiences.definitions import Audience
    from orchestration.audiences.destinations import Destination

SPEND_TAG = "spend_amount_365d"
REASON_COUNT = 5


@dataclass(frozen=True)
class Lookalike:
    """`members`: member_id, score and rank from 1, best first; score is P(seed | tags), or spend where that finds more.

    `reasons`: tag_code, label_zh, label_en and weight, per standard deviation, of what speaks for (above 0) or against resemblance.
    `refused_count`: members of seed and pool left out because they refused to be contacted, or never agreed where a destination is
    named. Of both: were it of the pool alone, a refusal would be what tells the seed apart.
    """

    members: pd.DataFrame
    reasons: pd.DataFrame
    recovery: Recovery
    seed_count: int
    pool_count: int
    refused_count: int
    feature_count: int
    left_out_families: tuple[str, ...]
    counts_facts: bool  # the rule counts orders or events itself, and tags of them are still learnt from

    @property
    def ranked_by(self) -> str:
        return "model" if self.recovery.is_model_better else "spend"


def lookalike(
    connection: DuckDBPyConnection,
    audience: Audience,
    pool_id: str | None = None,
    destination: Destination | None = None,
) -> Lookalike:
    """Rank the members of the pool (all, or those of another audience) who are not in the audience.

    Staff and testers are in neither. With a destination, both keep who agreed to its channel and purpose; without, who refused
    nothing. Raises InsightError, ml.lookalike.measuring.TooFew.
    """
    for audience_id in filter(None, (audience.audience_id, pool_id)):
        check_published(connection, audience_id)
    tags, families = _tags(connection, audience)
    frame = _members(connection, audience.audience_id, pool_id, list(tags["tag_code"]))
    may_contact = _may_contact(connection, frame["member_id"].to_numpy(), destination)
    refused_count = int((~may_contact).sum())
    frame = frame.loc[may_contact]
    is_seed = frame["is_seed"].to_numpy(bool)
    check_sizes(int(is_seed.sum()), int((~is_seed).sum()))
    features = frame[tags["tag_code"].to_list()].to_numpy(float)
    spend = frame["spend"].to_numpy(float)
    recovery = recover(features, is_seed, spend)
    model = PositiveUnlabelledLogistic().fit(features, is_seed)
    scores = resemblance(model, features) if recovery.is_model_better else np.nan_to_num(spend)
    ranked = pd.DataFrame({"member_id": frame["member_id"].to_numpy()[~is_seed], "score": scores[~is_seed]})
    ranked = ranked.sort_values(["score", "member_id"], ascending=[False, True], ignore_index=True)
    return Lookalike(
        members=ranked.assign(rank=np.arange(1, len(ranked) + 1)),
        reasons=_reasons(model, tags),
        recovery=recovery,
        seed_count=int(is_seed.sum()),
        pool_count=len(ranked),
        refused_count=refused_count,
        feature_count=len(tags),
        left_out_families=families,
        counts_facts=bool(grammar.facts(audience.rule)),
    )


def _tags(connection: DuckDBPyConnection, audience: Audience) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """tag_code and labels of what is learnt from, and the families that the rule's own tags belong to."""
    named = [value.name for value, _ in grammar.values(audience.rule) if value.source == "tag"]
    families = connection.execute(
        "select distinct family_code from tags.tag_catalogue where list_contains($named, tag_code) order by 1 nulls last",
        {"named": named},
    ).fetchall()
    left_out = tuple(family for (family,) in families)
    tags = connection.execute(
        """
        select tag_code, label_zh, label_en from tags.tag_catalogue
        where value_type in ('integer', 'decimal', 'rate', 'boolean') and is_supplied and distinct_value_count > 1
            and drift <> 'elapsed' and family_code not in ('prediction', 'lifecycle')
            and not ends_with(tag_code, '_total') and tag_code <> 'is_staff_or_test'
            and not list_contains($families, family_code)
        order by tag_code nulls last
        """,
        {"families": list(left_out)},
    ).df()
    if tags.empty:
        raise InsightError("the rule speaks of every family of tags: nothing is left to tell likeness by")
    return tags, left_out


def _members(connection: DuckDBPyConnection, audience_id: str, pool_id: str | None, codes: list[str]) -> pd.DataFrame:
    """member_id, is_seed, spend and the tags, sorted by member_id: the seed and the pool before anybody is left out."""
    columns = ", ".join(f"cast(tags.{quoted(code)} as double) as {quoted(code)}" for code in codes)
    return connection.execute(
        f"""
        with seed as (select member_id from segments.fct_audience_members where audience_id = $seed and valid_to is null),
        pool as (select member_id from segments.fct_audience_members where audience_id = $pool and valid_to is null)
        select tags.member_id, seed.member_id is not null as is_seed, cast(tags.{quoted(SPEND_TAG)} as double) as spend, {columns}
        from tags.member_tags as tags
        left join seed on tags.member_id = seed.member_id
        left join pool on tags.member_id = pool.member_id
        where not tags.is_staff_or_test and ($pool is null or seed.member_id is not null or pool.member_id is not null)
        order by tags.member_id nulls last
        """,  # noqa: S608, codes are checked where tags are declared
        {"seed": audience_id, "pool": pool_id},
    ).df()


def _may_contact(connection: DuckDBPyConnection, members: np.ndarray, destination: Destination | None) -> np.ndarray:
    """(n,) bool: agreed to the destination's channel and purpose, or without one, refused nothing. A refusal of either scope wins."""
    asked = "purpose = $purpose and channel in ($channel, 'all')" if destination else "true"
    told = connection.execute(
        f"""
        select member_id, bool_and(is_granted) as is_granted from marts.dim_consents_history
        where is_current and member_id is not null and {asked}
        group by member_id
        """,  # noqa: S608, one of two texts of our own
        {"purpose": destination.purpose, "channel": destination.channel} if destination else {},
    ).df()
    is_granted = told["is_granted"].astype(bool)
    if destination:
        return np.isin(members, told.loc[is_granted, "member_id"].to_numpy())
    return ~np.isin(members, told.loc[~is_granted, "member_id"].to_numpy())


def _reasons(model: PositiveUnlabelledLogistic, tags: pd.DataFrame) -> pd.DataFrame:
    """The tags with the greatest weights; that a value is missing is no reason to tell."""
    weights = model.model_.named_steps["logisticregression"].coef_[0][: len(tags)]
    found = tags.assign(weight=weights, size=np.abs(weights))
    found = found.sort_values(["size", "tag_code"], ascending=[False, True]).head(REASON_COUNT)
    return found.drop(columns="size").reset_index(drop=True)
