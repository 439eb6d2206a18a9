"""Three small charts as SVG text: no drawing library, no script, no outside resource, the same bytes for the same numbers.

What is drawn comes from `ml.common.evidence`; the page around it is `ml.common.card`.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

INK, SOFT, LINE, GRID, BAND = "#1f2933", "#616e7c", "#1d6fb8", "#e4e7eb", "#9fc6e8"
WIDTH, HEIGHT = 380, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 24, 12, 46
_FONT = "font-family=\"system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif\""
_ROUND_STEPS = (0.05, 0.1, 0.2, 0.25)


def reliability_chart(bins: Sequence[dict[str, float]]) -> str:
    """Mean score against observed rate of equal-count bins, with 95 % intervals; on the diagonal a score is what comes true."""
    top = _ceiling(max([row["high"] for row in bins] + [row["mean_score"] for row in bins]))
    x, y = _scale(top, WIDTH, _LEFT, _RIGHT), _scale(top, HEIGHT, _BOTTOM, _TOP)
    body = [_frame(top, "平均得分 mean score", "实际比例 observed rate")]
    body.append(_line([(x(0), HEIGHT - y(0)), (x(top), HEIGHT - y(top))], SOFT, dash=True))
    for row in bins:
        at = x(row["mean_score"])
        body.append(_line([(at, HEIGHT - y(row["low"])), (at, HEIGHT - y(row["high"]))], BAND, width=3))
    body.append(_line([(x(row["mean_score"]), HEIGHT - y(row["rate"])) for row in bins], LINE, width=1.5))
    for row in bins:
        body.append(_dot(x(row["mean_score"]), HEIGHT - y(row["rate"])))
    return _svg(body, "reliability", HEIGHT)


def gain_chart(points: Sequence[dict[str, float]], base_rate: float) -> str:
    """Share of the positives reached by asking the highest-scored members first; grey: at random, and the best there could be."""
    x, y = _scale(1, WIDTH, _LEFT, _RIGHT), _scale(1, HEIGHT, _BOTTOM, _TOP)
    best = [(x(0), HEIGHT - y(0)), (x(base_rate), HEIGHT - y(1)), (x(1), HEIGHT - y(1))]
    body = [
        _frame(1, "触达会员占比 share of members", "覆盖目标占比 share of positives"),
        _line([(x(0), HEIGHT - y(0)), (x(1), HEIGHT - y(1))], SOFT, dash=True),
        _line(best, SOFT, dash=True),
        _line([(x(row["share"]), HEIGHT - y(row["reached"])) for row in points], LINE, width=2),
    ]
    return _svg(body, "cumulative gain", HEIGHT)


def importance_chart(rows: Sequence[dict[str, Any]]) -> str:
    """One bar per input: the AUC lost when its values are dealt out anew. Bars below zero are noise and are drawn as nothing."""
    width, row_height, names = 2 * WIDTH, 22, 210
    height = len(rows) * row_height + 8
    most = max([row["lost_auc"] for row in rows] + [1e-9])
    body = []
    for number, row in enumerate(rows):
        middle = 4 + number * row_height + row_height / 2
        length = max(0.0, row["lost_auc"]) / most * (width - names - 80)
        body.append(_text(names - 8, middle + 4, escape(row["feature"]), anchor="end"))
        body.append(
            f'<rect x="{names}" y="{middle - 7:.1f}" width="{length:.1f}" height="14" rx="2" fill="{LINE}"/>'
            + _text(names + length + 6, middle + 4, f"{row['lost_auc']:.4f}", colour=SOFT)
        )
    return _svg(body, "importance", height, width)


def _ceiling(value: float) -> float:
    """The end of an axis: a round number at or above `value`, at most 1."""
    return next((step * 4 for step in _ROUND_STEPS if step * 4 >= value), 1.0)


def _scale(top: float, size: int, before: int, after: int):
    """Value to distance from the near edge."""
    return lambda value: before + min(value, top) / top * (size - before - after)


def _frame(top: float, x_title: str, y_title: str) -> str:
    x, y = _scale(top, WIDTH, _LEFT, _RIGHT), _scale(top, HEIGHT, _BOTTOM, _TOP)
    parts = []
    for number in range(5):
        value = top * number / 4
        across, up = x(value), HEIGHT - y(value)
        parts.append(_line([(_LEFT, up), (WIDTH - _RIGHT, up)], GRID))
        parts.append(_text(_LEFT - 6, up + 4, f"{value:.0%}", anchor="end", colour=SOFT))
        parts.append(_text(across, HEIGHT - _BOTTOM + 16, f"{value:.0%}", anchor="middle", colour=SOFT))
    parts.append(_text((WIDTH + _LEFT - _RIGHT) / 2, HEIGHT - 8, escape(x_title), anchor="middle"))
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    parts.append(_text(12, middle, escape(y_title), anchor="middle", turned=True))
    return "".join(parts)


def _line(points: Sequence[tuple[float, float]], colour: str, *, width: float = 1, dash: bool = False) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="4 4"' if dash else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'


def _dot(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{LINE}" stroke="white"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="12"{turn}>{text}</text>'


def _svg(body: Sequence[str], label: str, height: float, width: int = WIDTH) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{label}" {_FONT}>{"".join(body)}</svg>'
    )
