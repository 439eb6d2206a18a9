"""The points ledger and the tasks of the loyalty programme.

How many points an order may use is decided in `orders`; here it is booked. One point is a fen of discount; a yuan earns one.
"""

from __future__ import annotations

import numpy as np

from simulator.config import SimulatorConfig
from simulator.population import NEVER
from simulator.randomness import choose, generator
from simulator.tables import Table, rows, stack, take

EARN, REDEEM, EXPIRE, ADJUST, REVERSE = range(5)
KINDS = ("earn", "redeem", "expire", "adjust", "reverse")
TASKS = (
    ("sign_in", "签到", 2),
    ("profile", "完善资料", 50),
    ("share", "分享好友", 10),
    ("bind_wechat", "绑定微信", 30),
    ("first_review", "首次评价", 20),
)
REASONS = ("order", "task", "opening_balance", "points_payment", "expiry", "refund")
_DAY = 86_400


def make_tasks(config: SimulatorConfig, people: Table, cohort: int) -> Table:
    """Columns: person (row), task (row of TASKS), at. Only members of the CRM have tasks; sign-ins come once a day."""
    rng = generator(config.seed, "tasks", cohort)
    members = np.flatnonzero(people["crm"] < NEVER)
    since = np.clip(people["crm"][members], 0, config.seconds)
    until = np.clip(np.minimum(people["lapsed"], people["closed"])[members], since, config.seconds)
    rate = 9.0 * people["activity"][members] * (rng.random(len(members)) < 0.25)
    count = rng.poisson(rate * (until - since) / (365 * _DAY))
    person = np.repeat(np.arange(len(members)), count)
    task = choose(rng, (0.80, 0.04, 0.12, 0.02, 0.02), len(person))
    at = (since[person] + rng.random(len(person)) * (until - since)[person]).astype(np.int64)
    # Each task once a day; profile, binding and first review once at all.
    once = np.isin(task, (1, 3, 4))
    key = (person * 8 + task) * 4_000 + np.where(once, 0, at // _DAY)
    _, keep = np.unique(key, return_index=True)
    keep = np.sort(keep)
    return {"person": members[person[keep]], "task": task[keep], "at": at[keep]}


def make_ledger(
    config: SimulatorConfig, people: Table, orders: Table, refunds: Table, tasks: Table, cohort: int
) -> Table:
    """Columns: person (row), at, kind, reason (row of REASONS), points, order (row, -1 = none), balance. By person and time."""
    rng = generator(config.seed, "ledger", cohort)
    parts: list[Table] = []

    def book(
        person: np.ndarray, at: np.ndarray, kind: int, reason: int, points: np.ndarray, order: np.ndarray | None = None
    ) -> None:
        size = len(person)
        parts.append({
            "person": person, "at": at.astype(np.int64), "kind": np.full(size, kind, dtype=np.int8),
            "reason": np.full(size, reason, dtype=np.int8), "points": points.astype(np.int64),
            "order": np.full(size, -1, dtype=np.int64) if order is None else order,
        })  # fmt: skip

    old = np.flatnonzero(people["crm"] < 0)
    opening = rng.gamma(1.2, 260, len(old)).astype(np.int64) + 1
    book(old, np.zeros(len(old)), ADJUST, 2, opening)
    earns = np.flatnonzero((orders["paid_at"] < NEVER) & (people["crm"][orders["person"]] <= orders["at"]))
    earned = (orders["payable"][earns] + orders["points"][earns] - orders["freight"][earns]) // 100
    positive = earned > 0
    earns, earned = earns[positive], earned[positive]
    book(orders["person"][earns], orders["paid_at"][earns] + 60, EARN, 0, earned, earns)
    uses = np.flatnonzero((orders["points"] > 0) & (orders["paid_at"] < NEVER))
    book(orders["person"][uses], orders["paid_at"][uses], REDEEM, 3, -orders["points"][uses], uses)
    book(tasks["person"], tasks["at"], EARN, 1, np.array([points for _, _, points in TASKS])[tasks["task"]])
    earned_by_order = np.zeros(rows(orders), dtype=np.int64)
    earned_by_order[earns] = earned
    whole = np.flatnonzero(
        (refunds["line"] < 0) & (refunds["refunded_at"] < NEVER) & (earned_by_order[refunds["order"]] > 0)
    )
    book(
        orders["person"][refunds["order"][whole]], refunds["refunded_at"][whole], REVERSE, 5,
        -earned_by_order[refunds["order"][whole]], refunds["order"][whole],
    )  # fmt: skip
    # Half of what was brought over expires at the end of the calendar year.
    year_end = (
        int((np.datetime64(f"{config.start.year}-12-31") - np.datetime64(config.start)).astype(int)) * _DAY + 86_399
    )
    if 0 < year_end < config.seconds:
        silent = rng.random(len(old)) < 0.3
        book(old[silent], np.full(int(silent.sum()), year_end), EXPIRE, 4, -(opening[silent] // 2 + 1))
    ledger = stack(parts)
    ledger = take(ledger, ledger["at"] < config.seconds)
    ledger = take(ledger, np.lexsort((ledger["kind"], ledger["at"], ledger["person"])))
    running = np.cumsum(ledger["points"])
    start = np.append(True, ledger["person"][1:] != ledger["person"][:-1]) if rows(ledger) else np.zeros(0, dtype=bool)
    before = np.where(start, running - ledger["points"], 0)
    first = (
        np.maximum.accumulate(np.where(start, np.arange(len(start)), 0)) if len(start) else np.zeros(0, dtype=np.int64)
    )
    ledger["balance"] = running - before[first]
    return ledger
