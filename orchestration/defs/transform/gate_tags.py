"""gate_tags: between the tag table and its publication."""

from __future__ import annotations

import dagster as dg

from orchestration.landing import land as landing
from orchestration.quality.adapter import gate_checks
from orchestration.quality.suites import tags
from orchestration.resources import current_brand


@dg.definitions
def gate_tags() -> dg.Definitions:
    brand = current_brand()
    suites = tags.suites(landing.entities(brand), has_tracking_plan=brand.tracking_plan is not None)
    return dg.Definitions(asset_checks=[gate_checks(tags.GATE, suites)])
