"""gate_marts: between the marts and everything computed from them."""

from __future__ import annotations

import dagster as dg

from orchestration.landing import land as landing
from orchestration.quality.adapter import gate_checks
from orchestration.quality.suites import marts
from orchestration.resources import current_brand


@dg.definitions
def gate_marts() -> dg.Definitions:
    return dg.Definitions(asset_checks=[gate_checks(marts.GATE, marts.suites(landing.entities(current_brand())))])
