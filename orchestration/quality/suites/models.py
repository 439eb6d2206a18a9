"""gate_models: a score is published only when it is complete, is a probability, beats the rule and does not leak.

A model that declined for lack of data has no scores and says so in ml.model_evaluations (candidate `none`): that is an
answer, not a failure. Scores that are missing without such a row are a failure. What is judged is the version that scored; a leak is
looked for in the one that was trained, too. Drift and decay warn: they ask for a person, not for yesterday's publication.
"""

from __future__ import annotations

from orchestration.quality.suite import Severity, Suite
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
    trained as (
        select * from ml.model_evaluations
        where model_name = '{model_name}' and is_champion and model_version in (
            select r.model_version from ml.model_registry as r inner join clocks on r.as_of_date = clocks.as_of_date
            where r.model_name = '{model_name}'
            union all
            select model_version from scores
        )
    ),
    monitored as (
        select m.* from ml.model_monitoring as m inner join clocks on m.as_of_date = clocks.as_of_date
        where m.model_name = '{model_name}'
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
                (select count(*) from trained where is_leak_suspected) as suspected_leak_count,
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


# Checks of ml.model_monitoring that close the gate (error) or ask for a person (warn), and what holds when they do not.
WATCHED: tuple[tuple[str, Severity, str], ...] = (
    ("single_feature_auc", "error", "no single input tells the answer"),
    ("shuffled_labels", "error", "a model taught shuffled labels knows nothing: what is judged is not trained on"),
    ("label_maturity_days", "error", "no label window of the scoring version ends after what is known"),
    ("label_shift", "warn", "no input describes its label window much better than the window after it"),
    ("input_drift", "warn", "the members scored look like those the scoring version learnt from"),
    ("score_drift", "warn", "the scores are spread like those of the run before"),
    ("calibration_decay", "warn", "what was promised at the last closed cut has come true, on average"),
)


def _monitoring(table: str, model_name: str) -> Suite:
    current = _CURRENT.format(table=table, model_name=model_name)
    counts = ", ".join(
        f"count(*) filter (where check_name = '{name}' and not is_ok) as {name}_alarm_count" for name, *_ in WATCHED
    )
    return Suite(
        gate=GATE,
        subject=("ml", table),
        name="monitoring",
        description=f"{model_name} does not know its answers, and the present is what its scoring version learnt from.",
        sql=f"""
            with {current}
            select
                count(*) + (select declined_count from declined) as watched_or_declined_count,
                (
                    select count(*) from scores where model_version not in (
                        select model_version from ml.model_registry where model_name = '{model_name}'
                    )
                ) as unregistered_score_count,
                {counts}
            from monitored
        """,  # noqa: S608
        expectations=(
            between("watched_or_declined_count", 1, None, "a model that scores is watched"),
            zero("unregistered_score_count", "the version that scored is registered"),
            *(zero(f"{name}_alarm_count", meaning, severity=severity) for name, severity, meaning in WATCHED),
        ),
    )


def suites(models: dict[str, str]) -> tuple[Suite, ...]:
    """Suites for each scores table: `models` maps table name to model name."""
    return tuple(
        suite
        for table, name in models.items()
        for suite in (_scores(table, name), _evaluation(table, name), _monitoring(table, name))
    )
