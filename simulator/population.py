"""Who the members are: traits nobody sees, and the accounts, phones and devices by which each system knows them.

What they do belongs in `orders` and `behaviour`; how a system writes a phone or a birthday in `silos`.
"""

from __future__ import annotations

import numpy as np

from simulator import people
from simulator.catalogue import Catalogue
from simulator.config import COHORT_MEMBERS, SimulatorConfig
from simulator.places import CITIES
from simulator.randomness import choose, generator
from simulator.seasons import HOUR_TYPE_SHARES
from simulator.tables import Table

CHANNELS = ("tmall", "jd", "miniprogram", "app", "pos")
TMALL, JD, MINI, APP, POS = range(5)
_CHANNEL_SHARES = (0.40, 0.13, 0.22, 0.13, 0.12)  # where members buy, before their own taste
MESSAGE_CHANNELS = ("sms", "email", "app_push", "wechat")
NEVER = 1 << 40  # a second beyond every period
KINDS = ("customer", "test", "internal")

_MONTH = 365.25 / 12 * 86_400
_PHONE_PREFIXES = np.array(
    [130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 147, 150, 151, 152, 153, 155, 156, 157, 158, 159, 166, 173, 175, 176, 177, 178, 180,
     181, 182, 183, 184, 185, 186, 187, 188, 189, 191, 198, 199]
)  # fmt: skip


