"""Visits to the brand's own app, mini-program and web shop, and every event in them; crawlers too.

A visit belongs to a member whether or not anybody can see it: who is logged in from which event on is part of it. How each
system writes events belongs in `silos`; what becomes dirty in `mess`.
"""

from __future__ import annotations

import numpy as np

from simulator.catalogue import Catalogue
from simulator.config import COHORT_MEMBERS, SimulatorConfig
from simulator.messages import CLICKED
from simulator.population import APP, MINI, NEVER
from simulator.randomness import choose, choose_by_row, generator, within_group
from simulator.seasons import Seasons
from simulator.tables import Table, rows, stack_referring, take

ON_APP, ON_MINI, ON_WEB = range(3)
# Standard names (orchestration/landing/events.yml); each system writes some of them its own way.
EVENTS = ("app_open", "page_view", "page_leave", "click", "exposure", "view", "search", "favourite", "unfavourite", "cart", "uncart",
          "checkout", "purchase", "coupon_claim", "share", "content_view", "content_like", "live_enter", "live_leave",
          "service_contact", "register", "login")  # fmt: skip
(OPEN, PAGE, LEAVE, CLICK, EXPOSURE, VIEW, SEARCH, FAVOURITE, UNFAVOURITE, CART, UNCART, CHECKOUT, PURCHASE, CLAIM, SHARE,
 CONTENT_VIEW, CONTENT_LIKE, LIVE_ENTER, LIVE_LEAVE, SERVICE, REGISTER, LOGIN) = range(len(EVENTS))  # fmt: skip
# What follows the first event of a visit that ends without an order. View : cart : favourite is Taobao's 90 : 5 : 3.
_BROWSED = {PAGE: 0.130, EXPOSURE: 0.110, CLICK: 0.075, VIEW: 0.465, SEARCH: 0.050, FAVOURITE: 0.0150, UNFAVOURITE: 0.002, CART: 0.0270,
            UNCART: 0.004, CLAIM: 0.010, SHARE: 0.006, CONTENT_VIEW: 0.075, CONTENT_LIKE: 0.010, LIVE_ENTER: 0.008, LIVE_LEAVE: 0.006,
            SERVICE: 0.003}  # fmt: skip
_NEEDS_VIEW = (FAVOURITE, UNFAVOURITE, CART, UNCART, SHARE)
_ABOUT_CONTENT = (CONTENT_VIEW, CONTENT_LIKE, LIVE_ENTER, LIVE_LEAVE)
PAGES = ("home", "category", "product", "search", "cart", "member_centre", "content", "live", "checkout", "order")
_PAGE_OF = np.array([0, 1, 1, 0, 0, 2, 3, 2, 2, 2, 4, 8, 9, 5, 2, 6, 6, 7, 7, 5, 5, 5])
_PAGE_DRAWN = (0.42, 0.26, 0.0, 0.06, 0.08, 0.12, 0.04, 0.02)
MODULES = ("banner", "recommend", "category_grid", "flash_sale", "search_result")
NO_LOGIN = 30_000
# A visit has this many events on average; visits follow from config.events_per_member.
_EVENTS_PER_VISIT = 10.6
# Mean over the members of what `_browsing` multiplies: activity, share of the period alive, share with a surface. Measured
# on 20,000 members; it only scales the number of events.
_VISITING = 0.53
_SITTINGS = 4  # a crawler comes this often
_BOT_EVENTS = 900
_DAY = 86_400


def make_visits(
    config: SimulatorConfig,
    catalogue: Catalogue,
    seasons: Seasons,
    people: Table,
    orders: Table,
    lines: Table,
    touches: Table,
    cohort: int,
) -> tuple[Table, Table]:
    """Visits and events of a cohort.

    visits: person (row, -1 = crawler), at, surface, login_from (number of the event from which on the member is logged in),
    order (row, -1), campaign (-1), device (0 or 1 of the member; number of the crawler), is_bot.
    events: visit (row), number, at, name, product, content, order, position, page, module, dwell (-1 = none).
    """
    browsing = _browsing(config, seasons, people, touches, cohort)
    browsed = _browse(config, catalogue, people, browsing, cohort)
    buying, bought = _buy(config, catalogue, people, orders, lines, cohort)
    crawling, crawled = _crawl(config, catalogue, cohort)
    kinds = [(browsing, browsed), (buying, bought), (crawling, crawled)]
    visits = {name: np.concatenate([v[name] for v, _ in kinds]) for name in browsing}
    events = stack_referring([e for _, e in kinds], {"visit": [rows(v) for v, _ in kinds]})
    return visits, take(events, events["at"] < config.seconds)


