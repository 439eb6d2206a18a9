"""gate_models: a score is published only when it is complete, is a probability, beats the rule and does not leak.

A model that declined for lack of data has no scores and says so in ml.model_evaluations (candidate `none`): that is an
answer, not a failure. Scores that are missing without such a row are a failure.
"""

from __future__ import annotations

from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import between, row_count, zero

GATE = "gate_models"

# The rows that this build made of one model: its scores, and the evaluation of the version that gave them.
_CURRENT = """
    clocks as (select as_of_date from intermediate.int_clocks_resolved),
    scores as (select s.* from ml.{table} as s inner join clocks on s.as_of_date = clocks.as_of_date),
    evaluations as (
        select * from ml.model_evaluations
        where model_name = '{model_name}' and model_version in (select model_version from scores)
    ),
    declined as (
        select count(*) as declined_count from ml.model_evaluations as e inner join clocks on e.as_of_date = clocks.as_of_date
        where e.model_name = '{model_name}' and e.candidate = 'none'
    )
"""


def _scores(table: str, model_name: str) -> Suite:
    current = _CURRENT.format(table=table, model_name=model_name)
    return Suite(
        gate=GATE,
        subject=("ml", table),
        name="scores",
        description=f"Scores of {model_name}: one per member, between 0 and 1, spread out, and on the level of the base rate.",
        # Both names are constants of this package. NULLs (a declined model has no rates) are not judged.
        sql=f"""
            with {current}
            select
                count(*) + (select declined_count from declined) as scored_or_declined_count,
                count(*) - count(distinct member_id) as duplicate_member_count,
                count(*) filter (where score is null or score < 0 or score > 1 or isnan(score)) as impossible_score_count,
                count(*) filter (where percentile is null or percentile < 0 or percentile > 1) as impossible_percentile_count,
                nullif(count(distinct model_version), 0) as version_count,
                count(distinct score) / nullif(count(*), 0) as distinct_score_rate,
                avg(score) / nullif((select any_value(base_rate) from evaluations where is_champion), 0) as mean_score_over_base_rate,
                count(*) filter (where member_id not in (select member_id from marts.dim_members)) as unknown_member_count
            from scores
        """,  # noqa: S608
        expectations=(
            between("scored_or_declined_count", 1, None, "members were scored, or the model said why not"),
            zero("duplicate_member_count", "one score per member"),
            zero("impossible_score_count", "a score is a probability"),
            zero("impossible_percentile_count", "a percentile lies between 0 and 1"),
            between("version_count", 1, 1, "all scores come from one model version"),
            between("distinct_score_rate", 0.01, 1, "the model tells members apart: a constant score is a failed fit"),
            between("mean_score_over_base_rate", 0.4, 2.5, "the mean score is on the level of the observed rate"),
            zero("unknown_member_count", "only known members are scored"),
        ),
    )


def _evaluation(table: str, model_name: str) -> Suite:
    current = _CURRENT.format(table=table, model_name=model_name)
    return Suite(
        gate=GATE,
        subject=("ml", table),
        name="evaluation",
        description=f"The champion of {model_name} is not worse than the simple rule and not too good to be true.",
        sql=f"""
            with {current}
            select
                count(*) + (select declined_count from declined) as judged_or_declined_count,
                count(*) filter (where not is_rule_beaten) as below_rule_count,
                count(*) filter (where is_leak_suspected) as suspected_leak_count,
                max(auc) as auc
            from evaluations
            where is_champion
        """,  # noqa: S608
        expectations=(
            row_count(1, 1, "one summary row"),
            between("judged_or_declined_count", 1, 1, "the version that scored was evaluated, once"),
            zero("below_rule_count", "the champion ranks at least as well as the recency rule"),
            zero("suspected_leak_count", "no figure is above the ceiling that honest features reach"),
            between("auc", 0.5, 0.97, "the ranking is better than chance and below the leak ceiling"),
        ),
    )


def suites(models: dict[str, str]) -> tuple[Suite, ...]:
    """Suites for each scores table: `models` maps table name to model name."""
    return tuple(suite for table, name in models.items() for suite in (_scores(table, name), _evaluation(table, name)))
