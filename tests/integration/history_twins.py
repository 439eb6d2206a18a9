"""Histories by plain Python: what dim_members_history, dim_consents_history and int_anonymous_resolved must say of random rows.

Each `random_*` fills the tables that a model reads, and gives what the model must answer, worked out instant by instant from
the definitions; it knows nothing of the SQL.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
LOADED_AT = BEGIN + timedelta(days=99)
LOOKBACK_DAYS = 365  # brands.Identity.lookback_days
MEMBERS = ("m1", "m2")
# Fields of a member that have a history, as docs/identity.md lists them.
FIELDS = (
    "gender", "age_band", "income_band", "home_ownership", "marital_status", "household_size", "household_composition",
    "kids_count", "region", "province_code", "province_name", "tier_name", "registration_channel", "store_id",
)  # fmt: skip
INSTANT, TEXT, FLAG = "timestamptz", "varchar", "boolean"

Rows = list[tuple[Any, ...]]


def table(connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str], rows: Rows) -> None:
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create or replace table {name} ({listed})")
    if rows:
        connection.executemany(f"insert into {name} values ({', '.join('?' * len(columns))})", rows)


def random_accounts(connection: duckdb.DuckDBPyConnection, chance: random.Random) -> dict[str, str]:
    """Up to five accounts of two members: account to member."""
    member = {f"a{number}": chance.choice(MEMBERS) for number in range(chance.randint(1, 5))}
    table(connection, "int_accounts_resolved", {"account_id": TEXT, "member_id": TEXT}, list(member.items()))
    return member


def random_versions(connection: duckdb.DuckDBPyConnection, chance: random.Random, member: dict[str, str]) -> Rows:
    """Versions of profiles. Returns (member_id, valid_from, valid_to, is_current, *FIELDS) of dim_members_history."""
    deleted = {account: chance.random() < 0.15 for account in member}
    table(connection, "stg_members", {"account_id": TEXT, "is_deleted": FLAG}, list(deleted.items()))
    versions: dict[tuple[str, datetime], tuple[bool, dict[str, str | None]]] = {}
    for _ in range(chance.randint(0, 14)):
        key = (chance.choice(list(member)), BEGIN + timedelta(days=chance.randint(0, 8)))
        said = {name: chance.choice("xy") if chance.random() < 0.4 else None for name in FIELDS}
        versions.setdefault(key, (chance.random() < 0.1, said))
    columns = {"account_id": TEXT, "observed_at": INSTANT, "is_deleted": FLAG, "loaded_at": INSTANT}
    rows = [(*key, gone, LOADED_AT, *said.values()) for key, (gone, said) in versions.items()]
    table(connection, "stg_member_versions", columns | dict.fromkeys(FIELDS, TEXT), rows)

    expected: Rows = []
    for name in MEMBERS:
        told = sorted(
            (
                (at, account, said)
                for (account, at), (gone, said) in versions.items()
                if member[account] == name and not gone and not deleted[account]
            ),
            key=lambda row: row[:2],
        )
        states: list[tuple[datetime, tuple[str | None, ...]]] = []
        for instant in sorted({at for at, _, _ in told}):
            known = [said for at, _, said in told if at <= instant]
            state = tuple(next((s[f] for s in reversed(known) if s[f] is not None), None) for f in FIELDS)
            if not states or states[-1][1] != state:
                states.append((instant, state))
        ends = [*(at for at, _ in states[1:]), *([None] if states else [])]
        expected += [(name, at, end, end is None, *state) for (at, state), end in zip(states, ends, strict=True)]
    return expected


def random_consents(
    connection: duckdb.DuckDBPyConnection, chance: random.Random, member: dict[str, str]
) -> dict[tuple[str, str, datetime], bool | None]:
    """Decisions. Returns whether a member's channel was granted at an instant; None before anything was decided."""
    decisions: dict[tuple[str, str, datetime], tuple[bool, bool]] = {}
    for _ in range(chance.randint(0, 14)):
        at = BEGIN + timedelta(days=chance.randint(0, 6))
        key = (chance.choice(list(member)), chance.choice(("sms", "email")), at)
        decisions.setdefault(key, (chance.random() < 0.5, chance.random() < 0.1))
    columns = {
        "account_id": TEXT, "channel": TEXT, "purpose": TEXT, "decided_at": INSTANT, "is_granted": FLAG,
        "is_deleted": FLAG, "loaded_at": INSTANT,
    }  # fmt: skip
    rows = [
        (account, channel, "marketing", at, granted, gone, LOADED_AT)
        for (account, channel, at), (granted, gone) in decisions.items()
    ]
    table(connection, "stg_consents", columns, rows)
    expected: dict[tuple[str, str, datetime], bool | None] = {}
    for name in MEMBERS:
        for channel in ("sms", "email"):
            for half_day in range(-1, 16):
                now = BEGIN + timedelta(days=half_day / 2)
                past = [
                    (at, granted)
                    for (account, of, at), (granted, gone) in decisions.items()
                    if member[account] == name and of == channel and not gone and at <= now
                ]
                newest = max((at for at, _ in past), default=None)
                # Of two decisions at one instant the refusal counts.
                expected[name, channel, now] = all(g for at, g in past if at == newest) if past else None
    return expected


def random_logins(
    connection: duckdb.DuckDBPyConnection, chance: random.Random, member: dict[str, str]
) -> dict[tuple[str, datetime], str | None]:
    """Logins on two devices. Returns whose the device was at an instant: whoever logs in next, or was the last to."""
    logins = [
        (chance.choice(list(member)), chance.choice(("d1", "d2")), BEGIN + timedelta(days=chance.randint(0, 8)), chance.random() < 0.1)
        for _ in range(chance.randint(0, 14))
    ]  # fmt: skip
    columns = {
        "account_id": TEXT, "anonymous_id": TEXT, "observed_at": INSTANT, "is_deleted": FLAG, "source_system": TEXT,
        "loaded_at": INSTANT,
    }  # fmt: skip
    table(connection, "stg_identifiers", columns, [(*login, "app", LOADED_AT) for login in logins])
    expected: dict[tuple[str, datetime], str | None] = {}
    for device in ("d1", "d2"):
        log = sorted({(at, member[account]) for account, of, at, gone in logins if of == device and not gone})
        for half_day in range(-740, 40):
            now = BEGIN + timedelta(days=half_day / 2)
            coming = [owner for at, owner in log if at > now]
            if not log or now < log[0][0] - timedelta(days=LOOKBACK_DAYS):
                expected[device, now] = None
            else:
                expected[device, now] = coming[0] if coming else log[-1][1]
    return expected
