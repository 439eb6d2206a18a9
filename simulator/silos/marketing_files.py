"""What the marketing platform, the loyalty programme, consent management, customer service and data providers export."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from simulator import text
from simulator.campaigns import ARMS, CAMPAIGNS, EXPERIMENTS
from simulator.identities import device_ids
from simulator.loyalty import KINDS, REASONS, TASKS
from simulator.messages import FAILURES, STAGES
from simulator.population import APP, MESSAGE_CHANNELS, MINI, NEVER
from simulator.randomness import uniform_of
from simulator.recommendations import ALGORITHMS, SCENE
from simulator.service import COMMENTS, QUESTIONS, REVIEW_TEXT, SURVEYS, TICKET_TEXT, TOPICS
from simulator.silos.exports import Export, by_file
from simulator.silos.orders_files import ORDER_NUMBERS
from simulator.tables import Table, rows, take
from simulator.text import Text, joined, padded, pc, pick, whole

_DAY = 86_400
_EVIDENCE = ("注册勾选", "APP设置页", "短信退订", "客服登记")
PROVIDERS = (("provider_a", 0.86), ("provider_b", 0.70))  # name, share of what it says that is right
INCOMES = ("3k以下", "3k-8k", "8k-15k", "15k-30k", "30k以上")
AGES = ("18-24", "25-29", "30-34", "35-39", "40-49", "50+")
_AGE_EDGES = (25, 30, 35, 40, 50)


def write_marketing(export: Export) -> None:
    _touches(export)
    _coupons(export)
    _experiments(export)
    _recommendations(export)
    _loyalty(export)
    _consents(export)
    _external(export)
    _service(export)


def all_order_numbers(orders: Table) -> Text:
    """The number of each order in its own system."""
    numbers = [ORDER_NUMBERS[channel](orders["code"]) for channel in range(5)]
    return pc.choose(pa.array(orders["channel"].astype(np.int64)), *numbers)


def _touches(export: Export) -> None:
    touches, people, keys = export.block["touches"], export.block["people"], export.keys
    member = np.flatnonzero(people["crm"] < NEVER)
    index = pa.array(member)
    export.files.csv("marketing/contacts.csv", {
        "contact_id": keys.contact.take(index),
        "member_no": keys.member_no.take(index),
        "created_at": export.clock(people["crm"][member] + 5),
    })  # fmt: skip
    person = pa.array(touches["person"])
    columns = {
        "contact_id": keys.contact.take(person),
        "campaign": pick([c.code for c in CAMPAIGNS], touches["campaign"]),
        "channel": pick([c.channel for c in CAMPAIGNS], touches["campaign"]),
        "message_id": joined("m", pick([c.code for c in CAMPAIGNS], touches["campaign"])),
        "status": pick(STAGES, touches["stage"]),
        "status_at": text.instant(export.config, touches["at"]),
        "failure": pick(["", *FAILURES], touches["reason"]),
        "is_holdout": pa.array(touches["is_holdout"]),
    }
    for name, which, _ in by_file(
        export,
        "marketing",
        "marketing/touches/{}.parquet",
        np.maximum(touches["at"], 0),
        None,
        columns["contact_id"],
        months=3,
    ):
        inside = pa.array(which)
        export.files.parquet(name, {key: column.take(inside) for key, column in columns.items()})


def _coupons(export: Export) -> None:
    """Coupons go to whoever a campaign with an offer contacts; an order that uses one redeems it."""
    block, keys = export.block, export.keys
    assignments = block["assignments"]
    with_offer = np.array([c.offer is not None for c in CAMPAIGNS])
    got = np.flatnonzero(~assignments["is_holdout"] & with_offer[assignments["campaign"]])
    campaign, person = assignments["campaign"][got], assignments["person"][got]
    number = joined(pick([c.code for c in CAMPAIGNS], campaign), "-", keys.contact.take(pa.array(person)))
    offers = [c.offer for c in CAMPAIGNS]
    export.files.csv("marketing/coupon_receipts.csv", {
        "coupon_no": number,
        "contact_id": keys.contact.take(pa.array(person)),
        "offer": pick([f"O{c.code[1:]}" for c in CAMPAIGNS], campaign),
        "campaign": pick([c.code for c in CAMPAIGNS], campaign),
        "received_at": export.clock(assignments["at"][got] + 30),
        "expires_at": export.clock(assignments["at"][got] + np.array([c.days for c in CAMPAIGNS])[campaign] * _DAY),
        "threshold": pick([f"{o.threshold:g}" if o else "" for o in offers], campaign),
        "amount": pick([f"{o.amount:g}" if o else "" for o in offers], campaign),
        "rate": pick([f"{o.rate:g}" if o else "" for o in offers], campaign),
    })  # fmt: skip
    orders = block["orders"]
    used = np.flatnonzero((orders["offer"] >= 0) & (orders["paid_at"] < NEVER))
    # A coupon is good for one order: the first that uses it.
    _, first = np.unique(orders["person"][used] * 100 + orders["offer"][used], return_index=True)
    used = np.sort(used[first])
    by = pa.array(used)
    campaign = orders["offer"][used]
    contact = keys.contact.take(pa.array(orders["person"][used]))
    export.files.csv("marketing/coupon_redemptions.csv", {
        "coupon_no": joined(pick([c.code for c in CAMPAIGNS], campaign), "-", contact),
        "contact_id": contact,
        "offer": pick([f"O{c.code[1:]}" for c in CAMPAIGNS], campaign),
        "campaign": pick([c.code for c in CAMPAIGNS], campaign),
        "redeemed_on": text.day(export.config, orders["at"][used] // _DAY),
        "order_system": pick(("tmall", "jd", "miniprogram", "app", "pos"), orders["channel"][used]),
        "order_no": all_order_numbers(export.block["orders"]).take(by),
        "discount": text.yuan(orders["coupon"][used]),
    })  # fmt: skip


def _experiments(export: Export) -> None:
    units, keys = export.block["units"], export.keys
    channels = np.array([e.channel for e in EXPERIMENTS])
    for channel, system, ids in ((APP, "app", keys.app_user), (MINI, "miniprogram", keys.openid)):
        mine = take(units, (channels[units["experiment"]] == channel) & units["is_logged"])
        export.files.csv(f"{system}/experiment_exposures.csv", {
            "experiment": pick([e.code for e in EXPERIMENTS], mine["experiment"]),
            "unit_id": ids.take(pa.array(mine["person"])),
            "arm": pick(ARMS, mine["arm"]),
            "exposed_at": export.clock(mine["at"]),
        })  # fmt: skip


def _recommendations(export: Export) -> None:
    block, keys = export.block, export.keys
    shown, visits, people = block["recommendations"], block["visits"], block["people"]
    visit = shown["visit"]
    person = visits["person"][visit]
    devices = device_ids(export.config, people, visits)
    for system, surface, ids in (("app", 0, keys.app_user), ("miniprogram", 1, keys.openid)):
        mine = np.flatnonzero(visits["surface"][visit] == surface)
        known = shown["is_logged_in"][mine]
        columns = {
            "exposure_id": joined("x", whole(shown["code"][mine])),
            "user_id": text.where(known, ids.take(pa.array(person[mine])), None),
            "device_id": devices.take(pa.array(visit[mine])) if system == "app" else ids.take(pa.array(person[mine])),
            "shown_at": text.instant(export.config, shown["at"][mine]),
            "scene": pa.repeat(pa.scalar(SCENE), len(mine)),
            "algorithm": pick(ALGORITHMS, shown["algorithm"][mine]),
            "sku": pick(export.world.catalogue.code, shown["product"][mine]),
            "position": pa.array((shown["slot"][mine] + 1).astype(np.int32)),
            "propensity": pa.array(np.round(shown["propensity"][mine], 8)),
            "is_clicked": pa.array(shown["is_clicked"][mine]),
        }
        pattern = f"{system}/recommendations/{{}}.parquet"
        for name, which, _ in by_file(
            export, system, pattern, shown["at"][mine], None, columns["exposure_id"], months=6
        ):
            inside = pa.array(which)
            export.files.parquet(name, {key: column.take(inside) for key, column in columns.items()})


def _loyalty(export: Export) -> None:
    block, keys, people = export.block, export.keys, export.block["people"]
    ledger, tasks = block["ledger"], block["tasks"]
    member = np.flatnonzero(people["crm"] < NEVER)
    index = pa.array(member)
    export.files.csv("loyalty/accounts.csv", {
        "account_no": keys.account.take(index),
        "member_no": keys.member_no.take(index),
        "opened_at": export.clock(people["crm"][member]),
    })  # fmt: skip
    person = pa.array(ledger["person"])
    order = pa.array(ledger["order"], mask=ledger["order"] < 0)
    # What was earned is good to the end of the next calendar year.
    earned = np.isin(ledger["kind"], (0, 3))
    year = (np.datetime64(export.config.start) + ledger["at"] // _DAY).astype("datetime64[Y]") + 2
    expiry = ((year.astype("datetime64[D]") - np.datetime64(export.config.start)).astype(np.int64)) * _DAY
    columns = {
        "ledger_no": joined("PT", padded(ledger["code"], 13)),
        "account_no": keys.account.take(person),
        "booked_at": text.instant(export.config, ledger["at"]),
        "kind": pick(KINDS, ledger["kind"]),
        "points": pa.array(ledger["points"].astype(np.int32)),
        "reason": pick(REASONS, ledger["reason"]),
        "order_no": all_order_numbers(export.block["orders"]).take(order),
        "expires_at": text.instant(export.config, np.where(earned, expiry, NEVER)),
        "balance": pa.array(ledger["balance"].astype(np.int32)),
    }
    for name, which, _ in by_file(
        export, "loyalty", "loyalty/points/{}.parquet", ledger["at"], None, columns["ledger_no"], months=3
    ):
        inside = pa.array(which)
        export.files.parquet(name, {key: column.take(inside) for key, column in columns.items()})
    export.files.csv("loyalty/tasks.csv", {
        "record_no": joined("TK", padded(tasks["code"], 13)),
        "account_no": keys.account.take(pa.array(tasks["person"])),
        "task": pick([code for code, _, _ in TASKS], tasks["task"]),
        "task_name": pick([name for _, name, _ in TASKS], tasks["task"]),
        "done_at": export.clock(tasks["at"]),
        "points": pick([str(points) for _, _, points in TASKS], tasks["task"]),
    })  # fmt: skip


def _consents(export: Export) -> None:
    decisions, keys = export.block["consents"], export.keys
    order = np.lexsort((decisions["channel"], decisions["at"], decisions["person"]))
    decisions = take(decisions, order)
    person = pa.array(decisions["person"])
    evidence = np.where(decisions["granted"], (decisions["at"] % 2).astype(np.int64), 2 + decisions["at"] % 2)
    export.files.csv("consent/decisions.csv", {
        "member_no": keys.member_no.take(person),
        "channel": pick(MESSAGE_CHANNELS, decisions["channel"]),
        "purpose": pa.repeat(pa.scalar("marketing"), rows(decisions)),
        "decided_at": export.clock(decisions["at"]),
        "granted": text.where(decisions["granted"], "Y", "N"),
        "evidence": pick(_EVIDENCE, evidence),
    })  # fmt: skip


def _external(export: Export) -> None:
    """Attributes that two providers claim to know. Each is right as often as its confidence says, on average."""
    people, keys, config = export.block["people"], export.keys, export.config
    age = -people["birth_day"] / 365.25
    truths = {
        "age_band": (AGES, np.searchsorted(_AGE_EDGES, age, side="right")),
        "income_band": (INCOMES, people["income"]),
        "has_kids": (("否", "是"), people["has_kids"].astype(np.int64)),
        "skin_type": (("干性", "油性", "混合性", "敏感性"), people["skin"]),
    }
    parts: dict[str, list[pa.Array]] = {}
    for p, (provider, accuracy) in enumerate(PROVIDERS):
        for a, (attribute, (labels, value)) in enumerate(truths.items()):
            salt = 500 + 20 * p + 4 * a
            person = people["person"]
            has = (people["crm"] < NEVER) & (uniform_of(person, salt) < 0.32)
            which = np.flatnonzero(has)
            sure = np.clip(accuracy + 0.28 * (uniform_of(person[which], salt + 1) - 0.5), 0.4, 0.99)
            right = uniform_of(person[which], salt + 2) < sure
            other = (
                value[which] + 1 + (uniform_of(person[which], salt + 3) * (len(labels) - 1)).astype(np.int64)
            ) % len(labels)
            index = pa.array(which)
            shown = np.where(right, value[which], other)
            for name, column in {
                "member_no": keys.member_no.take(index),
                "provider": pa.repeat(pa.scalar(provider), len(which)),
                "attribute": pa.repeat(pa.scalar(attribute), len(which)),
                "value": pick(labels, shown),
                "confidence": pa.array(np.round(sure, 2)).cast(pa.string()),
                "tgi": whole(80 + shown * 15),
                "valid_from": text.day(config, np.zeros(len(which))),
                "valid_to": text.day(config, np.full(len(which), config.days - 1 if p else config.days // 2)),
            }.items():
                parts.setdefault(name, []).append(column)
    export.files.csv(
        "external/profiles.csv",
        {name: pa.chunked_array(columns, pa.string()).combine_chunks() for name, columns in parts.items()},
    )


def _service(export: Export) -> None:
    block, keys, files = export.block, export.keys, export.files
    tickets, reviews, surveys = block["tickets"], block["reviews"], block["surveys"]
    numbers = all_order_numbers(export.block["orders"])
    people, orders, lines = block["people"], block["orders"], block["lines"]
    person, order = pa.array(tickets["person"]), pa.array(tickets["order"])
    changed = people["phone_changed"][tickets["person"]] <= tickets["at"]
    phone = text.where(changed, keys.phone_later.take(person), keys.phone.take(person))
    system = pick(("tmall", "jd", "miniprogram", "app", "pos"), orders["channel"])
    line = joined(
        '{"ticket_id":"W', padded(tickets["code"], 12), '","customer":{"id":"', customer_ids(people["person"][tickets["person"]]),
        '","phone":"', phone, '"},"order":{"system":"', system.take(order), '","no":"', numbers.take(order),
        '"},"created_at":"', export.clock(tickets["at"]), '","closed_at":',
        text.where(tickets["closed_at"] < NEVER, joined('"', pc.fill_null(export.clock(tickets["closed_at"]), ""), '"'), "null"),
        ',"channel":"', pick(("在线", "电话", "微信", "小程序"), tickets["channel"]), '","topic":"', pick(TOPICS, tickets["topic"]),
        '","priority":"', pick(("normal", "high", "urgent"), tickets["priority"]), '","score":',
        text.where(tickets["score"] > 0, whole(tickets["score"]), "null"), ',"first_response_seconds":', whole(tickets["response_seconds"]),
        ',"text":', pick([json.dumps(t, ensure_ascii=False) for t in TICKET_TEXT], tickets["topic"]), "}\n",
    )  # fmt: skip
    files.lines("service/tickets.jsonl", line, rows(tickets))
    texts = [t for rating in range(1, 6) for t in (REVIEW_TEXT[rating] * 3)[:6]]
    order = reviews["order"]
    files.csv("service/reviews.csv", {
        "review_id": joined("V", padded(reviews["code"], 12)),
        "customer_id": customer_ids(people["person"][orders["person"][order]]),
        "order_system": system.take(pa.array(order)),
        "order_no": numbers.take(pa.array(order)),
        "sku": pick(export.world.catalogue.code, lines["product"][reviews["line"]]),
        "created_at": export.clock(reviews["at"]),
        "stars": whole(reviews["rating"]),
        "content": pick(texts, (reviews["rating"] - 1) * 6 + reviews["text"]),
        "images": whole(reviews["images"]),
        "is_append": text.where(reviews["is_append"], "1", "0"),
    })  # fmt: skip
    files.csv("service/surveys.csv", {
        "answer_id": joined("A", padded(surveys["code"], 12)),
        "customer_id": customer_ids(people["person"][surveys["person"]]),
        "survey": pick([code for code, _ in SURVEYS], surveys["survey"]),
        "question": pick(QUESTIONS, surveys["question"]),
        "answered_at": export.clock(surveys["at"]),
        "score": text.where(surveys["question"] < 2, whole(surveys["score"]), ""),
        "answer": text.where(surveys["question"] == 2, pick(COMMENTS, surveys["text"]), ""),
    })  # fmt: skip


def customer_ids(person: np.ndarray) -> Text:
    """The name by which customer service knows a person."""
    return joined("SC", padded(person * 31 + 77, 10))
