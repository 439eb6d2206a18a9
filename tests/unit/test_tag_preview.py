"""What an edited declaration changes is counted against the file of before."""

from __future__ import annotations

import duckdb

from orchestration.tag_preview import AudienceChange, TagChange, compare_audiences, compare_tags


def test_tags_that_differ() -> None:
    connection = duckdb.connect()
    connection.execute("""
        attach ':memory:' as before;
        create schema tags; create schema before.tags;
        create table before.tags.member_tags as select * from (values
            ('m1', 1, null, ['a'], date '2026-01-01'), ('m2', 2, 5, ['b'], date '2026-01-01'))
            v(member_id, same, gone, words, as_of_date);
        create table tags.member_tags as select * from (values
            ('m1', 1, true, ['a', 'b'], date '2026-01-01'), ('m2', 2, null, ['b'], date '2026-01-01'))
            v(member_id, same, fresh, words, as_of_date);
    """)
    assert compare_tags(connection) == [
        TagChange("fresh", "added", 1, 0.5),
        TagChange("gone", "removed", 1, 0.5),
        TagChange("words", "changed", 1, 0.5),
    ]


def test_audiences_whose_members_move() -> None:
    before = [("a", "m1"), ("a", "m2"), ("b", "m1"), ("c", "m1"), ("d", "m9")]
    after = [("a", "m2"), ("a", "m3"), ("b", "m1"), ("c", "m1"), ("c", "m2")]
    statuses = {"a": "ready", "b": "ready", "c": "ready", "d": "unavailable"}
    assert compare_audiences(before, after, statuses) == [
        AudienceChange("a", 2, 2, 1, 1, "ready"),
        AudienceChange("c", 1, 2, 1, 0, "ready"),
        AudienceChange("d", 1, 0, 0, 1, "unavailable"),
    ]


def test_nothing_changed_is_nothing_said() -> None:
    assert compare_audiences([("a", "m1")], [("a", "m1")], {"a": "ready"}) == []
