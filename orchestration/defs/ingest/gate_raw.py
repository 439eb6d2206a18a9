"""gate_raw: between landing and staging."""

from __future__ import annotations

import dagster as dg

from orchestration.brands import Brand
from orchestration.landing import land as landing
from orchestration.quality.adapter import gate_checks
from orchestration.quality.suites import raw
from orchestration.resources import BrandRun, current_brand


@dg.definitions
def gate_raw() -> dg.Definitions:
    brand = current_brand()
    suites = raw.suites({entity: quarantine_limit(brand, entity) for entity in landing.entities(brand)})
    return dg.Definitions(asset_checks=[gate_checks(raw.GATE, suites, prepare=BrandRun.prepare_build_file)])


def quarantine_limit(brand: Brand, entity: str) -> raw.QuarantineLimit:
    """The widest limit among the entity's sources: landing has judged each file by its own source's already."""
    limits = [source.limits for source in brand.sources if entity in source.entities]
    return raw.QuarantineLimit(max(q.max_share for q in limits), max(q.tolerated_rows for q in limits))
