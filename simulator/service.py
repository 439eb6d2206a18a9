"""What members say: tickets of customer service, reviews of products, and surveys.

What they buy is in `orders`; satisfaction is a trait of the member that late parcels and refunds lower for an order.
"""

from __future__ import annotations

import numpy as np

from simulator.config import SimulatorConfig
from simulator.population import NEVER
from simulator.randomness import choose, generator
from simulator.tables import Table, rows, stack, take

TOPICS = ("物流查询", "退换货", "商品咨询", "积分会员", "投诉建议", "过敏反应")
TICKET_TEXT = (
    "请问我的快递到哪里了？",
    "想申请退货，麻烦处理一下",
    "这款适合敏感肌吗？",
    "积分什么时候到账？",
    "包装破损，希望给个说法",
    "使用后泛红，需要怎么办？",
)
REVIEW_TEXT = {
    1: ("非常失望，不会再买", "过敏了，差评"),
    2: ("效果一般，物流也慢", "和描述不太一样"),
    3: ("中规中矩", "还行吧，价格有点高"),
    4: ("不错，会回购", "质地清爽，味道好闻"),
    5: ("太好用了，已经回购第三次", "包装精美，送人很合适", "吸收快不油腻，推荐"),
}
SURVEYS = (("S01", 0.24), ("S02", 0.49), ("S03", 0.74), ("S04", 0.95))  # code, share of the period
QUESTIONS = ("nps", "service", "comment")
COMMENTS = ("希望多一些小样", "客服很耐心", "价格波动太大", "APP有点卡", "")
_DAY = 86_400


def order_satisfaction(people: Table, orders: Table, refunds: Table) -> np.ndarray:
    """0 to 1 by order: the member's own, lower after a slow parcel and after a refund."""
    level = people["satisfaction"][orders["person"]] - 0.22 * (orders["late_days"] > 5)
    bad = np.zeros(rows(orders), dtype=bool)
    bad[refunds["order"]] = True
    return np.clip(level - 0.30 * bad, 0.02, 0.98)


def make_service(
    config: SimulatorConfig, people: Table, orders: Table, lines: Table, refunds: Table, cohort: int
) -> dict[str, Table]:
    """tickets: person, order (-1 = none), at, closed_at, topic, channel, score (0 = no answer), response_seconds, priority;
    reviews: order, line, at, rating, text, images, is_append; surveys: person, survey, question, at, score, text."""
    rng = generator(config.seed, "service", cohort)
    level = order_satisfaction(people, orders, refunds)
    has_refund = np.zeros(rows(orders), dtype=bool)
    has_refund[refunds["order"]] = True
    paid = orders["paid_at"] < NEVER
    chance = np.where(paid, 0.035 + 0.20 * has_refund + 0.15 * (orders["late_days"] > 5), 0.0)
    which = np.flatnonzero(rng.random(rows(orders)) < chance)
    opened = np.where(orders["delivered_at"][which] < NEVER, orders["delivered_at"][which], orders["paid_at"][which])
    opened = opened + (rng.exponential(1.2, len(which)) * _DAY).astype(np.int64)
    late = orders["late_days"][which] > 5
    topic = np.where(
        late, 0, np.where(has_refund[which], 1, choose(rng, (0.3, 0.15, 0.28, 0.12, 0.1, 0.05), len(which)))
    )
    response = rng.lognormal(np.log(95), 1.1, len(which)).astype(np.int64)
    unhappy = level[which] - 0.10 * (response > 600)
    score = np.where(
        rng.random(len(which)) < 0.45, np.clip(np.round(5 * unhappy + rng.normal(0.5, 0.8, len(which))), 1, 5), 0
    ).astype(np.int64)
    closed = opened + response + rng.lognormal(np.log(4 * 3600), 1.0, len(which)).astype(np.int64)
    tickets: Table = {
        "person": orders["person"][which], "order": which, "at": opened,
        "closed_at": np.where(closed < config.seconds, closed, NEVER), "topic": topic, "channel": rng.integers(0, 4, len(which)),
        "score": np.where(closed < config.seconds, score, 0), "response_seconds": response,
        "priority": np.where(topic == 5, 2, np.where(unhappy < 0.4, 1, 0)),
    }  # fmt: skip

    done = orders["delivered_at"][lines["order"]] < NEVER
    line = np.flatnonzero(done & (rng.random(rows(lines)) < 0.11))
    order = lines["order"][line]
    rating = np.clip(np.round(1.2 + 4.2 * level[order] + rng.normal(0, 0.7, len(line))), 1, 5).astype(np.int64)
    at = orders["delivered_at"][order] + (rng.exponential(6, len(line)) * _DAY).astype(np.int64) + 3600
    reviews: Table = {
        "order": order, "line": line, "at": at, "rating": rating, "text": rng.integers(0, 6, len(line)),
        "images": rng.poisson(0.5, len(line)), "is_append": np.zeros(len(line), dtype=bool),
    }  # fmt: skip
    more = rng.random(len(line)) < 0.06
    appended = take(reviews, more)
    appended["at"] = appended["at"] + 20 * _DAY
    appended["is_append"] = np.ones(int(more.sum()), dtype=bool)
    reviews = stack([reviews, appended])

    answers: list[Table] = []
    for number, (_, share) in enumerate(SURVEYS):
        start = int(share * config.days) * _DAY + 10 * 3600
        asked = (people["crm"] < start) & (people["lapsed"] > start) & (rng.random(len(people["person"])) < 0.06)
        person = np.flatnonzero(asked)
        answered = start + rng.exponential(30 * 3600, len(person)).astype(np.int64)
        for question in range(len(QUESTIONS)):
            top = 10 if question == 0 else 5
            value = np.clip(
                np.round(top * (people["satisfaction"][person] + rng.normal(0, 0.13, len(person)))),
                0 if top == 10 else 1,
                top,
            )
            answers.append({
                "person": person, "survey": np.full(len(person), number), "question": np.full(len(person), question),
                "at": answered + question * 20, "score": value.astype(np.int64), "text": rng.integers(0, len(COMMENTS), len(person)),
            })  # fmt: skip
    surveys = stack(answers)
    end = config.seconds
    return {
        "tickets": take(tickets, tickets["at"] < end),
        "reviews": take(reviews, reviews["at"] < end),
        "surveys": take(surveys, surveys["at"] < end),
    }
