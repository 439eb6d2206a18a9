"""The page a person reads before trusting a model: question, data, figures, limits. Markdown text from metadata.

Figures are made in `ml.common.evaluation`; where the card is kept is `ml.common.artifacts`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

_SHOWN = ["auc", "auc_ci_low", "auc_ci_high", "average_precision", "brier", "log_loss", "ece_10_equal_count"]


def write_card(metadata: dict[str, Any], evaluation: pd.DataFrame) -> str:
    """Markdown card of one model version. `evaluation` has one row per candidate."""
    task, test = metadata["task"], metadata["test"]
    final_cuts = ", ".join(metadata["final_fit_cuts"])
    header = ["candidate", *_SHOWN]
    lines = [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *(
            f"| {row['candidate']} | " + " | ".join(f"{row[name]:.4f}" for name in _SHOWN) + " |"
            for row in evaluation.to_dict("records")
        ),
    ]
    return f"""# {metadata["model_version"]}

**Question.** {task["question"]}

**Verdict.** {test["verdict"]}

**Recipe.** {metadata["candidate"]}, calibration {metadata["calibration"]}
(method judged on {metadata["calibration_judged_by"]}). Chosen on {metadata["chosen_on"]}, judged on
{metadata["test_cut"]}, which nothing was trained on or chosen by. Then the same recipe was fitted
again on {final_cuts} and, where it has one, calibrated on {metadata["final_calibration_cut"]}.
It scores the members known at {metadata["known_until"]}.

## Figures on the test cut

{test["population_count"]} members, {test["positive_count"]} positive (base rate {test["base_rate"]:.4f}); mean
score over base rate {test["mean_score_over_base"]:.3f}; lift in the top tenth {test["lift_at_10_percent"]:.2f}.
Interval: 95 %, bootstrap over members. Rows other than the champion are fitted on the older
cuts only and not calibrated.

{chr(10).join(lines)}

## Limits

* Scores say who, not why, and not who would change their mind: they are no estimate of what a campaign does.
* The base rate moves between cuts (season, holidays); the mean score follows with a delay of one horizon.
* Tier high is the top {1 - task["high_tier_percentile"]:.0%} of those scored, medium the rest above the
  {task["medium_tier_percentile"]:.0%} mark, whatever the level of the scores.
* Inputs ({len(metadata["feature_names"])}): {", ".join(metadata["feature_names"])}.

scikit-learn {metadata["sklearn_version"]}, seed {metadata["seed"]}, data {metadata["data_hash"][:16]}.
"""
