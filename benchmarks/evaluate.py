"""Models beside published and measured references: `make evaluate`, or `python -m benchmarks.evaluate`.

Builds the brands it needs where they are not built yet, judges them at the reference's cuts and prints gate by gate what was to be
reached and what was. With `--write` the table goes into docs/models.md, between its markers.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks import evaluate_clv
from benchmarks.reference import ReferenceRow
from ml.common.estimators import RULES, SEED
from ml.propensity.category import evaluate_categories
from orchestration import warehouse
from orchestration.brands import load_brand
from orchestration.category_purchases import category_purchases
from orchestration.evaluation import evaluate, task_of
from orchestration.settings import PROJECT_ROOT, Settings, load_settings

DOCUMENT = PROJECT_ROOT / "docs" / "models.md"
BEGIN, END = "<!-- evaluate: begin -->", "<!-- evaluate: end -->"
ZONE_NOTE = "business days of New York, where the reference took naive UTC days"
# Gate's range of AUC, greatest Brier score and ECE; the reference's champion; cuts to learn from.
PURCHASES = {
    "cj_buy7": (
        "purchase",
        date(2017, 12, 4),
        7,
        90,
        8,
        (0.803, 0.845),
        0.179,
        0.03,
        (".8033", ".8055", ".1784", ".029"),
    ),
    "cj_churn28": (
        "churn",
        date(2017, 12, 3),
        28,
        28,
        6,
        (0.840, 0.890),
        0.077,
        0.02,
        (".8340", ".8439", ".0754", ".009"),
    ),
}


def purchase_rows(settings: Settings) -> Iterator[ReferenceRow]:
    """PROP-1 and PROP-2 on complete journey."""
    brand = load_brand(settings)
    for name, (task, cut, horizon, active, cuts, aucs, brier, ece, told) in PURCHASES.items():
        result = evaluate(settings, brand, task_of(brand, task, horizon, active), cut, count=cuts)
        figures = result.evaluation.figures
        champion, rule = figures["champion"], max(figures[name].auc for name in RULES)
        subject = f"{name}: complete_journey, {cut}, {horizon} d, n {champion.population_count:,}"
        yield ReferenceRow("PROP-1", subject, "AUC", f"{told[1]} (LightGBM)", champion.auc, *aucs, note=ZONE_NOTE)
        yield ReferenceRow(
            "PROP-1",
            subject,
            "AUC less the better one-line rule's",
            f"rule {told[0]}",
            champion.auc - rule,
            low=-0.005,
            note=ZONE_NOTE,
        )
        yield ReferenceRow("PROP-2", subject, "Brier", f"{told[2]}", champion.brier, high=brier, note=ZONE_NOTE)
        yield ReferenceRow(
            "PROP-2",
            subject,
            "ECE, 10 equal-count bins",
            f"{told[3]}",
            champion.ece_10_equal_count,
            high=ece,
            note=ZONE_NOTE,
        )
        yield ReferenceRow("PROP-2", subject, "average precision", "", champion.average_precision)
        yield ReferenceRow("PROP-2", subject, "lift@10 %", "", champion.lift_at_10_percent)


def category_rows(settings: Settings) -> Iterator[ReferenceRow]:
    """PROP-3: 40 categories of complete journey, four earlier cuts."""
    cut, horizon = date(2017, 11, 30), 30
    cuts = [cut - timedelta(days=horizon * number) for number in (4, 3, 2, 1)]
    with warehouse.read_only(settings.build_file) as connection:
        rows = category_purchases(connection, [*cuts, cut], horizon, active_days=90)
    is_test = rows["as_of_date"] == pd.Timestamp(cut)
    test = rows.loc[is_test]
    found = evaluate_categories(rows.loc[~is_test], test)
    subject = f"complete_journey, 40 categories, {cut}, n {len(test):,}"
    references = {
        "category_recency_rule": ".7646",
        "category_frequency_rule": ".7999",
        "logistic": ".8145",
        "gradient_boosting": ".8141 (LightGBM)",
    }
    for name, reference in references.items():
        bounds = (0.81, 0.845) if name == "logistic" else (None, None)
        yield ReferenceRow(
            "PROP-3", subject, f"macro AUC, {name}", reference, found[name].macro_auc, *bounds, note=ZONE_NOTE
        )
    yield ReferenceRow(
        "PROP-3", subject, "ECE, logistic", ".025", found["logistic"].ece_10_equal_count, high=0.03, note=ZONE_NOTE
    )


def leak_rows() -> Iterator[ReferenceRow]:
    """LEAK: the tests of leaks, run by pytest; the figure is how many of them failed."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--disable-warnings", "-p", "no:cacheprovider", *LEAK_TESTS],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    note = f"{seconds:.0f} s; " + (done.stdout.strip().splitlines() or ["nothing was said"])[-1]
    yield ReferenceRow(
        "LEAK",
        "every feature set, small synthetic logs",
        "exit code of the tests of leaks",
        "0",
        float(done.returncode),
        high=0,
        note=note,
    )


LEAK_TESTS = ("tests/unit/ml/test_leak_checks.py", "tests/integration/test_leakage.py")


def build(settings: Settings, told: Console) -> None:
    """Build a brand that has never been built in this home."""
    if settings.build_file.exists():
        return
    told.print(f"{settings.brand}: building, once")
    subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run", "--brand", settings.brand],
        cwd=PROJECT_ROOT, check=True, stdout=subprocess.DEVNULL, env=None,
    )  # fmt: skip


def cells(row: ReferenceRow) -> list[str]:
    asked = ""
    if row.low is not None and row.high is not None:
        asked = f"{row.low:g} to {row.high:g}"
    elif row.low is not None:
        asked = f"≥ {row.low:g}"
    elif row.high is not None:
        asked = f"≤ {row.high:g}"
    held = {True: "yes", False: "NO", None: ""}[row.is_held]
    return [row.gate, row.subject, row.figure, row.reference, asked, f"{row.measured:.4f}", held, row.note]


HEADINGS = ["gate", "subject", "figure", "reference", "asked", "ours", "held", "what differs"]


def write(rows: list[ReferenceRow], seconds: float) -> None:
    """Put the table between the markers of docs/models.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    table = "\n".join(lines)
    DOCUMENT.write_text(
        f"{before}{BEGIN}\n{table}\n\nSeed {SEED}; bootstraps seed 0; {seconds:.0f} s in all.\n{END}{after}",
        encoding="utf-8",
    )


def show(rows: list[ReferenceRow], title: str) -> None:
    """The table on the terminal; what is not held is red."""
    table = Table(title=title, title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*cells(row), style="bold red" if row.is_held is False else None)
    Console(width=200).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="put the table into docs/models.md")
    asked = parser.parse_args()
    told = Console(stderr=True)
    started = time.monotonic()
    grocery = load_settings("complete_journey")
    build(grocery, told)
    rows: list[ReferenceRow] = []
    for make in (
        lambda: evaluate_clv.rows(grocery),
        lambda: purchase_rows(grocery),
        lambda: category_rows(grocery),
        leak_rows,
    ):
        for row in make():
            rows.append(row)
            told.print(f"{row.gate}: {row.subject}: {row.figure} {row.measured:.4f}", highlight=False)
    told.print(
        "online_retail: its reference cuts (2011-09-10, 2011-11-09) lie after the days that are here; with the whole set run "
        "`tessera evaluate --brand online_retail --task churn --cut 2011-09-10 --horizon 90`"
    )
    seconds = time.monotonic() - started
    show(rows, f"Models beside references ({seconds:.0f} s)")
    if asked.write:
        write(rows, seconds)
    return 0 if all(row.is_held is not False for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
