"""Running the campaigns: who is planned, what is sent, and how each message fares; and whom it moves to order.

Campaigns run in the order of their dates, because who unsubscribes in one is not written to in the next. Definitions and
effects are in `campaigns`, the orders that follow in `orders`.
"""

from __future__ import annotations

import numpy as np

from simulator.campaigns import (
    CAMPAIGNS,
    EXPERIMENTS,
    audience,
    campaign_start,
    consent_at,
    consents,
    eligible,
    experiment_units,
    member_effect,
)
from simulator.config import SimulatorConfig
from simulator.orders import CAMPAIGN, EXPERIMENT
from simulator.population import MESSAGE_CHANNELS
from simulator.randomness import choose, generator
from simulator.seasons import hour_curves
from simulator.tables import Table, rows, stack, take

PLANNED, SENT, DELIVERED, OPENED, CLICKED, FAILED, UNSUBSCRIBED = range(7)
STAGES = ("planned", "sent", "delivered", "opened", "clicked", "failed", "unsubscribed")
FAILURES = ("空号", "关机", "黑名单", "退信", "token失效")
SEND_HOURS = np.array([8, 10, 12, 15, 18, 20, 21, 22])  # drawn for each message: the response by hour can be learnt
_DAY = 86_400
_FAIL = (0.035, 0.05, 0.06, 0.02)  # by message channel
_OPENS = (4.0, 1.7, 1.9, 1.5)  # scales a member's response to an open rate; texts are read, mails are not


def hour_response() -> np.ndarray:
    """(hour types, 24): multiplier of a message's chance to be opened, mean 1."""
    curves = hour_curves()
    lift = curves / curves.mean(axis=0, keepdims=True)  # what sets the kind apart from everybody
    return lift / lift.mean(axis=1, keepdims=True)


def open_chance(people: Table, person: np.ndarray, channel: int, hour: np.ndarray) -> np.ndarray:
    """Chance that a delivered message is opened."""
    multiplier = hour_response()[people["hour_type"][person], hour]
    return np.clip(people["response"][person, channel] * _OPENS[channel] * multiplier, 0.002, 0.95)


def run_campaigns(config: SimulatorConfig, people: Table, natural: Table, cohort: int) -> dict[str, Table]:
    """What happens in all campaigns and experiments to the members of a cohort. `person` is a row of the cohort.

    touches: person, campaign, stage, at, reason; assignments: person, campaign, is_holdout, effect, effect_unit, responded;
    treated: person, campaign, since, until; causes: see `orders.caused_orders`; units: see `experiment_units`;
    consents: person, channel, at, granted; dropped: positions of natural orders that a campaign drove away.
    """
    decisions = consents(config, people, cohort)
    size = len(people["person"])
    touches: list[Table] = []
    assignments: list[Table] = []
    treated: list[Table] = []
    causes: list[Table] = []
    dropped = np.zeros(rows(natural), dtype=bool)
    for number, campaign in enumerate(CAMPAIGNS):
        rng = generator(config.seed, f"messages {campaign.code}", cohort)
        start = campaign_start(config, campaign)
        until = min(start + campaign.days * _DAY, config.seconds)
        channel = MESSAGE_CHANNELS.index(campaign.channel)
        last = _last_order(natural, start, size)
        mask = eligible(config, campaign, people, last, consent_at(decisions, channel, start, size))
        who, is_holdout = audience(config, campaign, number, people, mask, cohort)
        alive = people["lapsed"][who] > start
        effect = member_effect(campaign, take(people, who), alive)
        contacted = who[~is_holdout]
        log, unsubscribed = _send(rng, people, campaign.channel, number, start, who, is_holdout)
        touches.append(take(log, log["at"] < config.seconds))

        drawn = rng.random(len(who))
        moved = ~is_holdout & (drawn < effect)
        causes.append({
            "person": who[moved], "since": np.full(int(moved.sum()), start), "until": np.full(int(moved.sum()), until),
            "cause": np.full(int(moved.sum()), CAMPAIGN), "cause_number": np.full(int(moved.sum()), number),
        })  # fmt: skip
        expected = effect.copy()
        if campaign.effect < 0:
            inside = (natural["at"] >= start) & (natural["at"] < until)
            asked = np.zeros(size, dtype=bool)
            asked[contacted] = True
            gone = inside & asked[natural["person"]] & (rng.random(rows(natural)) < -campaign.effect)
            dropped |= gone
            natural_in = np.bincount(natural["person"][inside], minlength=size)[who]
            expected = campaign.effect * natural_in
            moved = np.bincount(natural["person"][gone], minlength=size)[who] > 0
        assignments.append({
            "person": who, "campaign": np.full(len(who), number), "is_holdout": is_holdout, "effect": expected, "responded": moved,
            "at": np.full(len(who), start), "until": np.full(len(who), until),
        })  # fmt: skip
        treated.append({
            "person": contacted, "campaign": np.full(len(contacted), number),
            "since": np.full(len(contacted), start), "until": np.full(len(contacted), until),
        })  # fmt: skip
        decisions = stack([decisions, unsubscribed])

    units = []
    for number, experiment in enumerate(EXPERIMENTS):
        rng = generator(config.seed, f"outcome {experiment.code}", cohort)
        unit = experiment_units(config, experiment, people, number, cohort)
        moved = (unit["arm"] == 1) & (rng.random(rows(unit)) < unit["effect"])
        unit["responded"] = moved
        units.append(unit)
        until = np.minimum(unit["at"][moved] + experiment.outcome_days * _DAY, config.seconds)
        causes.append({
            "person": unit["person"][moved], "since": unit["at"][moved], "until": until,
            "cause": np.full(int(moved.sum()), EXPERIMENT), "cause_number": np.full(int(moved.sum()), number),
        })  # fmt: skip
    return {
        "touches": stack(touches),
        "assignments": stack(assignments),
        "treated": stack(treated),
        "causes": stack(causes),
        "units": stack(units),
        "consents": take(decisions, decisions["at"] < config.seconds),
        "dropped": {"is_dropped": dropped},
    }


