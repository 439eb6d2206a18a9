"""`tessera identity`: accounts that share no identifier and are probably one person, measured before a run may join them.

The work is in `orchestration.identity_candidates`, what the figures mean in docs/identity.md.
"""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.commands.common import (
    EPILOG,
    FAILED,
    USAGE,
    BrandOption,
    Format,
    FormatOption,
    command_group,
    exit_codes,
    print_rows,
)
from orchestration.locking import brand_lock
from orchestration.settings import load_settings

app = command_group("identity", "Accounts that are probably one person: candidates, their review and their precision.")

_COLUMNS = {
    "threshold": "阈值",
    "pair_count": "配对数",
    "judged_count": "已判定",
    "right_count": "判定为同一人",
    "precision": "精确率",
    "precision_low": "下限",
    "precision_high": "上限",
    "recall": "召回率",
}


@app.command(epilog=EPILOG)
def candidates(
    brand: BrandOption = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, metavar="PAIRS", help="Pairs to review. Default: min_reviewed_pairs."),
    ] = None,
) -> None:
    """Find pairs of accounts that the rules leave apart and that are alike, and write a sample of them to review.

    Reads the warehouse as it was last built; changes nothing in it.
    """
    with exit_codes():
        settings = load_settings(brand)
        from orchestration import warehouse
        from orchestration.brands import BrandConfigError, load_brand
        from orchestration.identity_candidates import CandidatesError, find_candidates

        expected = {BrandConfigError: USAGE, CandidatesError: USAGE, warehouse.EngineError: FAILED}
        with exit_codes(expected):
            identity = load_brand(settings).identity
            with brand_lock(settings):
                found = find_candidates(settings, identity, sample)
        option = identity.probabilistic
        typer.echo(
            f"{settings.brand}: {found.account_count:,} accounts are {found.group_count:,} members by the rules alone; "
            f"{found.pair_count:,} pairs of them are candidates, {found.sure_count:,} from the threshold {option.threshold} on"
        )
        for reason, count in found.refused.items():
            typer.echo(f"refused: {count:,} group(s), {reason}")
        typer.echo(
            f"to review: {found.sampled_count:,} pair(s), {found.answered_count:,} answered before, in {found.review_file}"
        )
        typer.echo(f"then: tessera identity measure --brand {settings.brand}")


@app.command(epilog=EPILOG)
def measure(
    brand: BrandOption = None,
    truth: Annotated[bool, typer.Option("--truth", help="Judge by what the simulator knows, not by a review.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Print how right the candidates are, by threshold, and keep the result: a run may then join them, if they are right enough.

    Bounds are Wilson's, two-sided, 95 %. Recall is of all pairs of members that are one person, and needs the truth.
    """
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.brands import BrandConfigError, load_brand
        from orchestration.identity_candidates import CandidatesError, measure_candidates
        from orchestration.identity_measured import check_measurement

        with exit_codes({BrandConfigError: USAGE, CandidatesError: USAGE}):
            loaded = load_brand(settings)
            with brand_lock(settings):
                results = measure_candidates(settings, loaded.identity, by_truth=truth)
        rows = [tuple(_shown(getattr(result, name)) for name in _COLUMNS) for result in results]
        print_rows(output, list(_COLUMNS), rows, _COLUMNS)
        if output is Format.table:
            problem = check_measurement(loaded, settings.brand_home)
            typer.echo(problem or "right enough: probabilistic.enabled may be true", err=True)


def _shown(value: float | int | None) -> float | int | None:
    return round(value, 5) if isinstance(value, float) else value
