"""Audiences side by side: how many members two of them share, and which one may address a member.

Both are counted in the dated table, as of one day. Who is in an audience belongs in `membership`.
"""

# ruff: noqa: S608 (names of `tables`; every value is a parameter)
from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from orchestration.audiences.tables import CATALOGUE, CONTACTS, MEMBERS, OVERLAPS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PRESENT = (
    f"present as (select audience_id, member_id from {MEMBERS} "
    "where valid_from <= $day and (valid_to is null or valid_to > $day))"
)


def write_overlaps(connection: DuckDBPyConnection, as_of_date: date) -> None:
    """Every ordered pair of audiences that have members; a pair that shares nobody is there with 0."""
    connection.execute(f"delete from {OVERLAPS}")
    connection.execute(
        f"""
        insert into {OVERLAPS} by name
        with {_PRESENT},
        sizes as (select audience_id, count(*) as member_count from present group by audience_id),
        shared as (
            select one.audience_id, other.audience_id as other_audience_id, count(*) as both_member_count
            from present as one inner join present as other
                on one.member_id = other.member_id and one.audience_id <> other.audience_id
            group by one.audience_id, other.audience_id
        ),
        counted as (
            select one.audience_id, other.audience_id as other_audience_id, one.member_count,
                other.member_count as other_member_count, coalesce(shared.both_member_count, 0) as both_member_count
            from sizes as one
            inner join sizes as other on one.audience_id <> other.audience_id
            left join shared on one.audience_id = shared.audience_id and other.audience_id = shared.other_audience_id
        )
        select *, both_member_count / (member_count + other_member_count - both_member_count) as jaccard_rate,
            both_member_count / member_count as contained_rate, $day as as_of_date
        from counted order by audience_id, other_audience_id
        """,
        {"day": as_of_date},
    )


def write_contacts(connection: DuckDBPyConnection, as_of_date: date) -> None:
    """Of the audiences of an exclusive group that a member is in, the first by priority, then by id. Needs the catalogue."""
    connection.execute(f"delete from {CONTACTS}")
    connection.execute(
        f"""
        insert into {CONTACTS} by name
        with {_PRESENT},
        competing as (
            select present.member_id, told.exclusive_group, present.audience_id, told.priority,
                row_number() over (
                    partition by present.member_id, told.exclusive_group
                    order by told.priority nulls last, present.audience_id nulls last
                ) as place,
                count(*) over (partition by present.member_id, told.exclusive_group) as competing_audience_count
            from present inner join {CATALOGUE} as told on present.audience_id = told.audience_id
            where told.exclusive_group is not null
        )
        select member_id, exclusive_group, audience_id, priority, competing_audience_count, $day as as_of_date
        from competing where place = 1 order by exclusive_group, member_id
        """,
        {"day": as_of_date},
    )
