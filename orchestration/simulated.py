"""The source files of a simulated brand: made when they are not there, before anything reads them.

What is simulated belongs in `simulator`; reading the files belongs in `orchestration.landing` like any other source's.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestration.brands import Brand
from orchestration.settings import Settings


def ensure_sources(settings: Settings, brand: Brand, log: Callable[[str], None] = lambda _: None) -> None:
    """Write the brand's simulated sources and truth unless the same are there already; a brand with real ones: nothing.

    Call it while holding the brand's run lock. The same configuration gives the same bytes.
    """
    if brand.simulator is None or brand.calendar_end is None:
        return
    from simulator import SimulatorConfig, write_brand

    config = SimulatorConfig(
        members=brand.simulator.members,
        start=brand.calendar_start,
        days=(brand.calendar_end - brand.calendar_start).days + 1,
        seed=brand.simulator.seed,
    )
    write_brand(config, settings.generated_sources, settings.truth_dir, progress=log)
