"""Who was in which audience when: one day is worked out by the compiled query and laid into the dated table.

Membership is a step function of the days that were worked out; the table is its shortest form. Writing a day changes only
the stretch from it to the next day that is known, so days may come in any order and again. Comparing audiences belongs in
`overlap`.
"""

# ruff: noqa: S608 (names of `tables`; every value is a parameter)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from orchestration.audiences import catalogue as catalogues
from orchestration.audiences.compile import Clock, membership_query, population_query
from orchestration.audiences.definitions import Audience, Availability, availability
from orchestration.audiences.tables import CATALOGUE, DAYS, MEMBERS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REMOVED = "removed"  # status of a day on which an audience was no longer defined


class StaleTags(ValueError):
    """The tags stand at another day than the one asked for; str() names both."""


@dataclass(frozen=True)
class Day:
    """One day worked out: who is in what, and what stood in the way. `members` is sorted (audience_id, member_id)."""

    as_of_date: date
    population_count: int
    states: Mapping[str, Availability]
    versions: Mapping[str, str]
    members: list[tuple[str, str]]


def tags_date(connection: DuckDBPyConnection) -> date | None:
    """The day that the tags of this file speak of; None when nobody has tags."""
    row = connection.execute("select max(as_of_date) from tags.member_tags").fetchone()
    return row[0] if row else None


def work_out(connection: DuckDBPyConnection, audiences: Mapping[str, Audience], clock: Clock) -> Day:
    """Evaluate every audience as of the clock's day, in one query. Raises StaleTags when the tags are of another day."""
    stands_at = tags_date(connection)
    if stands_at is not None and stands_at != clock.as_of_date:
        raise StaleTags(
            f"the tags stand at {stands_at}, not at {clock.as_of_date}; past days are worked out by "
            "`tessera audience backfill --from D --to D`"
        )
    catalogue = catalogues.read_catalogue(connection, clock.as_of_date)
    states = {name: availability(audience, catalogue, clock.as_of_date) for name, audience in audiences.items()}
    ready = {name: audiences[name].rule for name, state in states.items() if state.status == "ready"}
    members: list[tuple[str, str]] = []
    if ready:
        query = membership_query(ready, catalogue, clock)
        members = sorted(connection.execute(query.sql, query.parameters).fetchall())
    population = population_query(clock)
    row = connection.execute(population.sql, population.parameters).fetchone() or (0,)
    versions = {name: audience.rule_version for name, audience in audiences.items()}
    return Day(clock.as_of_date, row[0], states, versions, members)


def record(connection: DuckDBPyConnection, day: Day) -> None:
    """Lay a day into the dated table, in place of what it said of that day before; all or nothing.

    An audience that is no longer defined loses its members on the first newer day without it.
    """
    connection.execute("begin")
    try:
        _stage(connection, day)
        connection.execute(_RECORD)
        for statement in _COUNT:
            connection.execute(statement)
        connection.execute("commit")
    except Exception:
        connection.execute("rollback")
        raise


def write_catalogue(connection: DuckDBPyConnection, audiences: Mapping[str, Audience], day: Day) -> None:
    """The catalogue as of a day; sizes are counts of the dated table."""
    connection.execute(f"delete from {CATALOGUE}")
    rows = [
        (
            audience.audience_id,
            audience.label_zh,
            audience.label_en,
            audience.goal,
            audience.owner,
            ", ".join(audience.allowed_uses),
            audience.exclusive_group,
            audience.origin,
            audience.source or None,
            audience.text,
            audience.rule_version,
            day.states[name].status,
            "; ".join(day.states[name].missing) or None,
            audience.priority,
            audience.expires,
            day.as_of_date,
        )
        for name, audience in sorted(audiences.items(), key=lambda item: (item[1].priority, item[0]))
    ]
    if not rows:
        return
    connection.execute(
        "create or replace temp table told (audience_id varchar, label_zh varchar, label_en varchar, goal varchar, "
        "owner varchar, allowed_uses varchar, exclusive_group varchar, origin varchar, source varchar, rule varchar, "
        "rule_version varchar, status varchar, missing varchar, priority integer, expires_date date, as_of_date date)"
    )
    connection.executemany(f"insert into told values ({', '.join('?' * 16)})", rows)
    connection.execute(
        f"""
        insert into {CATALOGUE} by name
        select told.*, days.member_count, days.population_count, days.entry_count, days.exit_count,
            days.member_count / nullif(days.population_count, 0) as member_rate
        from told
        inner join {DAYS} as days on told.audience_id = days.audience_id and told.as_of_date = days.as_of_date
        order by told.priority, told.audience_id
        """
    )


def members_on(connection: DuckDBPyConnection, audience_id: str, as_of_date: date) -> list[str]:
    """Members of an audience on a day, sorted: of the last day worked out, where that one was not."""
    rows = connection.execute(
        f"select member_id from {MEMBERS} where audience_id = ? and valid_from <= ? and (valid_to is null or valid_to > ?) "
        "order by member_id nulls last",
        [audience_id, as_of_date, as_of_date],
    ).fetchall()
    return [member for (member,) in rows]


def days_worked_out(connection: DuckDBPyConnection) -> list[date]:
    rows = connection.execute(f"select distinct as_of_date from {DAYS} order by 1 nulls last").fetchall()
    return [day for (day,) in rows]


