"""A brand's identity rules as tables that dbt reads.

What identity.yml may say is checked in `orchestration.brands`; who is one person is worked out in dbt (`int_identity_*`). Accounts
that are only probably one person come from `orchestration.identity_measured`.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import duckdb
import pandas as pd

from orchestration.brands import Brand, Identity, IdentityDecision

TABLES = {
    "identity_rules": {
        "identifier_type": "varchar",
        "tier": "integer",
        "unverified_tier": "integer",
        "is_recycled": "boolean",
        "max_accounts_per_system": "integer",
    },
    "identity_account_keys": {"source_system": "varchar", "identifier_type": "varchar"},
    "identity_decisions": {
        "decision_code": "varchar",
        "decision": "varchar",
        "source_system": "varchar",
        "member_key": "varchar",
        "other_source_system": "varchar",
        "other_member_key": "varchar",
        "reason": "varchar",
        "decided_at": "timestamptz",
    },
}


def _pairs(decision: IdentityDecision) -> list[tuple[str, str, str | None, str | None]]:
    """Every two accounts of a decision to keep apart."""
    accounts = decision.accounts
    return [
        (left.source_system, left.member_key, right.source_system, right.member_key)
        for position, left in enumerate(accounts)
        for right in accounts[position + 1 :]
    ]


def rows_of(identity: Identity) -> dict[str, list[tuple[object, ...]]]:
    """Rows of each of TABLES."""
    decided: list[tuple[object, ...]] = [
        (decision.code, kind, *account, decision.reason, datetime.combine(decision.decided_on, time(), UTC))
        for kind, decisions in (("keep_together", identity.keep_together), ("keep_apart", identity.keep_apart))
        for decision in decisions
        for account in (
            _pairs(decision)
            if kind == "keep_apart"
            else [(account.source_system, account.member_key, None, None) for account in decision.accounts]
        )
    ]
    return {
        "identity_rules": [
            (name, rule.tier, rule.unverified_tier, rule.is_recycled, rule.max_accounts_per_system)
            for name, rule in sorted(identity.all_rules.items())
        ],
        "identity_account_keys": sorted(identity.account_keys.items()),
        "identity_decisions": decided,
    }


def _home_of(connection: duckdb.DuckDBPyConnection) -> Path | None:
    """The brand's home, from where its build file lies. A build of the past lies elsewhere, and links to the brand's own lake."""
    row = connection.execute("select path from duckdb_databases() where database_name = current_database()").fetchone()
    if not row or not row[0]:
        return None
    home = Path(row[0]).parent.parent
    return home if (home / "identity").is_dir() else (home / "lake").resolve().parent


def write_identity_config(connection: duckdb.DuckDBPyConnection, brand: Brand) -> None:
    """config.identity_rules, config.identity_account_keys and config.identity_decisions, as identity.yml says now.

    Raises BrandConfigError where probabilistic pairs are switched on and may not be.
    """
    tables = rows_of(brand.identity)
    if brand.identity.probabilistic.enabled:
        from orchestration.identity_measured import probable_decisions

        tables["identity_decisions"] += probable_decisions(brand, _home_of(connection))
    connection.execute("create schema if not exists config")
    for name, rows in tables.items():
        types = TABLES[name]
        frame = pd.DataFrame(rows, columns=list(types), dtype=object)
        columns = ", ".join(f"cast({column} as {type_}) as {column}" for column, type_ in types.items())
        connection.register("frame_to_write", frame)
        connection.execute(f"create or replace table config.{name} as select {columns} from frame_to_write")  # noqa: S608  constant names
        connection.unregister("frame_to_write")
