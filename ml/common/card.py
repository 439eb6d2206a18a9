"""The page a person reads before trusting a model: question, data, figures, limits. Markdown and HTML from metadata.

Figures are made in `ml.common.evaluation`, points of curves in `ml.common.evidence`, drawings in `ml.common.plots`; where the card is
kept is `ml.common.artifacts`.
"""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from ml.common.plots import gain_chart, importance_chart, reliability_chart

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

## 检验期表现 Figures on the test cut

{test["population_count"]} members, {test["positive_count"]} positive (base rate {test["base_rate"]:.4f}); mean
score over base rate {test["mean_score_over_base"]:.3f}; lift in the top tenth {test["lift_at_10_percent"]:.2f}.
Interval: 95 %, bootstrap over members. Rows other than the champion are fitted on the older
cuts only and not calibrated.

{chr(10).join(lines)}

## 使用限制 Limits

* Scores say who, not why, and not who would change their mind: they are no estimate of what a campaign does.
* The base rate moves between cuts (season, holidays); the mean score follows with a delay of one horizon.
* Tier high is the top {1 - task["high_tier_percentile"]:.0%} of those scored, medium the rest above the
  {task["medium_tier_percentile"]:.0%} mark, whatever the level of the scores.
* Inputs ({len(metadata["feature_names"])}): {", ".join(metadata["feature_names"])}.

scikit-learn {metadata["sklearn_version"]}, seed {metadata["seed"]}, data {metadata["data_hash"][:16]}.
"""


_STYLE = """
body { font: 15px/1.55 system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif; color: #1f2933; background: #f5f7fa;
  margin: 0; }
