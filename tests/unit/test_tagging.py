"""The catalogue of tags for people: past values with their drift, what ought to be put in order, the commands that print it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from orchestration import build_file, cli, publishing, tagging, warehouse
from orchestration.settings import Settings, load_settings
from orchestration.tagging import Finding, UnknownTag

CUT = date(2026, 3, 1)
MEMBERS = 400


def tables(connection: duckdb.DuckDBPyConnection) -> None:
    """A warehouse of 400 members: `b` and `c` are twice and minus `a`, `flag` and `same_flag` agree, `steady` never varies."""
    connection.execute(f"""
        create schema tags; create schema ops; create schema segments;
        create table ops.load_batches as select 1 as batch;
        create table tags.tags_small_history as select * from (values
            ('m1', 5, 10, 8.0::double, date '2026-02-01', date '2026-02-11'), ('m1', 6, 0, 4.0, date '2026-02-11', null),
            ('m2', 1, null, null, date '2026-02-01', date '2026-02-21'))
            v(member_id, a, days_since, interest, valid_from, valid_to);
        create table tags.member_tags as
            select 'm' || i as member_id, hash(i) % 1000 as a, 2 * (hash(i) % 1000) as b, -1 * cast(hash(i) % 1000 as bigint) as c,
                hash(i, 1) % 1000 as other, hash(i) % 2 = 0 as flag, hash(i) % 2 = 0 as same_flag, hash(i) % 3 = 0 as own_flag,
                ['x', 'y', 'z'][cast(hash(i) % 3 + 1 as bigint)] as word,
                ['p', 'q', 'r'][cast(hash(i) % 3 + 1 as bigint)] as same_word, 7 as steady,
                cast(null as integer) as nobody, cast(null as integer) as unsupplied, 1 as days_since, 1.0::double as interest,
                date '{CUT}' as as_of_date
            from range({MEMBERS}) as r(i);
        create table tags.tag_catalogue as
            select tag_code, value_type, drift, half_life_days, is_supplied, covered, distincts,
                'small' as family_code, '标签' || tag_code as label_zh, 'Tag ' || tag_code as label_en, 'count' as kind, '' as unit,
                cast(null as integer) as window_days, 1.0 as coverage_rate, 1.0 as mean_value, 0.0 as population_stability_index,
                'team' as owner, {MEMBERS} as member_count, covered as covered_member_count, distincts as distinct_value_count,
                case when tag_code = 'other' then date '2026-02-28' end as expires_on
            from (values
                ('a', 'integer', 'none', null, true, 400, 300), ('b', 'integer', 'none', null, true, 400, 300),
                ('c', 'integer', 'none', null, true, 400, 300), ('other', 'integer', 'none', null, true, 400, 300),
                ('flag', 'boolean', 'none', null, true, 400, 2), ('same_flag', 'boolean', 'none', null, true, 400, 2),
                ('own_flag', 'boolean', 'none', null, true, 400, 2), ('word', 'text', 'none', null, true, 400, 3),
                ('same_word', 'text', 'none', null, true, 400, 3), ('steady', 'integer', 'none', null, true, 400, 1),
                ('nobody', 'integer', 'none', null, true, 0, 0), ('unsupplied', 'integer', 'none', null, false, 0, 0),
                ('days_since', 'integer', 'elapsed', null, true, 400, 1), ('interest', 'rate', 'decay', 10, true, 400, 1))
                v(tag_code, value_type, drift, half_life_days, is_supplied, covered, distincts);
        update tags.tag_catalogue set label_en = 'Tag a' where tag_code = 'other';
        create table tags.tag_versions as select tag_code, date '2025-11-01' as valid_from from tags.tag_catalogue;
        update tags.tag_versions set valid_from = date '2026-02-01' where tag_code = 'own_flag';
        create table tags.tag_distributions as select 'word' as tag_code, 'x' as value_bin, 400 as member_count, d as as_of_date
            from (values (date '2026-02-01'), (date '2026-03-01')) v(d);
        create table tags.tag_values as select 'word' as tag_code, 'x' as value_code, '甲' as label_zh, 'ex' as label_en;
        create table segments.audience_catalogue as select '{{"tag": "a"}}' as rule;
    """)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    tables(connection)
    return connection


def value(connection: duckdb.DuckDBPyConnection, code: str, day: date) -> dict[str, object]:
    return {row[0]: row[1] for row in tagging.value_on(connection, code, day).fetchall()}


@pytest.mark.parametrize(
    ("code", "day", "expected"),
    [
        ("a", date(2026, 1, 31), {}),
        ("a", date(2026, 2, 1), {"m1": 5, "m2": 1}),
        ("a", date(2026, 2, 10), {"m1": 5, "m2": 1}),
        ("a", date(2026, 2, 11), {"m1": 6, "m2": 1}),
        ("a", date(2026, 2, 21), {"m1": 6}),
        ("days_since", date(2026, 2, 4), {"m1": 13, "m2": None}),
        ("interest", date(2026, 2, 11), {"m1": 4.0, "m2": None}),
        ("interest", date(2026, 2, 21), {"m1": 2.0}),
    ],
)
def test_a_tag_on_a_past_day(
    connection: duckdb.DuckDBPyConnection, code: str, day: date, expected: dict[str, object]
) -> None:
    assert value(connection, code, day) == expected


def test_an_unknown_tag_is_named_with_a_near_one(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UnknownTag, match=r"'own_flg'.*did you mean own_flag"):
        tagging.value_on(connection, "own_flg", CUT)


def test_what_ought_to_be_put_in_order(connection: duckdb.DuckDBPyConnection) -> None:
    found = tagging.findings(connection, {"a", "b", "word"}, CUT)
    pairs = {(f.rule, f.tag_code, f.other_tag_code) for f in found if f.other_tag_code}
    assert pairs == {
        ("duplicate", "a", "b"),
        ("duplicate", "a", "c"),
        ("duplicate", "b", "c"),
        ("duplicate", "flag", "same_flag"),
        ("duplicate", "same_word", "word"),
        ("shared_label", "a", "other"),
    }
    alone = {(f.rule, f.tag_code) for f in found if not f.other_tag_code}
    assert {("constant", "steady"), ("uncovered", "nobody"), ("uncovered", "unsupplied"), ("expired", "other")} <= alone
    unused = {code for rule, code in alone if rule == "unused"}
    assert "c" in unused and not unused & {"a", "b", "word"}, "what audiences speak of is used"
    assert "own_flag" not in unused, "a month old is too young to be called unused"
    assert Finding("expired", "other", None, "was to be used until 2026-02-28; take it out or move `expires`") in found


@given(st.integers(0, 2**32 - 1))
def test_correlations_are_those_of_pandas(seed: int) -> None:
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(60, 5)))
    frame[5] = frame[0] * 3 + 1
    frame[6] = 2.0
    frame = frame.mask(generator.random(frame.shape) < 0.2)
    expected = frame.corr(min_periods=30).fillna(0).to_numpy()
    ours = tagging._correlations(frame.to_numpy())
    np.testing.assert_allclose(ours[:6, :6], expected[:6, :6], atol=1e-6)
    assert not ours[6].any(), "a column that does not vary is like no other"


def test_agreement_and_jaccard_by_hand() -> None:
    codes = np.array([[0, 5], [0, 5], [1, 6], [1, 5]])
    assert tagging._agreement(codes)[0, 1] == 0.75
    assert tagging._jaccard(np.array([[1.0, 1], [1, 0], [0, 1], [0, 0]]))[0, 1] == 1 / 3


# ---- commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("TESSERA_BRAND", raising=False)
    (tmp_path / "brands" / "shop").mkdir(parents=True)
    (tmp_path / "brands" / "shop" / "brand.yml").touch()
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    settings = load_settings("shop")
    with warehouse.writer(settings.build_file) as connection:
        tables(connection)
        connection.execute("""
            create view tags.member_tags_long as
                select member_id, 'a' as tag_code, cast(a as varchar) as tag_value from build.tags.member_tags;
            comment on view tags.member_tags_long is 'Rows.';
            create view tags.tag_history as select * from "build"."tags"."tags_small_history"
        """)
    extra = {"as_of_date": CUT, "known_at": datetime(2026, 3, 1, tzinfo=UTC), "input_fingerprint": "f"}
    staged = publishing.stage_publication(settings, schemas=("tags", "segments", "ops"), manifest_extra=extra)
    publishing.promote(staged, {"passed": 1, "failed": 0, "warned": 0})
    return settings


def tags(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["tags", *arguments, "--brand", "shop"])


@pytest.mark.usefixtures("settings")
def test_the_commands() -> None:
    listed = json.loads(tags("list", "flag", "--format", "json").stdout)
    assert [row["tag_code"] for row in listed] == ["flag", "own_flag", "same_flag"]
    shown = tags("show", "word").stdout
    assert "标签word" in shown and "甲" in shown
    past = json.loads(tags("history", "a", "--as-of", "2026-02-10", "--member", "m1", "--format", "json").stdout)
    assert [row["tag_value"] for row in past] == [5]
    checked = json.loads(tags("check", "--rule", "unused", "--format", "json").stdout)
    assert "a" not in {row["tag_code"] for row in checked} and "b" in {row["tag_code"] for row in checked}


@pytest.mark.usefixtures("settings")
def test_wrong_questions_get_a_remedy() -> None:
    unknown = tags("show", "wrd")
    assert unknown.exit_code == 2 and "did you mean word" in unknown.output
    early = tags("history", "a", "--as-of", "2026-01-01")
    assert early.exit_code == 2 and "tessera rebuild --as-of 2026-01-01" in early.output
    quoted = tags("history", "a", "--as-of", "2026-02-10", "--member", "x' or true --", "--format", "json")
    assert json.loads(quoted.stdout) == [], "a member's id is a text, whatever it holds"


def test_views_stay_views_that_read_the_published_file(settings: Settings) -> None:
    settings.build_file.unlink()
    with warehouse.read_only(settings.published_file) as connection:
        kinds = dict(connection.execute("select view_name, comment from duckdb_views() where not internal").fetchall())
        rows = connection.execute("select count(*) from tags.member_tags_long").fetchone()
    assert kinds == {"member_tags_long": "Rows.", "tag_history": None} and rows == (MEMBERS,)
    with duckdb.connect() as other:
        other.execute(f"attach '{settings.published_file}' as shop (read_only)")
        assert other.execute("select count(*) from shop.tags.tag_history").fetchone() == (3,)


def test_a_new_build_file_takes_the_past_from_the_publication(settings: Settings) -> None:
    settings.build_file.unlink()
    with warehouse.writer(settings.build_file) as connection:
        brought = build_file.restore_history(connection, settings.published_file)
        assert brought == ["tags.tag_distributions", "tags.tag_versions", "tags.tags_small_history"]
        assert connection.execute("select count(*) from tags.tags_small_history").fetchone() == (3,)
        assert build_file.restore_history(connection, settings.published_file) == [], (
            "a file with tables has its own past"
        )


def test_without_a_publication_there_is_nothing_to_restore(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        assert build_file.restore_history(connection, tmp_path / "none.duckdb") == []


def test_the_days_that_were_kept(connection: duckdb.DuckDBPyConnection) -> None:
    assert tagging.days_kept(connection) == (CUT - timedelta(days=28), CUT)
