"""What members buy: when, by which channel, which products at what price, and what becomes of the order.

Money is fen (hundredths of a yuan) in whole numbers, so that everything adds up. Orders that campaigns and experiments cause
are handed in (`campaigns` says whose and when); how a shop's system writes an order belongs in `silos`.
"""

from __future__ import annotations

import numpy as np

from simulator.campaigns import CAMPAIGNS
from simulator.catalogue import Catalogue
from simulator.config import SimulatorConfig
from simulator.population import APP, JD, MINI, NEVER, POS, TMALL
from simulator.randomness import choose, choose_by_row, generator, split_exactly, within_group
from simulator.seasons import Seasons
from simulator.tables import Table, stack, take

NATURAL, REPLENISHMENT, CAMPAIGN, EXPERIMENT = range(4)
CAUSES = ("natural", "replenishment", "campaign", "experiment")
NORMAL, PRESALE, GIFT = range(3)
ORDER_KINDS = ("normal", "presale", "gift")
CREATED, PAID, SHIPPED, COMPLETED, CANCELLED, CLOSED = range(6)
STATUSES = ("created", "paid", "shipped", "completed", "cancelled", "closed")
REFUND_REASONS = ("七天无理由", "质量问题", "与描述不符", "过敏不适", "拍错/多拍", "物流太慢", "包装破损")
# Share of used-up products that a perfectly faithful member buys again on time.
REPLENISHED = 0.45
_DAY = 86_400
_ADD_ON = 0.28  # chance that a further line is what goes with the first one


def natural_orders(
    config: SimulatorConfig, catalogue: Catalogue, seasons: Seasons, people: Table, cohort: int
) -> Table:
    """Orders nobody caused: the member's own rate, and products bought again when they are used up.

    Columns: person (row of the cohort), at (second), product (of the first line), cause, cause_number.
    """
    rng = generator(config.seed, "natural orders", cohort)
    since = np.clip(people["joined"], 0, config.seconds)
    until = np.clip(people["lapsed"], since, config.seconds)
    expected = people["purchase_rate"] / 365 * seasons.purchase_between(people["hour_type"], since, until)
    person = np.repeat(np.arange(len(since)), rng.poisson(expected))
    at = seasons.sample(rng, people["hour_type"][person], since[person], until[person]).astype(np.int64)
    # Who joins in the period mostly joins in order to buy.
    first = np.flatnonzero((people["joined"] >= 0) & (rng.random(len(since)) < 0.55))
    person = np.concatenate([person, first])
    at = np.concatenate(
        [at, np.minimum(people["joined"][first] + rng.integers(60, 3600, len(first)), config.seconds - 1)]
    )
    product = _first_product(rng, catalogue, people, person, at)
    parts = [_caused(person, at, product, NATURAL)]
    for _ in range(6):  # a chain longer than that does not fit into a year
        lasts = catalogue.lasts_days[product]
        again = (lasts > 0) & (rng.random(len(product)) < REPLENISHED * people["replenishes"][person])
        gap = lasts * np.exp(rng.normal(0, 0.22, len(product))) * _DAY
        later = at + gap.astype(np.int64)
        again &= (later < until[person]) & (later < config.seconds)
        person, product = person[again], product[again]
        # In the evening of the day on which it runs out.
        at = _at_own_hour(rng, seasons, people["hour_type"][person], later[again], config.seconds)
        parts.append(_caused(person, at, product, REPLENISHMENT))
    return stack(parts)


def _caused(
    person: np.ndarray, at: np.ndarray, product: np.ndarray, cause: int, number: np.ndarray | int = -1
) -> Table:
    size = len(person)
    return {
        "person": person.astype(np.int64),
        "at": at.astype(np.int64),
        "product": product.astype(np.int64),
        "cause": np.full(size, cause, dtype=np.int8),
        "cause_number": np.broadcast_to(np.asarray(number, dtype=np.int16), (size,)).copy(),
    }


def _at_own_hour(rng: np.random.Generator, seasons: Seasons, kinds: np.ndarray, at: np.ndarray, end: int) -> np.ndarray:
    day = at // _DAY * _DAY
    return np.minimum(seasons.sample(rng, kinds, day, np.minimum(day + _DAY, end)).astype(np.int64), end - 1)