def phone_number(slot: np.ndarray) -> np.ndarray:
    """A mainland mobile number for each slot, never the same for two slots below 3.9e9."""
    space = len(_PHONE_PREFIXES) * 10**8
    position = (slot.astype(np.int64) * 1_234_567_891 + 876_543_217) % space
    return _PHONE_PREFIXES[position // 10**8] * 10**8 + position % 10**8


def make_population(config: SimulatorConfig, catalogue: Catalogue, cohort: int) -> Table:
    """Members of one cohort. One row per person, `person` counts from 0 over the whole brand.

    Times are seconds from the start of the period (negative before it, NEVER = not within reach). `accounts` is
    (members, channels): when the member opened the account; `taste` (members, level-2 categories) sums to 1.
    """
    rng = generator(config.seed, "population", cohort)
    first = cohort * COHORT_MEMBERS
    size = min(COHORT_MEMBERS, config.members - first)
    mess = config.mess
    person = np.arange(first, first + size)

    is_woman = rng.random(size) < 0.79
    age = np.clip(rng.gamma(9.0, 3.3, size), 16, 75)
    surname = choose(rng, people.SURNAME_WEIGHTS, size)
    given1 = rng.integers(0, 34, size)
    given2 = np.where(rng.random(size) < 0.72, rng.integers(0, 34, size), -1)
    city = choose(rng, [row[3] for row in CITIES], size)

    joined = np.where(
        rng.random(size) < config.joined_before_start,
        -(rng.random(size) ** 1.4) * 3 * 365 * 86_400,
        rng.random(size) * config.seconds,
    ).astype(np.int64)
    hazard = rng.beta(
        config.lapse_hazard_mean * config.lapse_hazard_concentration,
        (1 - config.lapse_hazard_mean) * config.lapse_hazard_concentration,
        size,
    ).clip(0.002, 0.9)
    # A monthly chance h is the rate -ln(1 - h) per month: lapse dates are exponential, so the hazard has no memory.
    rate = -np.log1p(-hazard)
    lapsed = joined + 86_400 + np.minimum(rng.exponential(1.0, size) / rate * _MONTH, NEVER).astype(np.int64)

    shape = config.purchase_rate_shape
    purchase_rate = rng.gamma(shape, config.orders_per_member / shape, size)  # a year, while alive
    activity = rng.gamma(1.1, 1.0 / 1.1, size) * (0.45 + 0.55 * np.minimum(purchase_rate / config.orders_per_member, 4))
    price_sensitivity = rng.beta(2.0, 2.4, size)
    # What was bought before the period is in no file, but the brand's own people know of it when they choose an audience.
    pause = rng.exponential(1.0, size) * 365 * 86_400 / np.maximum(purchase_rate, 0.05)
    last_before = np.maximum(np.minimum(lapsed, 0) - np.minimum(pause, NEVER).astype(np.int64), joined)
    hour_type = choose(rng, HOUR_TYPE_SHARES, size)

    mean_taste = catalogue.categories.share * catalogue.categories.taste[np.where(is_woman, 0, 1)]
    taste = rng.gamma(np.maximum(mean_taste * 9.0, 0.03)) + 1e-9
    taste /= taste.sum(axis=1, keepdims=True)
    channel_taste = rng.gamma(np.array(_CHANNEL_SHARES) * 3.2, size=(size, len(CHANNELS))) + 1e-9
    channel_taste /= channel_taste.sum(axis=1, keepdims=True)

    # The first account comes with joining; others follow where the member likes the channel, or never.
    home = channel_taste.argmax(axis=1)
    appeal = np.minimum(
        channel_taste * np.array([1.6, 1.2, 2.6, 2.2, 1.7]) + np.array([0.10, 0.02, 0.22, 0.08, 0.05]), 0.97
    )
    wants = rng.random((size, len(CHANNELS))) < appeal
    delay = rng.exponential(150 * 86_400, (size, len(CHANNELS)))
    in_shop = home == POS
    clock = joined % 86_400
    joined = np.where(in_shop & ((clock < 36_000) | (clock >= 79_200)), joined - clock + 36_000 + clock // 2, joined)
    accounts = np.where(wants, joined[:, None] + delay, NEVER).astype(np.int64)
    accounts[np.arange(size), home] = joined
    accounts[accounts >= config.seconds] = NEVER
    crm_wants = rng.random(size) < 0.80
    crm = np.where(
        crm_wants, joined + (rng.exponential(1.0, size) * 20 * 86_400 * (rng.random(size) < 0.6)), NEVER
    ).astype(np.int64)
    crm[crm >= config.seconds] = NEVER
    closed = np.where((rng.random(size) < 0.012) & (crm < NEVER), np.maximum(lapsed, crm + 40 * 86_400), NEVER)
    closed[closed >= config.seconds] = NEVER

    slot = person * 2
    changes = rng.random(size) < 1 - (1 - mess.phone_change_yearly) ** (config.days / 365)
    changed = np.where(changes, np.maximum(rng.random(size) * config.seconds, joined + 30 * 86_400), NEVER).astype(
        np.int64
    )
    changed[changed >= config.seconds - 10 * 86_400] = NEVER
    phone_slot, recycled_from = _recycle(rng, mess.recycled_phone, slot, changed, joined)

    shares = (rng.random(size) < mess.shared_device) & (np.arange(size) % 2 == 1)
    device_owner = np.where(shares, person - 1, person)
    household = np.where(shares, person - 1, person)
    city = np.where(shares, np.roll(city, 1), city)
    device_count = 1 + (rng.random(size) < 0.18)
    kind = np.zeros(size, dtype=np.int8)
    marked = rng.random(size)
    kind[marked < mess.internal_account + mess.test_account] = 2
    kind[marked < mess.test_account] = 1

    response = np.column_stack([
        rng.beta(2, 30, size), rng.beta(2, 16, size), rng.beta(2.5, 22, size), rng.beta(3, 14, size)
    ])  # fmt: skip
    return {
        "person": person,
        "kind": kind,
        "is_woman": is_woman,
        "birth_day": -(age * 365.25).astype(np.int64) - rng.integers(0, 365, size),  # days from the start of the period
        "surname": surname,
        "given1": given1,
        "given2": given2,
        "mail_domain": choose(rng, people.MAIL_WEIGHTS, size),
        "has_email": rng.random(size) < 0.62,
        "city": city,
        "skin": rng.integers(0, 4, size),
        "income": np.clip(rng.normal(2.2, 1.0, size), 0, 4).astype(np.int64),
        "has_kids": rng.random(size) < np.clip((age - 24) / 20, 0.02, 0.75),
        "joined": joined,
        "home_channel": home,
        "hazard_monthly": hazard,
        "lapsed": lapsed,
        "purchase_rate": purchase_rate,
        "last_before": last_before,
        "activity": activity,
        "price_sensitivity": price_sensitivity,
        "satisfaction": rng.beta(6, 2, size),
        "replenishes": rng.beta(1.6, 2.4, size),
        "hour_type": hour_type,
        "taste": taste,
        "channel_taste": channel_taste,
        "response": response,
        "accounts": accounts,
        "crm": crm,
        "closed": closed,
        "tmall_bound": rng.random(size) < 0.72,
        "jd_bound": rng.random(size) < 0.38,
        "mini_phone": rng.random(size) < 0.66,
        "app_wechat": rng.random(size) < 0.45,
        "store": rng.integers(0, config.stores, size),
        "guide": rng.integers(0, 6, size),
        "phone": phone_number(phone_slot),
        "phone_later": phone_number(slot + 1),
        "phone_changed": changed,
        "recycled_from": recycled_from,
        "device_owner": device_owner,
        "household": household,
        "device_count": device_count,
        "ios": rng.random(size) < 0.42,
    }


def _recycle(
    rng: np.random.Generator, share: float, slot: np.ndarray, changed: np.ndarray, joined: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Phone slots after some later joiners got a number that another gave up; and the row it came from, -1 = nobody."""
    result, source = slot.copy(), np.full(len(slot), -1, dtype=np.int64)
    givers = np.flatnonzero((changed < NEVER) & (rng.random(len(slot)) < share))
    takers = np.flatnonzero(changed == NEVER)
    takers = takers[np.argsort(joined[takers], kind="stable")]
    used: set[int] = set()
    for giver in givers:  # a handful per cohort
        after = takers[np.searchsorted(joined[takers], changed[giver] + 45 * 86_400) :]
        free = next((int(t) for t in after if int(t) not in used), None)
        if free is None:
            continue
        used.add(free)
        result[free] = slot[giver]
        source[free] = slot[giver] // 2
    return result, source
