"""Exports: who may leave, in which form, the same bytes for the same id, and a delta that leads from one day to the next."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.audiences import export as exporting
from orchestration.audiences import grammar
from orchestration.audiences.definitions import Audience, AudienceError, Availability
from orchestration.audiences.destinations import Destination, Identifier, load_destinations
from orchestration.audiences.export import ExportError, Request, export_audience, problems_of
from orchestration.audiences.membership import Day, record
from orchestration.audiences.tables import TABLES
from orchestration.settings import Settings, load_settings

DAY = date(2026, 6, 30)
RULE = grammar.parse_rule({"tag": "n", "at_least": 1})
AUDIENCE = Audience("aud_x", "甲", "X", "g", "o", ("sms", "ad_platform"), 1, RULE, RULE, "brand", "f.yml", "tag: n")
SMS = Destination(
    label_zh="短信",
    label_en="SMS",
    channel="sms",
    purpose="marketing",
    identifiers=[
        Identifier(column="phone_sha256", identifier="phone", form="e164", hash="sha256"),
        Identifier(column="phone_md5", identifier="phone", form="national", hash="md5"),
        Identifier(column="email_sha256", identifier="email", form="address", hash="sha256"),
    ],
)
MEMBERS = [f"m{n:02d}" for n in range(40)]


def phone(n: int) -> str:
    return f"+8613900000{n:03d}"


def hashed(n: int) -> str:
    return hashlib.sha256(phone(n).encode()).hexdigest()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "brands" / "shop").mkdir(parents=True)
    (tmp_path / "brands" / "shop" / "brand.yml").touch()
    return load_settings("shop", {"TESSERA_BRANDS": str(tmp_path / "brands"), "TESSERA_HOME": str(tmp_path / "home")})


@pytest.fixture
def connection():
    with duckdb.connect(":memory:") as opened:
        for schema in ("segments", "marts", "staging", "intermediate", "restricted"):
            opened.execute(f"create schema {schema}")
        for table, columns in TABLES.items():
            opened.execute(f"create table {table} ({', '.join(f'{n} {t}' for n, t in columns.items())})")
        opened.execute(
            "create table intermediate.int_clocks_resolved as select timestamptz '2026-06-30 01:00:00+00' as known_at"
        )
        opened.execute("create table intermediate.int_accounts_resolved (account_id varchar, member_id varchar)")
        opened.execute(
            "create table staging.stg_members (account_id varchar, phone varchar, email varchar, is_deleted boolean, loaded_at timestamptz)"
        )
        opened.execute(
            "create table marts.dim_consents_history "
            "(member_id varchar, channel varchar, purpose varchar, is_granted boolean, is_current boolean)"
        )
        for n, member in enumerate(MEMBERS):
            opened.execute("insert into intermediate.int_accounts_resolved values (?, ?)", [f"a{n}", member])
            email = None if n % 2 else f"u{n}@shop.cn"
            opened.execute(
                "insert into staging.stg_members values (?, ?, ?, false, ?)",
                [f"a{n}", phone(n), email, datetime(2026, 1, 1, tzinfo=UTC)],
            )
            consent(opened, member, n % 4 != 0)
        yield opened


def consent(
    connection: duckdb.DuckDBPyConnection,
    member: str,
    is_granted: bool,
    channel: str = "sms",
    purpose: str = "marketing",
) -> None:
    connection.execute(
        "insert into marts.dim_consents_history values (?, ?, ?, ?, true)", [member, channel, purpose, is_granted]
    )


def hold(connection: duckdb.DuckDBPyConnection, members: list[str], day: date = DAY) -> None:
    record(
        connection,
        Day(day, 50, {"aud_x": Availability("ready")}, {"aud_x": "v1"}, [("aud_x", m) for m in sorted(members)]),
    )


def request(**changes) -> Request:
    return replace(Request(AUDIENCE, "sms", SMS, "csv"), **changes)


def rows_of(exported, name: str = "members") -> list[tuple]:
    manifest = exported.manifest
    columns = [column["name"] for column in manifest["schema"]]
    return exporting._read_rows(exported.folder / f"{name}.{manifest['format']}", manifest["format"], columns)


def test_only_who_agreed_leaves_and_everybody_is_accounted_for(connection, settings) -> None:
    hold(connection, MEMBERS)
    exported = export_audience(connection, settings, request(holdout_percent=20))
    counts = exported.manifest["counts"]
    assert counts["members"] == 40 and counts["without_consent"] == 10
    assert counts["members"] == sum(exporting.shares(counts).values())
    sent = {row[0] for row in rows_of(exported)}
    assert sent.isdisjoint({hashed(n) for n in range(0, 40, 4)})
    held = {
        n
        for n, m in enumerate(MEMBERS)
        if int(hashlib.md5(f"holdout:{m}".encode()).hexdigest()[:8], 16) < round(0.2 * 2**32)
    }
    assert counts["held_out"] == len([n for n in held if n % 4]) > 0
    assert sent == {hashed(n) for n in range(40) if n % 4 and n not in held}


def test_identifiers_are_hashed_by_the_platforms_rule(connection, settings) -> None:
    hold(connection, ["m02"])
    (row,) = rows_of(export_audience(connection, settings, request()))
    assert row == (
        hashlib.sha256(b"+8613900000002").hexdigest(),
        hashlib.md5(b"13900000002").hexdigest(),
        hashlib.sha256(b"u2@shop.cn").hexdigest(),
    )


def test_without_a_decision_nobody_leaves(connection, settings) -> None:
    hold(connection, MEMBERS)
    other = SMS.model_copy(update={"purpose": "advertising"})
    exported = export_audience(connection, settings, request(destination=other, destination_name="ad_platform"))
    assert rows_of(exported) == [] and exported.manifest["counts"]["without_consent"] == 40


def test_a_refusal_of_all_channels_wins(connection, settings) -> None:
    hold(connection, ["m01", "m02"])
    consent(connection, "m01", False, channel="all")
    assert {row[0] for row in rows_of(export_audience(connection, settings, request()))} == {hashed(2)}


def test_a_phone_shared_with_somebody_who_refused_stays(connection, settings) -> None:
    hold(connection, ["m01", "m03"])
    connection.execute(
        "update staging.stg_members set phone = ? where account_id = 'a0'", [phone(1)]
    )  # m00 has refused
    exported = export_audience(connection, settings, request())
    assert {row[0] for row in rows_of(exported)} == {hashed(3)}
    assert exported.manifest["counts"]["without_identifier"] == 1


def test_two_members_of_one_phone_are_one_row(connection, settings) -> None:
    hold(connection, ["m01", "m03"])
    connection.execute("update staging.stg_members set phone = ? where account_id = 'a1'", [phone(3)])
    exported = export_audience(connection, settings, request())
    assert len(rows_of(exported)) == 1 and exported.manifest["counts"]["sharing_a_row"] == 1


@pytest.mark.parametrize("format_", exporting.FORMATS)
def test_the_same_id_is_the_same_bytes(connection, settings, format_: str) -> None:
    hold(connection, MEMBERS)
    first = export_audience(connection, settings, request(format=format_))
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    again = export_audience(connection, settings, request(format=format_))
    assert (first.is_new, again.is_new) == (True, False)
    (first.folder / f"members.{format_}").write_bytes(b"spoilt")
    assert problems_of(first.folder)
    mended = export_audience(connection, settings, request(format=format_))
    assert mended.is_new and mended.manifest["export_id"] == first.manifest["export_id"]
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before
    assert problems_of(first.folder) == []


@pytest.mark.parametrize("format_", exporting.FORMATS)
def test_a_delta_leads_from_one_day_to_the_next(connection, settings, format_: str) -> None:
    hold(connection, MEMBERS[:20])
    one = export_audience(connection, settings, request(format=format_))
    hold(connection, MEMBERS[10:30], DAY + timedelta(1))
    two = export_audience(connection, settings, request(format=format_))
    old, new = set(rows_of(one)), set(rows_of(two))
    assert (old - set(rows_of(two, "removes"))) | set(rows_of(two, "adds")) == new != old
    assert two.manifest["previous_export_id"] == one.manifest["export_id"]
    # The first day again is still what it was.
    assert export_audience(connection, settings, request(format=format_), DAY).manifest == one.manifest


def test_a_consent_withdrawn_since_leaves_the_delta_as_a_removal(connection, settings) -> None:
    hold(connection, ["m01", "m02"])
    export_audience(connection, settings, request())
    hold(connection, ["m01", "m02"], DAY + timedelta(1))
    consent(connection, "m01", False, channel="all")
    two = export_audience(connection, settings, request())
    assert [row[0] for row in rows_of(two, "removes")] == [hashed(1)]


def test_no_member_and_no_plain_value_is_in_any_file(connection, settings) -> None:
    hold(connection, MEMBERS)
    exported = export_audience(connection, settings, request(format="jsonl"))
    text = "".join(path.read_text(encoding="utf-8") for path in exported.folder.iterdir())
    assert not any(secret in text for secret in ["13900000", "@shop.cn", '"m0', "m01"])
    manifest = json.loads((exported.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["consent"] == {"channel": "sms", "purpose": "marketing", "as_of": "known_at"}


def test_what_may_not_leave_says_why(connection, settings) -> None:
    with pytest.raises(ExportError, match="not been worked out yet"):
        export_audience(connection, settings, request())
    hold(connection, MEMBERS)
    with pytest.raises(ExportError, match="allowed_uses are sms, ad_platform"):
        export_audience(connection, settings, request(destination_name="email"))
    with pytest.raises(ExportError, match="audience backfill --from 2026-01-01"):
        export_audience(connection, settings, request(), date(2026, 1, 1))
    with pytest.raises(ExportError, match="did you mean sms"):
        exporting.destination_of({"sms": SMS}, "smss")


def test_destinations_of_a_brand_take_the_place_of_shared_ones(settings) -> None:
    assert {"sms", "ad_platform"} <= load_destinations(settings).keys()
    file = settings.brand_dir / "destinations.yml"
    file.write_text(
        "sms: {label_zh: 短, label_en: S, channel: sms, purpose: service, "
        "identifiers: [{column: p, identifier: phone, form: digits, hash: md5}]}\n",
        encoding="utf-8",
    )
    assert load_destinations(settings)["sms"].purpose == "service"
    file.write_text(
        "sms: {label_zh: 短, label_en: S, channel: sms, purpose: x, identifiers: [{column: p, identifier: phone, form: e164}]}"
    )
    with pytest.raises(
        AudienceError, match=r"shop/destinations.yml: sms.identifiers.0: hash goes with every form but stored"
    ):
        load_destinations(settings)