main { max-width: 860px; margin: 24px auto; padding: 24px 32px; background: white; border: 1px solid #e4e7eb; border-radius: 8px; }
h1 { font-size: 21px; margin: 0 0 2px; overflow-wrap: anywhere; } h2 { font-size: 17px; margin: 28px 0 8px; }
h2 small, h1 + p, figcaption, .note { color: #616e7c; font-weight: normal; } h1 + p { margin: 0 0 14px; }
.verdict { padding: 10px 14px; border-left: 4px solid #1d6fb8; background: #eef5fb; }
.verdict.bad { border-color: #c0392b; background: #fbeeec; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13.5px; }
th, td { text-align: right; padding: 5px 8px; border-bottom: 1px solid #e4e7eb; } th { color: #616e7c; font-weight: 600; }
th:first-child, td:first-child { text-align: left; } tr.champion td { font-weight: 600; background: #eef5fb; }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 10px; margin: 12px 0; }
.facts div { border: 1px solid #e4e7eb; border-radius: 6px; padding: 8px 10px; } .facts b { display: block; font-size: 19px; }
.facts span { color: #616e7c; font-size: 12.5px; }
.plots { display: flex; flex-wrap: wrap; gap: 16px; } figure { margin: 0; flex: 1 1 340px; } figure.wide { flex-basis: 100%; }
figcaption { font-size: 13px; max-width: 60em; } svg { max-width: 100%; height: auto; } code { font-size: 13px; }
@media (max-width: 640px) { main { margin: 0; padding: 16px; } .facts { grid-template-columns: repeat(2, 1fr); } }
"""
_CHAMPION = ' class="champion"'
_COLUMNS = {
    "auc": "AUC",
    "average_precision": "AP",
    "brier": "Brier",
    "log_loss": "对数损失<br>log loss",
    "ece_10_equal_count": "校准误差<br>ECE",
    "lift_at_10_percent": "前 10 % 提升<br>lift",
}


def write_html_card(metadata: dict[str, Any], evaluation: pd.DataFrame) -> str:
    """The card as one HTML page in Chinese and English, without scripts or outside resources.

    `metadata` as it is saved beside the model (with `evidence`), `evaluation` with one row per candidate. Curves that the test cut
    did not define (one class) are left out.
    """
    task, test = metadata["task"], metadata["test"]
    is_good = test["is_rule_beaten"] and not test["is_leak_suspected"]
    return f"""<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(metadata["model_version"])}</title><style>{_STYLE}</style></head><body><main>
<h1>{escape(metadata["model_version"])}</h1>
<p>模型卡片 Model card · {escape(task["name"])}</p>
<h2>问题 <small>Question</small></h2><p>{escape(task["question"])}</p>
<p class="verdict{"" if is_good else " bad"}">{escape(test["verdict"])}</p>
<h2>检验期表现 <small>Figures on the test cut, {metadata["test_cut"]}</small></h2>
<div class="facts">
{_fact(f"{test['population_count']:,}", "被评会员 members")}
{_fact(f"{test['base_rate']:.1%}", "实际发生率 base rate")}
{_fact(f"{test['auc']:.3f}", f"AUC（95 %: {test['auc_ci_low']:.3f} – {test['auc_ci_high']:.3f}）")}
{_fact(f"{test['mean_score_over_base']:.2f}", "平均得分 ÷ 实际 mean score ÷ base")}
</div>
{_table(evaluation)}
<p class="note">区间为按会员自助抽样 95 %。除 champion 外，各候选只用更早的截止日训练，未经校准。
Interval: 95 %, bootstrap over members. Rows other than the champion are fitted on the older cuts only and not calibrated.</p>
{_plots(metadata["evidence"], test["base_rate"])}
<h2>做法 <small>Recipe</small></h2>
<p>{escape(metadata["candidate"])}，校准 calibration: {escape(metadata["calibration"])}
(judged on {escape(metadata["calibration_judged_by"])}). Chosen on {escape(metadata["chosen_on"])}, judged on {metadata["test_cut"]},
which nothing was trained on or chosen by; then fitted again on {", ".join(metadata["final_fit_cuts"])}.
It scores the members known at {metadata["known_until"]}.</p>
<h2>使用限制 <small>Limits</small></h2>
<ul>
<li>得分回答“谁会”，不回答“为什么”，也不回答“谁会因活动改变”。Scores say who, not why, and not who would change their mind.</li>
<li>发生率随季节变动，得分的总体水平滞后一个周期。The base rate moves between cuts; the mean score follows one horizon later.</li>
<li>高档为得分最高的 {1 - task["high_tier_percentile"]:.0%}，与得分绝对值无关。Tier high is the top
{1 - task["high_tier_percentile"]:.0%} of those scored, whatever the level of the scores.</li>
</ul>
<p class="note">输入 inputs ({len(metadata["feature_names"])}): {escape(", ".join(metadata["feature_names"]))}</p>
<p class="note">scikit-learn {metadata["sklearn_version"]} · seed {metadata["seed"]} · data {metadata["data_hash"][:16]}</p>
</main></body></html>
"""


def _fact(value: str, label: str) -> str:
    return f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>"


def _table(evaluation: pd.DataFrame) -> str:
    head = "".join(f"<th>{title}</th>" for title in ("候选<br>candidate", *_COLUMNS.values()))
    lines = [
        f"<tr{_CHAMPION if row['is_champion'] else ''}><td>{escape(str(row['candidate']))}</td>"
        + "".join(f"<td>{row[name]:.4f}</td>" for name in _COLUMNS)
        + "</tr>"
        for row in evaluation.to_dict("records")
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _plots(evidence: dict[str, Any], base_rate: float) -> str:
    figures = []
    if evidence["reliability"]:
        figures.append(
            f"<figure>{reliability_chart(evidence['reliability'])}<figcaption>可靠性：点在虚线上，表示得分三成就真有三成发生。"
            "Reliability: on the dashed line a score of .3 comes true three times in ten; bars are 95 % intervals.</figcaption></figure>"
        )
    if evidence["gain"]:
        figures.append(
            f"<figure>{gain_chart(evidence['gain'], base_rate)}<figcaption>"
            "累积增益：按得分从高到低触达，能覆盖多少目标会员；虚线为随机与理论最优。"
            "Cumulative gain: positives reached by asking the highest scores first; dashed: at random, and the best there could be."
            "</figcaption></figure>"
        )
    if evidence["importance"]:
        figures.append(
            f'<figure class="wide">{importance_chart(evidence["importance"])}<figcaption>'
            "输入的分量：打乱该列后损失的 AUC；含义相近的列会互相替代。"
            "Weight of inputs: AUC lost when a column is dealt out anew; columns that say the same stand in for each other."
            "</figcaption></figure>"
        )
    if not figures:
        return ""
    return f'<h2>图示 <small>Plots</small></h2><div class="plots">{"".join(figures)}</div>'
