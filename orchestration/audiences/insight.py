"""What distinguishes an audience: how often each value of each tag is among its members and in a base.

The counting is SQL on a published or build file; the figures are `ml.insight`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml.insight.target_group_index import target_group_index
from orchestration.warehouse import quoted

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

# Fewer members with a value tell little of anybody, and something of each of them.
LEAST_MEMBERS = 20


class InsightError(LookupError):
    """There is nothing to compare; str() says why."""


def insight(connection: DuckDBPyConnection, audience_id: str, base_id: str | None = None) -> pd.DataFrame:
    """One row per tag and value that at least twenty members of the base have, the strongest first.

    The group are the members of the audience now. The base are all members, or those of another audience together with the
    group's, so that the group is part of it. Of lists each item is a value. Columns: tag_code, label_zh, label_en, tag_value,
    value_zh, value_en, group_members, base_members and those of `target_group_index`. Raises InsightError.
    """
    group_count, base_count = compare(connection, audience_id, base_id)
    counts = connection.execute(_counts_sql(connection)).df()
    figures = target_group_index(counts, group_count, base_count)
    return figures.sort_values(
        ["is_significant", "tgi", "tag_code", "tag_value"], ascending=[False, False, True, True], ignore_index=True
    )


def compare(connection: DuckDBPyConnection, audience_id: str, base_id: str | None) -> tuple[int, int]:
    """Make the temporary table `compared` (member_id, is_in_group) of a base; members of the group and of the base.

    The base are all members, or those of another audience together with the group's. Raises InsightError.
    """
    check_published(connection, audience_id)
    if base_id is not None:
        check_published(connection, base_id)
    parameters = {"audience": audience_id, "base": base_id}
    # Staff and testers are in no audience, so they are in no base either.
    population = (
        "select member_id from tags.member_tags where not is_staff_or_test"
        if base_id is None
        else "select distinct member_id from segments.fct_audience_members where audience_id in ($base, $audience) and valid_to is null"
    )
    connection.execute(
        f"""
        create or replace temp table compared as
        select population.member_id, members.member_id is not null as is_in_group
        from ({population}) as population
        left join (
            select member_id from segments.fct_audience_members where audience_id = $audience and valid_to is null
        ) as members on population.member_id = members.member_id
        """,  # noqa: S608, one of two texts of our own
        {name: value for name, value in parameters.items() if value is not None},
    )
    group_count, base_count = connection.execute(
        "select count(*) filter (where is_in_group), count(*) from compared"
    ).fetchone() or (0, 0)
    if not group_count:
        raise InsightError(f"{audience_id} has no members now")
    return group_count, base_count


def check_published(connection: DuckDBPyConnection, audience_id: str) -> None:
    """Raises InsightError with the nearest name where no such audience is published."""
    known = [
        row[0]
        for row in connection.execute("select audience_id from segments.audience_catalogue order by 1").fetchall()
    ]
    if audience_id not in known:
        from orchestration.brands import suggest

        raise InsightError(f"no audience {audience_id!r} is published; {suggest(audience_id, known)}")


def _counts_sql(connection: DuckDBPyConnection) -> str:
    """One query over all tags whose values are words, yes or no, or lists of words."""
    tags = connection.execute(
        """
        select tag_code, value_type from tags.tag_catalogue
        where value_type in ('text', 'boolean', 'list') and is_supplied and covered_member_count > 0 and distinct_value_count > 1
        order by tag_code
        """
    ).fetchall()
    if not tags:
        raise InsightError("no tag has words for values")
    branches = " union all ".join(
        f"select '{code}' as tag_code, "  # noqa: S608, codes are checked where tags are declared
        + (f"unnest({quoted(code)})" if kind == "list" else f"cast({quoted(code)} as varchar)")
        + " as tag_value, member_id from tags.member_tags"
        for code, kind in tags
    )
    return f"""
        select valued.tag_code, catalogue.label_zh, catalogue.label_en, valued.tag_value,
            coalesce(named.label_zh, valued.tag_value) as value_zh, coalesce(named.label_en, valued.tag_value) as value_en,
            count(*) filter (where compared.is_in_group) as group_members, count(*) as base_members
        from ({branches}) as valued
        inner join compared on valued.member_id = compared.member_id
        inner join tags.tag_catalogue as catalogue on valued.tag_code = catalogue.tag_code
        left join tags.tag_values as named on valued.tag_code = named.tag_code and valued.tag_value = named.value_code
        where valued.tag_value is not null
        group by all
        having count(*) >= {LEAST_MEMBERS}
        order by valued.tag_code, valued.tag_value
    """  # noqa: S608, codes are checked where tags are declared