def _visits(rng: np.random.Generator, people: Table, person: np.ndarray, at: np.ndarray) -> Table:
    size = len(person)
    has_app = people["accounts"][person, APP] <= at
    has_mini = people["accounts"][person, MINI] <= at
    taste = people["channel_taste"][person]
    weight_app = np.where(has_app, 0.05 + taste[:, APP], 0)
    weight_mini = np.where(has_mini, 0.05 + taste[:, MINI], 0)
    weight_web = np.where(has_app | has_mini, 0.025, 1.0)
    drawn = rng.random(size) * (weight_app + weight_mini + weight_web)
    surface = np.where(drawn < weight_app, ON_APP, np.where(drawn < weight_app + weight_mini, ON_MINI, ON_WEB)).astype(
        np.int8
    )
    return {
        "person": person.astype(np.int64),
        "at": at.astype(np.int64),
        "surface": surface,
        "login_from": _logins(rng, people, person, at, surface),
        "order": np.full(size, -1, dtype=np.int64),
        "campaign": np.full(size, -1, dtype=np.int16),
        "device": np.where(rng.random(size) < 0.2, people["device_count"][person] - 1, 0).astype(np.int16),
        "is_bot": np.zeros(size, dtype=bool),
        "registers": np.zeros(size, dtype=bool),
    }


def _logins(
    rng: np.random.Generator, people: Table, person: np.ndarray, at: np.ndarray, surface: np.ndarray
) -> np.ndarray:
    """Number of the event from which the member is logged in: from the start, after a login on the way, or not at all."""
    drawn = rng.random(len(person))
    middle = rng.integers(2, 6, len(person))
    on_app = np.where(drawn < 0.62, 0, np.where(drawn < 0.84, middle, NO_LOGIN))
    has_app = people["accounts"][person, APP] <= at
    on_web = np.where((drawn < 0.22) & has_app, middle, NO_LOGIN)
    return np.choose(surface, [on_app, np.zeros(len(person), dtype=np.int64), on_web]).astype(np.int16)


def _browsing(config: SimulatorConfig, seasons: Seasons, people: Table, touches: Table, cohort: int) -> Table:
    rng = generator(config.seed, "browsing visits", cohort)
    size = len(people["person"])
    opened = people["accounts"][:, [APP, MINI]].min(axis=1)
    has_surface = opened < NEVER
    since = np.clip(people["joined"] - 20 * _DAY, 0, config.seconds)  # people look around before they join
    until = np.clip(people["lapsed"] + 7 * _DAY, since, config.seconds)
    alive = (until - since) / config.seconds
    visits_each = config.events_per_member / _EVENTS_PER_VISIT / _VISITING * config.days / 365
    expected = visits_each * people["activity"] * alive * np.where(has_surface, 1.0, 0.10)
    person = np.repeat(np.arange(size), rng.poisson(expected))
    at = seasons.sample(rng, people["hour_type"][person], since[person], until[person], visits=True)
    browsing = _visits(rng, people, person, at)

    clicked = take(touches, touches["stage"] == CLICKED)
    landing = _visits(rng, people, clicked["person"], clicked["at"] + 3)
    landing["campaign"] = clicked["campaign"].astype(np.int16)
    parts = [browsing, landing]
    for channel, surface in ((APP, ON_APP), (MINI, ON_MINI)):
        account = people["accounts"][:, channel]
        new = np.flatnonzero((account >= 0) & (account < config.seconds - 600))
        registering = _visits(rng, people, new, np.maximum(account[new] - 40, 0))
        registering["surface"] = np.full(len(new), surface, dtype=np.int8)
        registering["login_from"] = np.full(len(new), 0 if surface == ON_MINI else 2, dtype=np.int16)
        registering["registers"] = np.ones(len(new), dtype=bool)
        parts.append(registering)
    return {name: np.concatenate([part[name] for part in parts]) for name in browsing}