def _last_order(natural: Table, moment: int, size: int) -> np.ndarray:
    last = np.full(size, -(1 << 40), dtype=np.int64)
    before = natural["at"] < moment
    np.maximum.at(last, natural["person"][before], natural["at"][before])
    return last


def _send(
    rng: np.random.Generator,
    people: Table,
    channel_name: str,
    number: int,
    start: int,
    who: np.ndarray,
    is_holdout: np.ndarray,
) -> tuple[Table, Table]:
    """The log of one campaign's messages, and the consents withdrawn by it. Held-out members are planned and no more."""
    channel = MESSAGE_CHANNELS.index(channel_name)
    planned = _log(who, number, PLANNED, np.full(len(who), start - 3600))
    planned["is_holdout"] = is_holdout
    person = who[~is_holdout]
    hour = SEND_HOURS[choose(rng, np.ones(len(SEND_HOURS)), len(person))]
    day = start // _DAY + rng.integers(0, 2, len(person))
    # Nothing goes out before the campaign is approved: an hour already gone today is tomorrow's.
    sent_at = day * _DAY + hour * 3600 + rng.integers(0, 1200, len(person))
    sent_at = np.where(sent_at < start, sent_at + _DAY, sent_at)
    sent = _log(person, number, SENT, sent_at)
    failed_mask = rng.random(len(person)) < _FAIL[channel]
    failed = _log(person[failed_mask], number, FAILED, sent_at[failed_mask] + 5)
    failed["reason"] = (1 + rng.integers(0, len(FAILURES), int(failed_mask.sum()))).astype(np.int8)
    reached, at = person[~failed_mask], sent_at[~failed_mask] + rng.integers(1, 30, int((~failed_mask).sum()))
    delivered = _log(reached, number, DELIVERED, at)
    opens = rng.random(len(reached)) < open_chance(people, reached, channel, at % _DAY // 3600)
    opened_at = at[opens] + rng.exponential(2_400, int(opens.sum())).astype(np.int64) + 2
    opened = _log(reached[opens], number, OPENED, opened_at)
    clicks = rng.random(int(opens.sum())) < np.clip(
        0.10 + 0.5 * people["price_sensitivity"][reached[opens]] * 0.6, 0, 0.7
    )
    clicked = _log(reached[opens][clicks], number, CLICKED, opened_at[clicks] + rng.integers(2, 90, int(clicks.sum())))
    quits = rng.random(len(reached)) < (0.011, 0.008, 0.006, 0.004)[channel] * (1.6 if number == 11 else 1.0)
    quit_at = at[quits] + rng.integers(30, 40_000, int(quits.sum()))
    unsubscribed = _log(reached[quits], number, UNSUBSCRIBED, quit_at)
    withdrawn: Table = {
        "person": reached[quits], "channel": np.full(int(quits.sum()), channel), "at": quit_at,
        "granted": np.zeros(int(quits.sum()), dtype=bool),
    }  # fmt: skip
    return stack([planned, sent, failed, delivered, opened, clicked, unsubscribed]), withdrawn


def _log(person: np.ndarray, campaign: int, stage: int, at: np.ndarray) -> Table:
    size = len(person)
    return {
        "person": person,
        "campaign": np.full(size, campaign, dtype=np.int16),
        "stage": np.full(size, stage, dtype=np.int8),
        "at": at.astype(np.int64),
        "reason": np.zeros(size, dtype=np.int8),
        "is_holdout": np.zeros(size, dtype=bool),
    }
