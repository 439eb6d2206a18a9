"""The names under which each system knows a person: one bijection per system, so that nothing but the truth joins them.

Which of them a source shows, and beside which other, belongs in `silos`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulator import people as names
from simulator.behaviour import ON_APP
from simulator.config import SimulatorConfig
from simulator.randomness import scramble
from simulator.tables import Table
from simulator.text import BASE62, HEX, Text, encoded, joined, padded, pc, pick, whole

_COOKIE_DAYS = 120 * 86_400


@dataclass(frozen=True)
class Keys:
    """Ids of the members of a block, one per member, in every system whether they have the account or not."""

    person: Text
    member_no: Text
    ouid: Text
    pin: Text
    openid: Text
    unionid: Text
    app_user: Text
    card: Text
    account: Text
    contact: Text
    name: Text
    email: Text
    phone: Text
    phone_later: Text


def make_keys(people: Table) -> Keys:
    person = people["person"]

    def two(salt: int) -> Text:
        return joined(encoded(scramble(person, salt), BASE62, 11), encoded(scramble(person, salt + 50), BASE62, 11))

    women, men = pa.array(names.GIVEN_WOMEN), pa.array(names.GIVEN_MEN)
    first = pc.if_else(pa.array(people["is_woman"]), pick(women, people["given1"]), pick(men, people["given1"]))
    second = pc.if_else(pa.array(people["is_woman"]), pick(women, people["given2"]), pick(men, people["given2"]))
    name = joined(pick(names.SURNAMES, people["surname"]), first, pc.fill_null(second, ""))
    marked = pick(("", "测试账号", "内部员工"), people["kind"])
    name = pc.if_else(pa.array(people["kind"] > 0), joined(marked, whole(person % 1000)), name)
    email = joined(
        pick(names.SURNAMES_LATIN, people["surname"]),
        whole(person * 7 + 1013),
        "@",
        pick(names.MAIL_DOMAINS, people["mail_domain"]),
    )
    return Keys(
        person=joined("P", padded(person, 9)),
        member_no=joined("M", padded(person * 17 + 20_000_003, 10)),
        ouid=joined("AAH", two(11)),
        pin=joined("jd_", encoded(scramble(person, 12), HEX, 16)),
        openid=joined("o6_Qx5", two(13)),
        unionid=joined("oUnV1t", two(14)),
        app_user=joined("u", whole(person * 13 + 700_001)),
        card=joined("K", padded(person * 19 + 5_000_011, 10)),
        account=joined("L", padded(person * 23 + 3_000_017, 10)),
        contact=joined("CT", padded(person * 29 + 1_000_003, 10)),
        name=name,
        email=email,
        phone=whole(people["phone"]),
        phone_later=whole(people["phone_later"]),
    )


def device_ids(config: SimulatorConfig, people: Table, visits: Table) -> Text:
    """What a visit carries of its client: the device of the app, else the cookie, which lasts four months. Crawlers have theirs."""
    row = np.maximum(visits["person"], 0)
    owner, person = people["device_owner"][row], people["person"][row]
    device = encoded(scramble(owner * 2 + visits["device"], 21), HEX, 16)
    cookie = encoded(scramble(person * 64 + (visits["at"] + 1_100 * 86_400) // _COOKIE_DAYS, 22), HEX, 16)
    crawler = encoded(scramble(visits["device"], 23), HEX, 16)
    on_app = visits["surface"] == ON_APP
    ck = joined("ck.", pc.if_else(pa.array(visits["is_bot"]), crawler, cookie))
    return pc.if_else(pa.array(on_app), device, ck)
