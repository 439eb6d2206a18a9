"""What makes the output dirty, drawn apart from what really happened: which events are repeated, late, broken or misdated.

How a broken record looks belongs in `silos`; every row that is dirtied is listed in the truth (`truth.mess`).
"""

from __future__ import annotations

import numpy as np

from simulator.behaviour import ON_APP, ON_WEB
from simulator.config import SimulatorConfig
from simulator.randomness import generator, scramble, uniform_of
from simulator.tables import Table, rows

CLEAN, TWICE, TWICE_ACROSS, LATE, FUTURE, MALFORMED, NO_TIME, NO_NAME, UNKNOWN = range(9)
KINDS = (
    "clean", "duplicate_in_file", "duplicate_across_files", "late_event", "future_event", "malformed_row", "null_required_time",
    "null_required_name", "unknown_event",
)  # fmt: skip
UNKNOWN_NAMES = ("test_click_v2", "undefined", "pv_new_track")
_HOUR = 3600


def event_faults(config: SimulatorConfig, visits: Table, events: Table, cohort: int) -> dict[str, np.ndarray]:
    """Per event: `fault` (row of KINDS) and `shown_at`, the time that its device claims."""
    rates = config.mess
    rng = generator(config.seed, "event faults", cohort)
    drawn = rng.random(rows(events))
    edges = np.cumsum([
        rates.duplicate_in_file, rates.duplicate_across_files, rates.late_event, rates.future_event, rates.malformed_row,
        rates.null_required / 2, rates.null_required / 2, rates.unknown_event,
    ])  # fmt: skip
    fault = (np.searchsorted(edges, drawn, side="right") + 1) % (len(edges) + 1)
    # Cut-off lines come from a collector that was broken for a month, and of late: most exports have none.
    day = events["at"] // (24 * _HOUR)
    broken = (day >= config.days - config.daily_files) | ((day >= config.days // 6) & (day < config.days // 4))
    fault = np.where((fault == MALFORMED) & ~broken, CLEAN, fault)
    shown = events["at"] + visits["skew"][events["visit"]]
    # 2037 and later: in the future whenever the brand is looked at.
    far = int((np.datetime64("2037-01-01") - np.datetime64(config.start)).astype(int)) * 24 * _HOUR
    shown = np.where(fault == FUTURE, far + events["at"], shown)
    return {"fault": fault.astype(np.int8), "shown_at": shown}


def file_of(days: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Number of the file that holds each day; `edges` are the last days of the files."""
    return np.searchsorted(edges, days, side="left")


def export_edges(config: SimulatorConfig) -> np.ndarray:
    """Last days of the event exports: the ends of months, then each of the last days."""
    days = np.arange(config.days)
    dates = np.datetime64(config.start) + days
    month_end = (dates + 1).astype("datetime64[M]") != dates.astype("datetime64[M]")
    daily = days >= config.days - config.daily_files
    before_daily = days == config.days - config.daily_files - 1
    return days[month_end | daily | before_daily]


def month_edges(config: SimulatorConfig, months: int = 1) -> np.ndarray:
    """Last days of exports that come every so many months; the last one ends with the period."""
    days = np.arange(config.days)
    dates = np.datetime64(config.start) + days
    ends = days[(dates + 1).astype("datetime64[M]") != dates.astype("datetime64[M]")]
    return np.unique(np.append(ends[months - 1 :: months], config.days - 1))


def device_skew(config: SimulatorConfig, visits: Table, people: Table) -> np.ndarray:
    """Seconds by which the clock of a visit's device is wrong: 0 for almost all. Below a day, or it would be a future event."""
    owner = np.where(visits["person"] >= 0, people["device_owner"][np.maximum(visits["person"], 0)], 0)
    device = owner * 2 + visits["device"]
    wrong = (visits["surface"] == ON_APP) & (uniform_of(device, 700) < config.mess.skewed_device)
    hours = 2 + (scramble(device, 701) % np.uint64(20)).astype(np.int64)
    sign = np.where(uniform_of(device, 702) < 0.5, -1, 1)
    return np.where(wrong & (visits["surface"] != ON_WEB), sign * hours * _HOUR, 0)


def contact_faults(config: SimulatorConfig, people: Table, cohort: int) -> dict[str, np.ndarray]:
    """Per member: how phone and e-mail are written. 0 plain, 1 to 4 odd forms, 5 a typo that nobody can repair."""
    rng = generator(config.seed, "contact faults", cohort)
    rates = config.mess
    result = {}
    for name in ("phone_form", "email_form"):
        drawn = rng.random(rows(people))
        form = np.where(
            drawn < rates.contact_typo,
            5,
            np.where(drawn < rates.contact_typo + rates.contact_odd_form, 1 + rng.integers(0, 4, rows(people)), 0),
        )
        result[name] = form.astype(np.int8)
    result["gender_form"] = rng.integers(0, 6, rows(people)).astype(np.int8)
    result["birthday_form"] = rng.integers(0, 5, rows(people)).astype(np.int8)
    result["region_form"] = rng.integers(0, 4, rows(people)).astype(np.int8)
    result["knows_birthday"] = rng.random(rows(people)) < 0.7
    return result


def row_faults(config: SimulatorConfig, process: str, size: int, cohort: int) -> np.ndarray:
    """Per row of a text or table export: CLEAN, TWICE, TWICE_ACROSS, MALFORMED or NO_TIME."""
    rates = config.mess
    drawn = generator(config.seed, f"row faults {process}", cohort).random(size)
    fault = np.full(size, CLEAN, dtype=np.int8)
    edge = 0.0
    for kind, rate in (
        (TWICE, rates.duplicate_in_file / 2), (TWICE_ACROSS, rates.duplicate_across_files),
        (MALFORMED, rates.malformed_row), (NO_TIME, rates.null_required),
    ):  # fmt: skip
        fault[(drawn >= edge) & (drawn < edge + rate)] = kind
        edge += rate
    return fault
