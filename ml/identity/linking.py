"""Pairs of records with the probability that they are one person: Fellegi and Sunter's model, by splink, without labels.

Only pairs that share a block are looked at. How sure an agreement is comes from the records themselves: the share of
matches from rules that hardly err, agreement by chance (u) from a seeded sample of pairs, agreement of matches (m) by
expectation maximisation. The engine is splink's own, in memory, one thread: same records, same pairs.

Sources: Fellegi and Sunter, A Theory for Record Linkage, JASA 64 (1969); Linacre et al., Splink, IJPDS 7 (2022).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd
import splink.comparison_level_library as level
import splink.comparison_library as levels
from splink import DuckDBAPI, Linker, SettingsCreator
from splink.internals.comparison_creator import ComparisonCreator

from ml.identity.columns import ID_LEFT, ID_RIGHT, PAIR_COLUMNS, PROBABILITY

_ALL = "all"  # a column in which every record agrees
_ENOUGH_PAIRS = 1_000_000  # that are known to be two people, to count rare agreement by chance from
_DIGITS = 9  # of a probability: beyond them, sums of floats differ between machines

Kind = Literal["exact", "text", "digits", "place", "code"]
Block = tuple[str, ...]


class TooLittleToLearn(ValueError):
    """The records give no pairs to estimate the model from; the message says which step found none."""


@dataclass(frozen=True)
class Field:
    """A column of text that is compared. Missing values (None, NaN, "") speak neither for nor against.

    exact: agrees or not · text: also nearly, by Jaro-Winkler · digits: also one or two slips of the pen, as in dates ·
    place: six digits of an administrative code, the first two of which are the province · code: agrees or not, and
    hardly two people share one. In all but digits and code, agreeing in what is rare weighs more.
    """

    column: str
    kind: Kind = "exact"
    # Of a code: share of the matches that agree, 0 to 1. Given, because a code is the one field by which to tell matches where
    # little else is filled in. Lower makes a disagreement weigh less.
    match_agreement: float = 0.9


@dataclass(frozen=True)
class LinkPlan:
    """What is compared, and where the estimates come from. A block is columns that must all agree."""

    fields: tuple[Field, ...]
    blocks: tuple[Block, ...]  # pairs that are scored: those within one of these
    surest: tuple[Block, ...]  # agreement that hardly errs; its pairs give the share of matches
    training: tuple[Block, ...]  # m is estimated within each; every field must be outside one of them
    # 0 to 1: share of the matches that `surest` finds. A guess, and a mild one: half of it doubles the odds of each pair.
    surest_recall: float = 0.6
    # Two records that have different values here are known to be two people, and no pair.
    apart: str | None = None
    max_sampled_pairs: float = 5e6  # for u; fewer is faster and rougher for rare agreements
    max_block_pairs: int = 20_000_000  # a block with more pairs is left out: it would take hours and tell little
    seed: int = 1


def score_pairs(
    records: pd.DataFrame,
    plan: LinkPlan,
    *,
    others: pd.DataFrame | None = None,
    id_column: str = "id",
    threshold: float = 0.0,
) -> pd.DataFrame:
    """Pairs within `records`, or between `records` and `others`, that share a block.

    `records`: one row each, `id_column` unique over both frames, the plan's columns as text. Returns id_left, id_right,
    probability (0 to 1, at least `threshold`), one row per pair, ordered by ids; within one frame id_left < id_right.
    Raises TooLittleToLearn where nothing can be estimated, ValueError for ids that are not unique.
    """
    frames = [_prepared(frame, plan, id_column) for frame in (records, others) if frame is not None]
    ids = pd.concat([frame["unique_id"] for frame in frames])
    if not ids.is_unique:
        raise ValueError(f"{id_column} must be unique; {int(ids.duplicated().sum())} row(s) repeat one")
    if min(map(len, frames)) == 0 or len(ids) < 2:
        raise TooLittleToLearn("there are fewer than two records to compare")
    plan = _usable(plan, frames)
    with _quiet():
        linker = _trained(frames, plan)
        found = linker.inference.predict(threshold_match_probability=threshold, warning_mode="never")
        pairs = found.as_pandas_dataframe()
    pairs = pairs.rename(
        columns={"unique_id_l": ID_LEFT, "unique_id_r": ID_RIGHT, "match_probability": PROBABILITY}
    ).reindex(columns=list(PAIR_COLUMNS))
    if others is None:
        swapped = pairs[ID_LEFT] > pairs[ID_RIGHT]
        pairs.loc[swapped, [ID_LEFT, ID_RIGHT]] = pairs.loc[swapped, [ID_RIGHT, ID_LEFT]].to_numpy()
    pairs[PROBABILITY] = pairs[PROBABILITY].astype(float).round(_DIGITS)
    return pairs.sort_values([ID_LEFT, ID_RIGHT], ignore_index=True)


# ---- the model ---------------------------------------------------------------------------------------------------


def _prepared(frame: pd.DataFrame, plan: LinkPlan, id_column: str) -> pd.DataFrame:
    """The plan's columns as text with None for what is missing, ordered by id: the order of rows must not matter."""
    columns = {field.column for field in plan.fields} | {name for block in _all_blocks(plan) for name in block}
    if plan.apart is not None:
        columns.add(plan.apart)
    kept = pd.DataFrame({"unique_id": frame[id_column].astype(str)})
    for column in sorted(columns):
        text = frame[column].astype(object)
        kept[column] = text.where(text.notna() & (text != ""), None)
    return kept.sort_values("unique_id", ignore_index=True)