def _first_product(
    rng: np.random.Generator, catalogue: Catalogue, people: Table, person: np.ndarray, at: np.ndarray
) -> np.ndarray:
    l2 = choose_by_row(rng, np.cumsum(people["taste"], axis=1), person)
    return catalogue.draw(rng, l2, at // _DAY)


def caused_orders(
    config: SimulatorConfig, catalogue: Catalogue, seasons: Seasons, people: Table, causes: Table, cohort: int
) -> Table:
    """Orders that campaigns and experiments bring about. `causes`: person, since, until, cause, cause_number."""
    rng = generator(config.seed, "caused orders", cohort)
    person = causes["person"]
    at = seasons.sample(rng, people["hour_type"][person], causes["since"], np.minimum(causes["until"], config.seconds))
    product = _first_product(rng, catalogue, people, person, at.astype(np.int64))
    table = _caused(person, at, product, CAMPAIGN, causes["cause_number"])
    table["cause"] = causes["cause"].astype(np.int8)
    return table


def build_orders(
    config: SimulatorConfig,
    catalogue: Catalogue,
    seasons: Seasons,
    people: Table,
    heads: Table,
    treated: Table,
    cohort: int,
) -> tuple[Table, Table, Table]:
    """Orders, lines and refunds of the given heads (columns of `natural_orders`). `treated`: person, campaign, since, until.

    Orders stand by person and time; `order` in lines and refunds, and `line` in refunds (-1 = the whole order), are row
    numbers.
    """
    rng = generator(config.seed, "orders", cohort)
    heads = take(heads, np.lexsort((heads["cause"], heads["at"], heads["person"])))
    channel = _channels(rng, people, heads["person"], heads["at"])
    heads["at"] = np.where(
        channel == POS, opening_hours(heads["at"], people["joined"][heads["person"]], config.seconds), heads["at"]
    )
    order = np.lexsort((heads["cause"], heads["at"], heads["person"]))
    heads, channel = take(heads, order), channel[order]
    person, at = heads["person"], heads["at"]
    size = len(person)
    in_festival = seasons.is_festival_hour[np.minimum(at // 3600, len(seasons.is_festival_hour) - 1)]
    lines = _lines(config, rng, catalogue, people, heads, in_festival)
    goods = np.bincount(lines["order"], weights=lines["goods"], minlength=size).astype(np.int64)

    sensitivity = people["price_sensitivity"][person]
    promotion = np.where(
        in_festival,
        rng.uniform(0.08, 0.24, size),
        rng.uniform(0, 0.14, size) * (rng.random(size) < 0.2 + 0.6 * sensitivity),
    )
    brand = np.floor(goods * promotion).astype(np.int64)
    on_market = (channel == TMALL) | (channel == JD)
    platform = np.where(in_festival & on_market, (goods - brand) // 30_000 * 5_000, 0)
    offer, coupon, coupon_brand = _coupons(rng, people, heads, treated, goods - brand - platform)
    brand, platform = brand + coupon_brand, platform + coupon - coupon_brand
    before_points = goods - brand - platform
    points = _points_used(rng, people, person, at, channel, before_points)
    freight_free = (before_points >= 9_900) | (channel == POS) | (channel == TMALL)
    if CAMPAIGNS:
        kinds = np.array([c.offer.kind if c.offer else "" for c in CAMPAIGNS] + [""])
        freight_free |= kinds[offer] == "free_freight"
    freight = np.where(freight_free, 0, 1_000)
    payable = before_points - points + freight

    orders: Table = {
        "person": person, "at": at, "channel": channel, "cause": heads["cause"], "cause_number": heads["cause_number"],
        "goods": goods, "brand": brand, "platform": platform, "coupon": coupon, "offer": offer, "points": points,
        "freight": freight, "payable": payable,
    }  # fmt: skip
    _settle(config, rng, seasons, people, orders, in_festival)
    for part, total in (("brand", brand), ("platform", platform), ("points", points)):
        lines[part] = split_exactly(total, lines["goods"], lines["order"])
    lines["paid"] = lines["goods"] - lines["brand"] - lines["platform"] - lines["points"]
    return orders, lines, _refunds(config, rng, orders, lines)


def _channels(rng: np.random.Generator, people: Table, person: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Channel by taste; where the member has no account there yet, the one they joined by."""
    channel = choose_by_row(rng, np.cumsum(people["channel_taste"], axis=1), person)
    opened = people["accounts"][person, channel] <= at
    return np.where(opened, channel, people["home_channel"][person]).astype(np.int8)


def opening_hours(at: np.ndarray, joined: np.ndarray, end: int) -> np.ndarray:
    """Times at which shops are open (10 to 22 o'clock): what falls into the night is moved into the same day's hours."""
    second = at % _DAY
    is_open = (second >= 10 * 3600) & (second < 22 * 3600)
    moved = at - second + 10 * 3600 + second // 2
    return np.minimum(np.where(is_open, at, np.maximum(moved, joined + 60)), end - 1)


def _lines(
    config: SimulatorConfig,
    rng: np.random.Generator,
    catalogue: Catalogue,
    people: Table,
    heads: Table,
    in_festival: np.ndarray,
) -> Table:
    size = len(heads["person"])
    mean_more = np.maximum(config.basket_mean - 1, 0.05) * np.where(in_festival, 1.35, 0.9)
    count = np.minimum(1 + rng.negative_binomial(1.1, 1.1 / (1.1 + mean_more), size), 12)
    order = np.repeat(np.arange(size), count)
    number = within_group(order)
    person, day = heads["person"][order], heads["at"][order] // _DAY
    l2 = choose_by_row(rng, np.cumsum(people["taste"], axis=1), person)
    product = catalogue.draw(rng, l2, day)
    first = heads["product"][order]
    partner = catalogue.partners[first, rng.integers(0, catalogue.partners.shape[1], len(order))]
    product = np.where(number == 0, first, np.where(rng.random(len(order)) < _ADD_ON, partner, product))
    # A product stands once in an order; more of it is quantity.
    key = order * len(catalogue.code) + product
    _, keep = np.unique(key, return_index=True)
    keep = np.sort(keep)
    order, product = order[keep], product[keep]
    quantity = 1 + choose(rng, (0.87, 0.10, 0.02, 0.01), len(order))
    price = catalogue.list_price(product, heads["at"][order] // _DAY)
    return {
        "order": order, "number": within_group(order) + 1, "product": product, "quantity": quantity, "price": price,
        "goods": price * quantity,
    }  # fmt: skip


def _coupons(
    rng: np.random.Generator, people: Table, heads: Table, treated: Table, amount: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which campaign's coupon an order uses (-1 = none), its worth, and how much of that the brand pays."""
    size = len(amount)
    offer = np.full(size, -1, dtype=np.int16)
    drawn = rng.random(size)
    for number, campaign in enumerate(CAMPAIGNS):
        if campaign.offer is None:
            continue
        mine = np.zeros(len(people["person"]), dtype=bool)
        which = treated["campaign"] == number
        mine[treated["person"][which]] = True
        if not which.any():
            continue
        since, until = treated["since"][which][0], treated["until"][which][0]
        inside = mine[heads["person"]] & (heads["at"] >= since) & (heads["at"] < until)
        caused = (heads["cause"] == CAMPAIGN) & (heads["cause_number"] == number)
        chance = np.where(caused, 0.85, 0.15 + 0.45 * people["price_sensitivity"][heads["person"]])
        enough = amount >= campaign.offer.threshold * 100
        offer = np.where((inside | caused) & enough & (drawn < chance), number, offer)
    worth = np.zeros(size)
    share = np.zeros(size)
    for number, campaign in enumerate(CAMPAIGNS):
        if campaign.offer is None:
            continue
        used = offer == number
        worth[used] = campaign.offer.amount * 100 + np.floor(amount[used] * campaign.offer.rate)
        share[used] = {"brand": 1.0, "platform": 0.0, "shared": 0.5}[campaign.offer.payer]
    total = np.minimum(worth.astype(np.int64), np.maximum(amount - 100, 0))
    return offer, total, np.floor(total * share).astype(np.int64)


def _points_used(
    rng: np.random.Generator, people: Table, person: np.ndarray, at: np.ndarray, channel: np.ndarray, amount: np.ndarray
) -> np.ndarray:
    """Fen paid with points (100 points = 1 yuan): at most half of what was earned since the last time, and a fifth of the order.

    So a member never spends points that are not there, whatever is earned besides.
    """
    member = (people["crm"][person] <= at) & ((channel == MINI) | (channel == APP) | (channel == POS))
    chosen = member & (rng.random(len(person)) < 0.16)
    earned = np.where(people["crm"][person] <= at, amount // 100, 0)
    running = np.cumsum(earned) - earned  # before each order
    start = np.append(True, person[1:] != person[:-1]) if len(person) else np.zeros(0, dtype=bool)
    # The last point at which counting began again: the member's first order, or their last chosen one.
    marks = np.where(start, running, np.where(np.append(False, chosen[:-1]) if len(chosen) else chosen, running, -1))
    base = np.maximum.accumulate(marks) if len(marks) else marks
    usable = np.where(chosen, (running - base) // 2, 0)
    yuan = np.minimum(usable // 100, amount // 500)
    return np.maximum(yuan, 0) * 100


def _settle(
    config: SimulatorConfig,
    rng: np.random.Generator,
    seasons: Seasons,
    people: Table,
    orders: Table,
    in_festival: np.ndarray,
) -> None:
    """Add payment, delivery, status and kind to the orders. NEVER = it has not happened by the end of the period."""
    at, channel, payable = orders["at"], orders["channel"], orders["payable"]
    size, end = len(at), config.seconds
    online = channel != POS
    kind = np.zeros(size, dtype=np.int8)
    deposit = np.zeros(size, dtype=np.int64)
    sale_opens = np.full(size, NEVER, dtype=np.int64)
    for window in seasons.windows:
        if window.presale is None:
            continue
        early = online & (at >= window.presale[0]) & (at < window.presale[1])
        kind[early] = PRESALE
        sale_opens[early] = window.sale[0]
    presale = kind == PRESALE
    deposit[presale] = np.maximum(payable[presale] // 10 // 100 * 100, 100)
    gift = online & ~presale & (rng.random(size) < config.gift)
    kind[gift] = GIFT

    unpaid = online & (rng.random(size) < np.where(presale, 0.07, config.unpaid))
    wait = np.where(rng.random(size) < 0.9, rng.exponential(70, size) + 8, rng.exponential(1500, size) + 60).astype(
        np.int64
    )
    first_payment = at + np.where(online, wait, 0)
    deposit_at = np.where(presale, first_payment, NEVER)
    balance = (
        sale_opens
        + np.where(rng.random(size) < 0.65, rng.exponential(3_000, size), rng.exponential(60_000, size)).astype(
            np.int64
        )
        + 5
    )
    paid_at = np.where(presale, balance, first_payment)
    paid_at = np.where(unpaid | (paid_at >= end), NEVER, paid_at)
    deposit_at = np.where(deposit_at >= end, NEVER, deposit_at)
    cancelled = online & (paid_at < NEVER) & (rng.random(size) < config.cancelled)
    cancelled_at = np.where(cancelled, paid_at + rng.integers(300, 12 * 3600, size), NEVER)
    cancelled &= cancelled_at < end
    pack = np.where(
        in_festival, rng.lognormal(np.log(38 * 3600), 0.5, size), rng.lognormal(np.log(16 * 3600), 0.5, size)
    )
    shipped = np.where(
        online & (paid_at < NEVER) & ~cancelled, np.minimum(paid_at, NEVER // 2) + pack.astype(np.int64), NEVER
    )
    travel = rng.lognormal(np.log(52 * 3600), 0.35, size).astype(np.int64)
    delivered = np.where(shipped < end, shipped + travel, NEVER)
    shipped, delivered = np.where(shipped < end, shipped, NEVER), np.where(delivered < end, delivered, NEVER)

    status = np.full(size, CREATED, dtype=np.int8)
    waits = np.where(presale, sale_opens + 3 * _DAY, at + _DAY)
    status[(paid_at == NEVER) & (waits < end)] = CLOSED
    status[paid_at < NEVER] = PAID
    status[shipped < NEVER] = SHIPPED
    status[(delivered < NEVER) & (delivered + 7 * _DAY < end)] = COMPLETED
    status[(channel == POS)] = COMPLETED
    status[cancelled] = CANCELLED
    orders.update(
        kind=kind, status=status, paid_at=paid_at, deposit=deposit, deposit_at=deposit_at,
        cancelled_at=np.where(cancelled, cancelled_at, NEVER), shipped_at=shipped, delivered_at=delivered,
        store=np.where(channel == POS, people["store"][orders["person"]], -1),
        guide=np.where((channel == POS) & (rng.random(size) < 0.8), people["guide"][orders["person"]], -1),
        late_days=np.where(delivered < NEVER, (delivered - np.minimum(paid_at, delivered)) / _DAY, 0.0),
    )  # fmt: skip


def _refunds(config: SimulatorConfig, rng: np.random.Generator, orders: Table, lines: Table) -> Table:
    size, end = len(orders["at"]), config.seconds
    paid = orders["paid_at"] < NEVER
    cancelled = orders["status"] == CANCELLED
    delivered = (orders["delivered_at"] < NEVER) | ((orders["channel"] == POS) & paid)
    drawn = rng.random(size) * np.where(orders["channel"] == POS, 3.5, 1.0)
    slow = 1 + 0.5 * (orders["late_days"] > 5)  # a late parcel comes back more often
    full = delivered & (drawn < config.refund_full * slow)
    partial = delivered & ~full & (drawn < (config.refund_full + config.refund_partial) * slow)
    first_line = np.searchsorted(lines["order"], np.arange(size))
    count = np.bincount(lines["order"], minlength=size)
    which = np.flatnonzero(cancelled | full | partial)
    whole = (cancelled | full)[which]
    line = np.where(whole, -1, first_line[which] + np.floor(rng.random(len(which)) * count[which]).astype(np.int64))
    only_money = ~whole & (rng.random(len(which)) < 0.45)  # keeps the goods, gets something back
    line_paid = lines["paid"][np.maximum(line, 0)]
    amount = np.where(
        whole,
        orders["payable"][which],
        np.where(only_money, line_paid * rng.integers(10, 60, len(which)) // 100, line_paid),
    )
    arrival = np.where(orders["channel"][which] == POS, orders["at"][which], orders["delivered_at"][which])
    requested = np.where(
        cancelled[which],
        orders["cancelled_at"][which],
        np.minimum(arrival, NEVER // 2) + (rng.exponential(3.2, len(which)) * _DAY).astype(np.int64) + 1800,
    )
    done = requested + np.where(
        cancelled[which], 600, (rng.exponential(1.6, len(which)) * _DAY).astype(np.int64) + 3600
    )
    answer = rng.random(len(which))
    status = np.where(done >= end, 0, np.where(cancelled[which] | (answer < 0.93), 1, np.where(answer < 0.97, 2, 3)))
    over = (rng.random(len(which)) < config.mess.over_refund) & (status == 1) & ~cancelled[which]
    paid_for = np.where(whole, orders["payable"][which], line_paid)
    amount = np.where(over, paid_for + paid_for // 4 + 500, amount)
    refunds: Table = {
        "order": which,
        "line": line,
        "requested_at": requested,
        "refunded_at": np.where(status == 1, done, NEVER),
        "status": status,
        "kind": np.where(cancelled[which] | only_money, 0, np.where(rng.random(len(which)) < 0.06, 2, 1)),
        "quantity": np.where(whole | only_money, 0, lines["quantity"][np.maximum(line, 0)]),
        "amount": amount,
        "reason": rng.integers(0, len(REFUND_REASONS), len(which)),
        "is_over": over,
    }
    return take(refunds, (requested < end) & (amount > 0))