def _stage(connection: DuckDBPyConnection, day: Day) -> None:
    """Temporary tables `incoming_days` (what was worked out, with its neighbours) and `incoming_members`."""
    connection.execute("create or replace temp table incoming_members (audience_id varchar, member_id varchar)")
    if day.members:
        audience_ids, member_ids = (list(column) for column in zip(*day.members, strict=True))
        connection.execute("insert into incoming_members select unnest(?), unnest(?)", [audience_ids, member_ids])
    connection.execute(
        "create or replace temp table told_days (audience_id varchar, rule_version varchar, status varchar)"
    )
    told = [(name, day.versions[name], state.status) for name, state in sorted(day.states.items())]
    if told:
        connection.executemany("insert into told_days values (?, ?, ?)", told)
    # Nobody defines them any more, and somebody is still in them.
    connection.execute(
        f"""
        insert into told_days
        select audience_id, max_by(rule_version, as_of_date), '{REMOVED}' from {DAYS}
        where audience_id not in (select audience_id from told_days)
        group by audience_id
        having max(as_of_date) < $day and max_by(status, as_of_date) <> '{REMOVED}'
        """,
        {"day": day.as_of_date},
    )
    connection.execute(
        f"""
        create or replace temp table incoming_days as
        select told_days.*, $day as as_of_date, $population as population_count,
            (select min(days.as_of_date) from {DAYS} as days
                where days.audience_id = told_days.audience_id and days.as_of_date > $day) as next_date
        from told_days
        """,
        {"day": day.as_of_date, "population": day.population_count},
    )


# Stays that touch the stretch are cut at its ends, the stretch is filled anew, and what then meets is joined again.
_RECORD = f"""
    create or replace temp table touched as
    select stays.* from {MEMBERS} as stays
    inner join incoming_days as days on stays.audience_id = days.audience_id
    where (stays.valid_to is null or stays.valid_to >= days.as_of_date)
        and (days.next_date is null or stays.valid_from <= days.next_date);

    delete from {MEMBERS} as stays using incoming_days as days
    where stays.audience_id = days.audience_id
        and (stays.valid_to is null or stays.valid_to >= days.as_of_date)
        and (days.next_date is null or stays.valid_from <= days.next_date);

    insert into {MEMBERS} by name
    with pieces as (
        select touched.audience_id, touched.member_id, touched.rule_version, touched.valid_from,
            least(coalesce(touched.valid_to, days.as_of_date), days.as_of_date) as valid_to
        from touched inner join incoming_days as days on touched.audience_id = days.audience_id
        where touched.valid_from < days.as_of_date
        union all
        select touched.audience_id, touched.member_id, touched.rule_version,
            greatest(touched.valid_from, days.next_date), touched.valid_to
        from touched inner join incoming_days as days on touched.audience_id = days.audience_id
        where days.next_date is not null and (touched.valid_to is null or touched.valid_to > days.next_date)
        union all
        select days.audience_id, incoming_members.member_id, days.rule_version, days.as_of_date, days.next_date
        from incoming_members inner join incoming_days as days on incoming_members.audience_id = days.audience_id
    ),
    marked as (
        select *,
            case when lag(valid_to) over stays is distinct from valid_from or lag(rule_version) over stays <> rule_version
                then 1 else 0 end as is_start
        from pieces
        window stays as (partition by audience_id, member_id order by valid_from nulls last)
    ),
    numbered as (
        select *, sum(is_start) over (
            partition by audience_id, member_id order by valid_from nulls last rows unbounded preceding
        ) as stay_number
        from marked
    )
    select audience_id, member_id, rule_version, min(valid_from) as valid_from,
        case when count(valid_to) = count(*) then max(valid_to) end as valid_to
    from numbered
    group by audience_id, member_id, rule_version, stay_number
    order by audience_id, member_id, valid_from;
"""

# Counts of the day and of the one after it, whose entries and exits are told against this one.
_COUNT = (
    f"delete from {DAYS} as kept using incoming_days as days "
    "where kept.audience_id = days.audience_id and kept.as_of_date = days.as_of_date",
    f"""
    insert into {DAYS} by name
    select audience_id, rule_version, status, population_count, as_of_date from incoming_days order by audience_id
    """,
    f"""
    update {DAYS} as kept set
        member_count = (select count(*) from {MEMBERS} as stays where stays.audience_id = kept.audience_id
            and stays.valid_from <= kept.as_of_date and (stays.valid_to is null or stays.valid_to > kept.as_of_date)),
        entry_count = (select count(*) from {MEMBERS} as stays where stays.audience_id = kept.audience_id
            and stays.valid_from = kept.as_of_date),
        exit_count = (select count(*) from {MEMBERS} as stays where stays.audience_id = kept.audience_id
            and stays.valid_to = kept.as_of_date),
        is_rule_changed = coalesce((select max_by(earlier.rule_version, earlier.as_of_date) from {DAYS} as earlier
            where earlier.audience_id = kept.audience_id and earlier.as_of_date < kept.as_of_date)
            <> kept.rule_version, false)
    from incoming_days as days
    where kept.audience_id = days.audience_id
        and (kept.as_of_date = days.as_of_date or kept.as_of_date = days.next_date)
    """,
)
