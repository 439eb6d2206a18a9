"""What the published file says of one member, and why: accounts, profile, orders, visits, tags and scores, on any day.

Reading only; how it is shown belongs in `orchestration.commands.explain`. Nothing here can reach a direct identifier: the published
file holds none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration import tagging

# Section → (label 中文, label English, tables it reads, query). $member is the member, $cut the first date that is not told of.
_SECTIONS: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "accounts": (
        "账号与合并原因",
        "Accounts, and why they are one member",
        ("marts.dim_members", "marts.fct_identity_changes"),
        """
        select account_id, source_system, changed_at as joined_at, reason from marts.fct_identity_changes
        where to_member_id = $member
        union all
        select member_id, source_system, null, 'gives the member its id' from marts.dim_members where member_id = $member
        order by joined_at nulls first, account_id
        """,
    ),
    "profile": (
        "档案",
        "Profile",
        ("marts.dim_members",),
        "select * from marts.dim_members where member_id = $member",
    ),
    "profile_history": (
        "档案变更",
        "What was declared, from when to when",
        ("marts.dim_members_history",),
        """
        select valid_from, valid_to, tier_name, gender, province_name, registration_channel
        from marts.dim_members_history
        where member_id = $member and cast(valid_from as date) < $cut order by valid_from
        """,
    ),
    "consents": (
        "授权",
        "Consents in force",
        ("marts.dim_consents_history",),
        """
        select channel, purpose, is_granted, valid_from from marts.dim_consents_history
        where member_id = $member and cast(valid_from as date) < $cut and (valid_to is null or cast(valid_to as date) >= $cut)
        order by channel, purpose
        """,
    ),
    "orders": (
        "订单（最近十笔）",
        "Orders, the last ten",
        ("marts.fct_orders",),
        """
        select business_date, order_id, source_system, gross_amount, refund_amount, gmv_net_amount, is_valid, is_void
        from marts.fct_orders where member_id = $member and business_date < $cut
        order by business_date desc, order_id limit 10
        """,
    ),
    "purchases": (
        "消费合计",
        "Purchases in all",
        ("marts.fct_orders",),
        """
        select count(*) as order_count, sum(gmv_gross_amount) as gmv_gross_amount, sum(gmv_net_amount) as gmv_net_amount,
            min(business_date) as first_order_date, max(business_date) as last_order_date
        from marts.fct_orders where member_id = $member and is_valid and business_date < $cut
        having count(*) > 0
        """,
    ),
    "sessions": (
        "访问（最近十次）",
        "Sessions, the last ten",
        ("marts.fct_sessions",),
        """
        select started_at, source_system, platform, entry_page_name, exit_page_name, page_view_count, product_count,
            interaction_count, duration_seconds, is_bounce, is_member_inferred
        from marts.fct_sessions where member_id = $member and business_date < $cut
        order by started_at desc, session_id limit 10
        """,
    ),
    "behaviour": (
        "行为",
        "Behaviour by event",
        ("marts.fct_events",),
        """
        select event_name, count(*) as event_count, count(*) filter (where is_member_inferred) as inferred_count,
            min(business_date) as first_date, max(business_date) as last_date
        from marts.fct_events where member_id = $member and business_date < $cut
        group by event_name order by event_count desc, event_name
        """,
    ),
}
# Told of the published cut alone: yesterday's scores are not told of.
_CURRENT: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "scores": (
        "模型评分",
        "Scores",
        ("ml.churn_scores", "ml.propensity_scores"),
        """
        select 'churn' as model, columns(* exclude (member_id)) from ml.churn_scores
        where member_id = $member and as_of_date = $cut
        union all by name
        select 'propensity' as model, columns(* exclude (member_id)) from ml.propensity_scores
        where member_id = $member and as_of_date = $cut
        """,
    ),
}


class UnknownMember(LookupError):
    """Nobody has this id; str() says which ids there are."""


@dataclass(frozen=True)
class Section:
    """A table about the member; `missing` names the published tables that it needs and are not there."""

    code: str
    label_zh: str
    label_en: str
    columns: list[str]
    rows: list[tuple[Any, ...]]
    missing: tuple[str, ...] = ()


def account_id_of(source_system: str, member_key: str) -> str:
    """The opaque id of an account, as `account_id` in dbt makes it."""
    digest = hashlib.md5(f"{source_system}|{member_key}".encode(), usedforsecurity=False).hexdigest()
    return f"m_{digest[:20]}"


def resolve(connection: duckdb.DuckDBPyConnection, given: str) -> str:
    """The member that is meant: by its id, an account's id, or `<source system>:<member key>`. Raises UnknownMember."""
    source_system, separator, key = given.partition(":")
    account = account_id_of(source_system, key) if separator else given
    row = connection.execute(
        """
        select to_member_id from marts.fct_identity_changes where account_id = $1
        union all
        select member_id from marts.dim_members where member_id = $1
        """,
        [account],
    ).fetchone()
    if row is None:
        what = f"no account of {source_system} with that key" if separator else "no member or account with that id"
        raise UnknownMember(
            f"{what} is published; give a member_id or account_id (m_ and twenty digits, as in marts.dim_members), "
            "or <source system>:<member key>"
        )
    return str(row[0])


def explain(connection: duckdb.DuckDBPyConnection, member: str, as_of: date | None, current: date) -> list[Section]:
    """All that is told of a member before `as_of` (default: the published cut, `current`), section by section."""
    cut = as_of or current
    chosen = _SECTIONS | (_CURRENT if cut == current else {})
    known = {
        f"{schema}.{table}"
        for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
    }
    found = []
    for code, (zh, en, tables, query) in chosen.items():
        missing = tuple(table for table in tables if table not in known)
        if missing:
            found.append(Section(code, zh, en, [], [], missing))
            continue
        wanted = {name: value for name, value in (("member", member), ("cut", cut)) if f"${name}" in query}
        rows = connection.execute(query, wanted).fetchall()
        found.append(Section(code, zh, en, [column[0] for column in connection.description or []], rows))
    return [*found, _tags(connection, member, cut, known)]


def _tags(connection: duckdb.DuckDBPyConnection, member: str, cut: date, known: Collection[str]) -> Section:
    """The tags that say something, on the cut or on a past one that was run; none for days before tags were kept."""
    columns = ["family_code", "tag_code", "label_zh", "label_en", "tag_value"]
    if "tags.tag_catalogue" not in known:
        return Section("tags", "标签", "Tags", [], [], ("tags.tag_catalogue",))
    return Section("tags", "标签", "Tags", columns, list(tagging.of_member(connection, member, cut)))