def _all_blocks(plan: LinkPlan) -> tuple[Block, ...]:
    return plan.blocks + plan.surest + plan.training


def _usable(plan: LinkPlan, frames: Sequence[pd.DataFrame]) -> LinkPlan:
    """The plan without fields that can tell nothing, and without blocks that are empty or beyond `max_block_pairs`."""

    sizes = {block: _pair_count(frames, block, plan.apart) for block in _all_blocks(plan)}
    told = [all(frame[field.column].nunique() > 1 for frame in frames) for field in plan.fields]
    usable = replace(
        plan,
        fields=tuple(field for field, tells in zip(plan.fields, told, strict=True) if tells),
        blocks=tuple(block for block in plan.blocks if 0 < sizes[block] <= plan.max_block_pairs),
        surest=tuple(block for block in plan.surest if 0 < sizes[block] <= plan.max_block_pairs),
        training=tuple(block for block in plan.training if 0 < sizes[block] <= plan.max_block_pairs),
    )
    for name in ("fields", "blocks", "surest", "training"):
        if not getattr(usable, name):
            raise TooLittleToLearn(f"no {name} of the plan can be used: no two records agree in any of them")
    return usable


def _pair_count(frames: Sequence[pd.DataFrame], block: Block, apart: str | None) -> int:
    """Pairs that agree in the block's columns and are not known to be two people."""

    def within(columns: list[str]) -> int:
        counts = [frame.dropna(subset=columns).groupby(columns).size() for frame in frames]
        sizes = [dict(zip(count.index, count.to_numpy().tolist(), strict=True)) for count in counts]
        if len(sizes) == 2:
            return sum(size * sizes[1].get(value, 0) for value, size in sizes[0].items())
        return sum(size * (size - 1) // 2 for size in sizes[0].values())

    columns = list(block)
    if apart is None or apart in block:
        return within(columns)
    known = [frame.dropna(subset=[apart]) for frame in frames]
    return within(columns) - _pair_count(known, block, None) + within([*columns, apart])


def _rule(block: Block, plan: LinkPlan) -> str:
    """A block as splink reads it. The names are the plan's, never data."""
    rule = " and ".join(f'l."{column}" = r."{column}"' for column in block)
    if plan.apart is not None:
        rule += f' and coalesce(l."{plan.apart}" = r."{plan.apart}", true)'
    return rule


def _comparison(field: Field) -> ComparisonCreator:
    if field.kind == "text":
        return levels.JaroWinklerAtThresholds(field.column, [0.92, 0.8]).configure(term_frequency_adjustments=True)
    if field.kind == "digits":
        return levels.DamerauLevenshteinAtThresholds(field.column, [1, 2])
    if field.kind == "place":
        province = f'substr("{field.column}_l", 1, 2) = substr("{field.column}_r", 1, 2)'
        return levels.CustomComparison(
            output_column_name=field.column,
            comparison_levels=[
                level.NullLevel(field.column),
                level.ExactMatchLevel(field.column, term_frequency_adjustments=True),
                level.CustomLevel(province, "same province"),
                level.ElseLevel(),
            ],
        )
    if field.kind == "code":
        given = [field.match_agreement, 1 - field.match_agreement]
        return levels.ExactMatch(field.column).configure(m_probabilities=given)
    return levels.ExactMatch(field.column).configure(term_frequency_adjustments=True)


def _trained(frames: Sequence[pd.DataFrame], plan: LinkPlan) -> Linker:
    api = DuckDBAPI()
    api.duckdb_con.execute("set threads = 1")
    settings = SettingsCreator(
        link_type="dedupe_only" if len(frames) == 1 else "link_only",
        comparisons=[_comparison(field) for field in plan.fields],
        blocking_rules_to_generate_predictions=[{"blocking_rule": _rule(block, plan)} for block in plan.blocks],
        retain_matching_columns=False,
    )
    registered = [api.register(frame) for frame in frames]
    tables = registered if len(registered) > 1 else registered[0]
    linker = Linker(tables, settings, log_level=None)
    train = linker.training
    train.estimate_probability_two_random_records_match(
        [_rule(block, plan) for block in plan.surest], recall=plan.surest_recall * _applicable(frames, plan)
    )
    train.estimate_u_using_random_sampling(max_pairs=plan.max_sampled_pairs, seed=plan.seed)
    model = linker.misc.save_model_to_json()
    for comparison, field in zip(model["comparisons"], plan.fields, strict=True):
        chance = _chance(frames, field.column, plan.apart) if field.kind == "code" else None
        agreed = [item for item in comparison["comparison_levels"] if not item.get("is_null_level")]
        if chance is not None:
            agreed[0]["u_probability"], agreed[1]["u_probability"] = chance, 1 - chance
    linker = Linker(tables, model, log_level=None)
    for block in plan.training:
        linker.training.estimate_parameters_using_expectation_maximisation(_rule(block, plan))
    return linker


def _chance(frames: Sequence[pd.DataFrame], column: str, apart: str | None) -> float | None:
    """How often two people share a value of a code: counted over all pairs that are known to be two people.

    In a sample of all pairs, matches would outnumber chance. None where fewer than a million pairs are known.
    """
    if apart is None:
        return None
    known = [frame.dropna(subset=[column, apart]).assign(**{_ALL: ""}) for frame in frames]
    two = _pair_count(known, (_ALL,), None) - _pair_count(known, (apart,), None)
    same = _pair_count(known, (column,), None) - _pair_count(known, (column, apart), None)
    return max(same, 1) / two if two >= _ENOUGH_PAIRS else None


def _applicable(frames: Sequence[pd.DataFrame], plan: LinkPlan) -> float:
    """Share of all pairs in which the most widely filled rule of `surest` could agree at all: no value missing, not known apart.

    Without it, sparse records would look as if hardly any of them matched.
    """
    everything = [frame.assign(**{_ALL: ""}) for frame in frames]
    possible = max(
        _pair_count([frame.dropna(subset=list(block)) for frame in everything], (_ALL,), plan.apart)
        for block in plan.surest
    )
    return possible / _pair_count(everything, (_ALL,), None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """splink writes a page to the log for each step."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
