"""What distinguishes an audience: the counting, against pandas; staff are in no base; wrong names get a remedy."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest

from orchestration.audiences.insight import InsightError, insight

MEMBERS = 600


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"""
        create schema tags; create schema segments;
        create table tags.member_tags as select 'm' || i as member_id, i >= 590 as is_staff_or_test,
            case when i % 4 = 0 then 'high' when i % 4 < 3 then 'low' end as level, i % 7 < 2 as is_keen,
            case when i % 5 = 0 then ['a', 'b'] when i % 5 = 1 then ['b'] end as words, 'same' as steady, i as number
        from range({MEMBERS}) as r(i);
        create table tags.tag_catalogue as select tag_code, value_type, true as is_supplied, 9 as covered_member_count, distincts
            as distinct_value_count, '标签' || tag_code as label_zh, 'Tag ' || tag_code as label_en
        from (values ('level', 'text', 2), ('is_keen', 'boolean', 2), ('words', 'list', 3), ('steady', 'text', 1), ('number', 'integer', 9))
            v(tag_code, value_type, distincts);
        create table tags.tag_values as select 'level' as tag_code, 'high' as value_code, '高' as label_zh, 'High' as label_en;
        create table segments.audience_catalogue as select unnest(['aud_keen', 'aud_other', 'aud_nobody']) as audience_id;
        create table segments.fct_audience_members as
            select 'aud_keen' as audience_id, 'm' || i as member_id, null::date as valid_to from range(0, 300, 4) as r(i)
            union all select 'aud_keen', 'm1', date '2026-01-01'
            union all select 'aud_other', 'm' || i, null from range(0, 400) as r(i)
    """)
    return connection


def test_counts_are_those_of_pandas(connection: duckdb.DuckDBPyConnection) -> None:
    found = insight(connection, "aud_keen").set_index(["tag_code", "tag_value"])
    tags = connection.execute("select * from tags.member_tags where not is_staff_or_test").df().set_index("member_id")
    group = tags.index.isin({f"m{i}" for i in range(0, 300, 4)})
    assert set(found.index.get_level_values(0)) == {"level", "is_keen", "words"}, "numbers and constants tell no shares"
    for value in ("high", "low"):
        has = tags["level"] == value
        row = found.loc[("level", value)]
        assert (row["group_members"], row["base_members"]) == ((has & group).sum(), has.sum())
        assert row["tgi"] == pytest.approx(100 * (has & group).sum() / group.sum() / (has.sum() / len(tags)))
    exploded = tags["words"].explode().dropna()
    assert found.loc[("words", "b")]["base_members"] == (exploded == "b").sum()
    assert found.loc[("level", "high")]["value_zh"] == "高" and found.loc[("is_keen", "true")]["value_zh"] == "true"
    assert found.loc[("level", "high")]["is_significant"] and not found.loc[("is_keen", "true")]["is_significant"]


def test_another_audience_as_the_base(connection: duckdb.DuckDBPyConnection) -> None:
    found = insight(connection, "aud_keen", "aud_other").set_index(["tag_code", "tag_value"])
    assert found.loc[("level", "high")]["base_members"] == 100
    assert isinstance(found, pd.DataFrame)


@pytest.mark.parametrize(
    ("group", "base", "message"),
    [
        ("aud_ken", None, "did you mean aud_keen"),
        ("aud_keen", "aud_othr", "did you mean aud_other"),
        ("aud_nobody", None, "has no members"),
    ],
)
def test_wrong_questions_get_a_remedy(
    connection: duckdb.DuckDBPyConnection, group: str, base: str | None, message: str
) -> None:
    with pytest.raises(InsightError, match=message):
        insight(connection, group, base)
