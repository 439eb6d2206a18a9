"""One cohort of members with everything they do, and cohorts put together to the block that is written at once.

Random numbers belong to the cohort, so the size of a block changes the order of rows in files and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator import mess
from simulator.behaviour import make_visits
from simulator.catalogue import Catalogue
from simulator.config import COHORT_MEMBERS, SimulatorConfig
from simulator.loyalty import make_ledger, make_tasks
from simulator.messages import run_campaigns
from simulator.orders import build_orders, caused_orders, natural_orders
from simulator.population import make_population
from simulator.recommendations import make_recommendations
from simulator.seasons import Seasons
from simulator.service import make_service
from simulator.tables import Table, rows, stack, stack_referring, take

_CODE_BITS = 24  # rows of one table and cohort that can be told apart

# column → the table whose row number it holds
_REFERENCES: dict[str, dict[str, str]] = {
    "people": {},
    "orders": {"person": "people"},
    "lines": {"order": "orders"},
    "refunds": {"order": "orders", "line": "lines"},
    "touches": {"person": "people"},
    "assignments": {"person": "people"},
    "units": {"person": "people"},
    "consents": {"person": "people"},
    "tasks": {"person": "people"},
    "ledger": {"person": "people", "order": "orders"},
    "tickets": {"person": "people", "order": "orders"},
    "reviews": {"order": "orders", "line": "lines"},
    "surveys": {"person": "people"},
    "visits": {"person": "people", "order": "orders"},
    "events": {"visit": "visits", "order": "orders"},
    "recommendations": {"visit": "visits"},
}


@dataclass(frozen=True)
class World:
    """What all members share."""

    config: SimulatorConfig
    catalogue: Catalogue
    seasons: Seasons


Block = dict[str, Table]


def make_cohort(world: World, cohort: int) -> Block:
    """Every table of one cohort; `code` numbers the rows of a table over the whole brand."""
    config, catalogue, seasons = world.config, world.catalogue, world.seasons
    people = make_population(config, catalogue, cohort)
    people.update(mess.contact_faults(config, people, cohort))
    natural = natural_orders(config, catalogue, seasons, people, cohort)
    running = run_campaigns(config, people, natural, cohort)
    caused = caused_orders(config, catalogue, seasons, people, running["causes"], cohort)
    heads = stack([take(natural, ~running["dropped"]["is_dropped"]), caused])
    orders, lines, refunds = build_orders(config, catalogue, seasons, people, heads, running["treated"], cohort)
    orders["fault"] = mess.row_faults(config, "orders", rows(orders), cohort)
    visits, events = make_visits(config, catalogue, seasons, people, orders, lines, running["touches"], cohort)
    visits["skew"] = mess.device_skew(config, visits, people)
    visits["code"] = _codes(cohort, rows(visits))
    events.update(mess.event_faults(config, visits, events, cohort))
    tasks = make_tasks(config, people, cohort)
    block: Block = {
        "people": people,
        "orders": orders,
        "lines": lines,
        "refunds": refunds,
        "visits": visits,
        "events": events,
        "tasks": tasks,
        "ledger": make_ledger(config, people, orders, refunds, tasks, cohort),
        "recommendations": make_recommendations(config, catalogue, people, visits, cohort),
        **{name: running[name] for name in ("touches", "assignments", "units", "consents")},
        **make_service(config, people, orders, lines, refunds, cohort),
    }
    for name in ("orders", "refunds", "touches", "tasks", "ledger", "tickets", "reviews", "surveys", "recommendations"):
        block[name]["code"] = _codes(cohort, rows(block[name]))
    return block


def _codes(cohort: int, size: int) -> np.ndarray:
    return (np.int64(cohort) << _CODE_BITS) + np.arange(size, dtype=np.int64)


def cohort_count(config: SimulatorConfig) -> int:
    return -(-config.members // COHORT_MEMBERS)


def join_cohorts(cohorts: list[Block]) -> Block:
    """The tables of several cohorts as those of one block."""
    if len(cohorts) == 1:
        return cohorts[0]
    sizes = {name: [rows(cohort[name]) for cohort in cohorts] for name in _REFERENCES}
    return {
        name: stack_referring(
            [cohort[name] for cohort in cohorts], {column: sizes[other] for column, other in references.items()}
        )
        for name, references in _REFERENCES.items()
    }
