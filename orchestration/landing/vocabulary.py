"""The standard names of behaviour events, and what the product makes of each.

Declared in events.yml beside this file. Which events a brand has agreed to send is its tracking plan
(`orchestration.brands`); what arrived is counted in dbt (`ops.tracking_coverage`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from orchestration.landing.contract import Label

EVENTS_FILE = Path(__file__).with_name("events.yml")
INTERACTION = "interaction"
VISIT_ROLES = ("page", "leave", "passive", INTERACTION)


@dataclass(frozen=True)
class StandardEvent:
    """One standard event. `feeds` says, in both languages, what is lost without it; `visit` is one of VISIT_ROLES."""

    name: str
    label: Label
    feeds: Label
    visit: str = INTERACTION


def parse_vocabulary(text: str) -> dict[str, StandardEvent]:
    """Standard events of a vocabulary document. Raises ValueError naming the event that is wrong."""
    document: dict[str, Any] = yaml.safe_load(text)
    feeds = document["feeds"]
    events = {}
    for name, spec in document["events"].items():
        if set(spec) - {"visit"} != {"zh", "en", "feeds"} or not spec["feeds"]:
            raise ValueError(f"events.yml: {name}: needs exactly zh, en and feeds, with one feed at least")
        if (visit := spec.get("visit", INTERACTION)) not in VISIT_ROLES:
            raise ValueError(f"events.yml: {name}: unknown visit {visit}; one of {', '.join(VISIT_ROLES)}")
        if unknown := [code for code in spec["feeds"] if code not in feeds]:
            raise ValueError(f"events.yml: {name}: unknown feed {', '.join(unknown)}; one of {', '.join(feeds)}")
        events[name] = StandardEvent(
            name=name,
            label=Label(spec["zh"], spec["en"]),
            feeds=Label(
                "、".join(feeds[code]["zh"] for code in spec["feeds"]),
                "; ".join(feeds[code]["en"] for code in spec["feeds"]),
            ),
            visit=visit,
        )
    return events


@lru_cache(maxsize=1)
def load_vocabulary() -> dict[str, StandardEvent]:
    """Standard events by name, in the order of events.yml."""
    return parse_vocabulary(EVENTS_FILE.read_text(encoding="utf-8"))
