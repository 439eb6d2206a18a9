"""What the recommender showed on the home page, with which probability, and what was clicked.

Two policies, drawn for each visit: `popular` ignores the member, `personal` follows their taste; both explore. The chance with
which a product was shown is logged, so that results can be weighted back.
"""

from __future__ import annotations

import numpy as np

from simulator.behaviour import NO_LOGIN, ON_WEB
from simulator.catalogue import Catalogue
from simulator.config import SimulatorConfig
from simulator.randomness import choose_by_row, generator
from simulator.tables import Table, take

SLOTS = 6
ALGORITHMS = ("popular", "personal")
SCENE = "home_recommend"
SHOWN = 0.10  # share of visits whose exposures are logged
_EXPLORES = 0.2  # share of slots filled with any product
_DAY = 86_400
# Chance that an eye reaches a slot: what position bias is.
EXAMINED = (1 / np.arange(1, SLOTS + 1) ** 0.7).round(4)
_CLICK = 0.055  # clicks on a product of average liking at the first slot


def make_recommendations(
    config: SimulatorConfig, catalogue: Catalogue, people: Table, visits: Table, cohort: int
) -> Table:
    """Columns: visit (row), at, slot (from 0), product, algorithm, propensity, is_clicked, is_logged_in."""
    rng = generator(config.seed, "recommendations", cohort)
    shown = (visits["person"] >= 0) & (visits["surface"] != ON_WEB) & (rng.random(len(visits["person"])) < SHOWN)
    which = np.flatnonzero(shown)
    algorithm = rng.integers(0, 2, len(which))
    visit = np.repeat(which, SLOTS)
    slot = np.tile(np.arange(SLOTS), len(which))
    policy = np.repeat(algorithm, SLOTS)
    person = visits["person"][visit]
    day = visits["at"][visit] // _DAY
    explores = rng.random(len(visit)) < _EXPLORES
    general = np.broadcast_to(np.cumsum(catalogue.categories.share), (1, len(catalogue.categories.share)))
    l2 = np.where(
        policy == 0,
        choose_by_row(rng, general, np.zeros(len(visit), dtype=np.int64)),
        choose_by_row(rng, np.cumsum(people["taste"], axis=1), person),
    )
    greedy = catalogue.draw(rng, l2, day)
    anything = rng.integers(0, len(catalogue.code), len(visit))
    product = np.where(explores & (catalogue.launched[anything] <= day), anything, greedy)
    category = catalogue.l2[product]
    by_category = np.where(policy == 0, catalogue.categories.share[category], people["taste"][person, category])
    propensity = (1 - _EXPLORES) * by_category * catalogue.popularity[product] + _EXPLORES / len(catalogue.code)
    liking = people["taste"][person, category] / catalogue.categories.share[category]
    clicked = rng.random(len(visit)) < np.clip(_CLICK * EXAMINED[slot] * np.clip(liking, 0.15, 5), 0, 0.6)
    _, first = np.unique(visit * len(catalogue.code) + product, return_index=True)  # a product stands once in a list
    table: Table = {
        "visit": visit, "at": visits["at"][visit] + 2, "slot": slot, "product": product, "algorithm": policy,
        "propensity": propensity, "is_clicked": clicked, "is_logged_in": visits["login_from"][visit] < NO_LOGIN,
    }  # fmt: skip
    table = take(table, np.sort(first))
    return take(table, table["at"] < config.seconds)
