"""The one entry point of Dagster: resources here, everything else autoloaded from `orchestration.defs`."""

from __future__ import annotations

import warnings
from pathlib import Path

import dagster as dg

from orchestration.resources import BrandRun
from orchestration.runtime import RunOptions
from orchestration.terminal import TERMINAL_LOGGER

warnings.filterwarnings("ignore", category=dg.BetaWarning)

RESOURCES = {"brand_run": BrandRun(), "run_options": RunOptions()}


@dg.definitions
def defs() -> dg.Definitions:
    # One process per run: a step in a process of its own would pay the start-up of Dagster, dbt and the models each time.
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent / "defs"),
        dg.Definitions(resources=RESOURCES, executor=dg.in_process_executor, loggers={"terminal": TERMINAL_LOGGER}),
    )