def _browse(config: SimulatorConfig, catalogue: Catalogue, people: Table, visits: Table, cohort: int) -> Table:
    rng = generator(config.seed, "browsed events", cohort)
    count = np.minimum(3 + rng.negative_binomial(1.25, 1.25 / (1.25 + _EVENTS_PER_VISIT - 3), rows(visits)), 120)
    visit = np.repeat(np.arange(rows(visits)), count)
    number = within_group(visit)
    last = number == count[visit] - 1
    size = len(visit)
    person, surface = visits["person"][visit], visits["surface"][visit]

    codes = np.array(list(_BROWSED))
    name = codes[choose(rng, list(_BROWSED.values()), size)]
    name = np.where(number == 0, np.where(surface == ON_APP, OPEN, PAGE), name)
    name = np.where((number == 2) & visits["registers"][visit], REGISTER, name)
    login = (number == visits["login_from"][visit]) & (number > 0) & ~visits["registers"][visit]
    name = np.where(login, LOGIN, name)
    name = np.where(last & (number > 2) & (rng.random(size) < 0.7) & ~login, LEAVE, name)

    # A product is put into the cart, liked or shared after it was looked at in the same visit.
    viewed = np.where(name == VIEW, np.arange(size), -1)
    latest = np.maximum.accumulate(viewed)
    start = np.arange(size) - number
    seen = latest >= start
    name = np.where(np.isin(name, _NEEDS_VIEW) & ~seen, VIEW, name)
    latest = np.maximum.accumulate(np.where(name == VIEW, np.arange(size), -1))

    running = np.cumsum(people["taste"], axis=1)
    theme = choose_by_row(rng, running, visits["person"])
    fresh = choose_by_row(rng, running, person)
    l2 = np.where(rng.random(size) < 0.6, theme[visit], fresh)
    gaps = np.minimum(np.exp(rng.normal(np.log(27), 1.15, size)), 1_500)
    gaps = np.where(number == 0, 0, gaps)
    elapsed = np.cumsum(gaps)
    at = (visits["at"][visit] + elapsed - elapsed[start]).astype(np.int64)
    drawn = catalogue.draw(rng, l2, at // _DAY)
    product = np.where(np.isin(name, _NEEDS_VIEW), drawn[np.maximum(latest, 0)], drawn)
    about_product = np.isin(name, (VIEW, EXPOSURE, CLICK, *_NEEDS_VIEW))
    about_content = np.isin(name, _ABOUT_CONTENT)
    following = np.append(gaps[1:], 0)
    shown = np.isin(name, (EXPOSURE, CLICK))
    return {
        "visit": visit.astype(np.int64),
        "number": number.astype(np.int16),
        "at": at,
        "name": name.astype(np.int8),
        "product": np.where(about_product, product, -1).astype(np.int32),
        "content": np.where(about_content, rng.integers(0, len(catalogue.content_l2), size), -1).astype(np.int32),
        "order": np.full(size, -1, dtype=np.int64),
        "position": np.where(shown, 1 + np.floor(rng.random(size) ** 2 * 20), -1).astype(np.int16),
        "page": np.where(name == PAGE, choose(rng, _PAGE_DRAWN, size), _PAGE_OF[name]).astype(np.int8),
        "module": np.where(shown, rng.integers(0, len(MODULES), size), -1).astype(np.int8),
        "dwell": np.where(last | ~np.isin(name, (VIEW, PAGE, CONTENT_VIEW, LIVE_ENTER)), -1, following).astype(
            np.int32
        ),
        "amount": np.full(size, -1, dtype=np.int64),
    }


def _buy(
    config: SimulatorConfig, catalogue: Catalogue, people: Table, orders: Table, lines: Table, cohort: int
) -> tuple[Table, Table]:
    """The visits in which orders of the app and the mini-program are placed: look, add, check out, pay."""
    rng = generator(config.seed, "buying visits", cohort)
    own = np.flatnonzero((orders["channel"] == APP) | (orders["channel"] == MINI))
    visits = _visits(rng, people, orders["person"][own], orders["at"][own])
    visits["surface"] = np.where(orders["channel"][own] == APP, ON_APP, ON_MINI).astype(np.int8)
    late_login = (visits["surface"] == ON_APP) & (rng.random(len(own)) < 0.12)
    visits["login_from"] = np.where(late_login, 1, 0).astype(np.int16)
    visits["order"] = own
    visit_of = np.full(rows(orders), -1, dtype=np.int64)
    visit_of[own] = np.arange(len(own))

    line = np.flatnonzero(visit_of[lines["order"]] >= 0)
    of_line, product = visit_of[lines["order"][line]], lines["product"][line]
    carted = rng.random(len(line)) < 0.62
    first_payment = np.minimum(orders["deposit_at"], orders["paid_at"])[own]
    pays = np.flatnonzero(first_payment < NEVER)
    every = np.arange(len(own))
    login = np.flatnonzero(late_login)
    pieces = [
        (every, 0, np.where(visits["surface"] == ON_APP, OPEN, PAGE), None),
        (login, 1, np.full(len(login), LOGIN), None),
        (of_line, 2 + 2 * lines["number"][line], np.full(len(line), VIEW), product),
        (of_line[carted], 3 + 2 * lines["number"][line][carted], np.full(int(carted.sum()), CART), product[carted]),
        (every, 100, np.full(len(own), CHECKOUT), None),
        (pays, 101, np.full(len(pays), PURCHASE), None),
    ]
    visit = np.concatenate([p[0] for p in pieces])
    rank = np.concatenate([np.broadcast_to(p[1], p[0].shape) for p in pieces])
    name = np.concatenate([p[2] for p in pieces])
    products = np.concatenate([np.full(len(p[0]), -1) if p[3] is None else p[3] for p in pieces])
    sort = np.lexsort((rank, visit))
    visit, name, products = visit[sort], name[sort], products[sort]
    gaps = np.minimum(np.exp(rng.normal(np.log(38), 0.8, len(visit))), 400)
    gaps[name == PURCHASE] = 0
    running = np.cumsum(gaps)
    checkout = np.zeros(len(own))
    checkout[visit[name == CHECKOUT]] = running[name == CHECKOUT]
    placed = orders["at"][own][visit]
    at = (placed - (checkout[visit] - running)).astype(np.int64)
    at = np.where(name == PURCHASE, first_payment[visit], np.minimum(at, placed))
    at = np.maximum(at, 0)
    visits["at"] = np.minimum(visits["at"], at[np.searchsorted(visit, every)])
    about_order = np.isin(name, (CHECKOUT, PURCHASE))
    size = len(visit)
    return visits, {
        "visit": visit.astype(np.int64),
        "number": within_group(visit).astype(np.int16),
        "at": at,
        "name": name.astype(np.int8),
        "product": products.astype(np.int32),
        "content": np.full(size, -1, dtype=np.int32),
        "order": np.where(about_order, own[visit], -1),
        "position": np.full(size, -1, dtype=np.int16),
        "page": _PAGE_OF[name].astype(np.int8),
        "module": np.full(size, -1, dtype=np.int8),
        "dwell": np.full(size, -1, dtype=np.int32),
        "amount": np.where(about_order, orders["payable"][own][visit], -1),
    }


def _crawl(config: SimulatorConfig, catalogue: Catalogue, cohort: int) -> tuple[Table, Table]:
    """Crawlers: bursts of product pages, several a second, from one cookie each."""
    rng = generator(config.seed, "crawlers", cohort)
    each = config.mess.bots_per_10k_members * COHORT_MEMBERS / 10_000
    first, last = int(np.ceil(cohort * each)), int(np.ceil((cohort + 1) * each))
    bots = np.repeat(np.arange(first, last), _SITTINGS)
    # From the second month on; over a full day, as machines do not sleep.
    at = rng.integers(min(20 * _DAY, config.seconds // 3), config.seconds - 3_600, len(bots))
    visits: Table = {
        "person": np.full(len(bots), -1, dtype=np.int64), "at": at, "surface": np.full(len(bots), ON_WEB, dtype=np.int8),
        "login_from": np.full(len(bots), NO_LOGIN, dtype=np.int16), "order": np.full(len(bots), -1, dtype=np.int64),
        "campaign": np.full(len(bots), -1, dtype=np.int16), "device": bots.astype(np.int16),
        "is_bot": np.ones(len(bots), dtype=bool), "registers": np.zeros(len(bots), dtype=bool),
    }  # fmt: skip
    visit = np.repeat(np.arange(len(bots)), _BOT_EVENTS)
    number = within_group(visit)
    size = len(visit)
    # Quick enough for 240 a minute.
    when = at[visit] + number // 4
    return visits, {
        "visit": visit.astype(np.int64),
        "number": number.astype(np.int16),
        "at": when,
        "name": np.full(size, VIEW, dtype=np.int8),
        "product": rng.integers(0, len(catalogue.code), size).astype(np.int32),
        "content": np.full(size, -1, dtype=np.int32),
        "order": np.full(size, -1, dtype=np.int64),
        "position": np.full(size, -1, dtype=np.int16),
        "page": np.full(size, 2, dtype=np.int8),
        "module": np.full(size, -1, dtype=np.int8),
        "dwell": np.full(size, -1, dtype=np.int32),
        "amount": np.full(size, -1, dtype=np.int64),
    }
