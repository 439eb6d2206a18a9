"""Sessions and page views by plain Python, one visitor after another: what fct_sessions and fct_page_views must say.

Written from the definitions alone and read event by event; it knows nothing of the SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

Row = dict[str, Any]
COLUMNS = (
    "event_id, account_id, anonymous_id, source_system, source_event_name, page_name, product_id, duration_seconds, "
    "is_bot, is_internal, business_date, event_at"
)
EVENTS_SQL = f"select {COLUMNS} from marts.fct_events where is_behaviour and not is_time_assumed"


def sessions_and_views(
    events: Iterable[Row], roles: Mapping[str, str], gap: timedelta
) -> tuple[dict[date, list[Row]], list[Row]]:
    """Sessions by the date they began on, and page views, of rows with COLUMNS. `roles`: visit_role by standard event."""
    known = [row for row in events if row["anonymous_id"] or row["account_id"]]

    def visitor(row: Row) -> tuple[str, str]:
        return row["source_system"], row["anonymous_id"] or row["account_id"]

    sessions: dict[date, list[Row]] = {}
    views: list[Row] = []
    known.sort(key=lambda row: (visitor(row), row["event_at"], row["event_id"]))
    for _, rows in groupby(known, key=visitor):
        sitting: list[Row] = []
        for row in rows:
            if sitting and row["event_at"] - sitting[-1]["event_at"] > gap:
                _close(sitting, roles, gap, sessions, views)
                sitting = []
            sitting.append(row)
        _close(sitting, roles, gap, sessions, views)
    return sessions, views


def _close(
    sitting: list[Row], roles: Mapping[str, str], gap: timedelta, sessions: dict[date, list[Row]], views: list[Row]
) -> None:
    role = [roles.get(row["source_event_name"], "interaction") for row in sitting]
    pages = [row for row, kind in zip(sitting, role, strict=True) if kind == "page"]
    accounts = [row["account_id"] for row in sitting if row["account_id"]]
    first, last = sitting[0], sitting[-1]
    is_bounce = len(pages) == 1 and "interaction" not in role
    sessions.setdefault(first["business_date"], []).append(
        {
            "started_at": first["event_at"],
            "ended_at": last["event_at"],
            "account_id": accounts[-1] if accounts else None,
            "anonymous_id": first["anonymous_id"],
            "source_system": first["source_system"],
            "event_count": len(sitting),
            "page_view_count": len(pages),
            "interaction_count": role.count("interaction"),
            "product_count": len({page["product_id"] for page in pages if page["product_id"]}),
            "entry_page_name": pages[0]["page_name"] if pages else None,
            "exit_page_name": pages[-1]["page_name"] if pages else None,
            "entry_product_id": pages[0]["product_id"] if pages else None,
            "exit_product_id": pages[-1]["product_id"] if pages else None,
            "duration_seconds": (last["event_at"] - first["event_at"]).total_seconds(),
            "is_bounce": is_bounce,
            "is_bot": any(row["is_bot"] for row in sitting),
            "is_internal": any(row["is_internal"] for row in sitting),
            "business_date": first["business_date"],
            "ended_date": last["business_date"],
        }
    )
    number = 0
    for index, row in enumerate(sitting):
        if role[index] != "page":
            continue
        number += 1
        follower = next(
            (
                later
                for later, kind in zip(sitting[index + 1 :], role[index + 1 :], strict=True)
                if kind in ("page", "leave")
            ),
            None,
        )
        views.append(
            {
                "page_view_id": row["event_id"],
                "page_number": number,
                "dwell_seconds": _dwell(row, follower, gap),
                "is_entry": number == 1,
                "is_exit": number == len(pages),
                "is_bounce": is_bounce,
                "session_event_count": len(sitting),
                "session_business_date": first["business_date"],
            }
        )


def _dwell(page: Row, follower: Row | None, gap: timedelta) -> float | None:
    if follower is not None:
        return _seconds(page["event_at"], follower["event_at"])
    measured = page["duration_seconds"]
    return min(float(measured), gap.total_seconds()) if measured and measured > 0 else None


def _seconds(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()
