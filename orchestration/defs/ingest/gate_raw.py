"""gate_raw: between landing and staging."""

from __future__ import annotations

import dagster as dg

from orchestration.landing import land as landing
from orchestration.quality.adapter import gate_checks
from orchestration.quality.suites import raw
from orchestration.resources import BrandRun, current_brand


@dg.definitions
def gate_raw() -> dg.Definitions:
    brand = current_brand()
    suites = raw.suites(tuple(landing.entities(brand)), max_quarantine_share=brand.quarantine.max_share)
    return dg.Definitions(asset_checks=[gate_checks(raw.GATE, suites, prepare=BrandRun.prepare_build_file)])
