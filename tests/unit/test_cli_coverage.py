"""`tessera coverage`: what is read of the published file, whichever columns it has. The counts are tested in dbt."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestration import cli, publishing, warehouse
from orchestration.settings import Settings, load_settings

ENTITIES = """
    create table ops.entity_coverage as
    select * from (values
        ('orders', '订单', 'Orders', true, 120::bigint, date '2026-01-02', '订单状态'),
        ('reviews', '评价', 'Reviews', false, 0, null, '口碑')
    ) v(entity, label_zh, label_en, is_present, row_count, last_date, enables_zh)
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A brand `shop`, nothing published."""
    monkeypatch.delenv("TESSERA_BRAND", raising=False)
    (tmp_path / "brands" / "shop").mkdir(parents=True)
    (tmp_path / "brands" / "shop" / "brand.yml").touch()
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    return load_settings("shop")


def publish(settings: Settings, *statements: str) -> None:
    settings.build_file.unlink(missing_ok=True)
    with warehouse.writer(settings.build_file) as connection:
        connection.execute("create schema ops; create table ops.load_batches as select 1 as batch")
        for statement in statements:
            connection.execute(statement)
    extra = {"as_of_date": date(2026, 1, 3), "known_at": datetime(2026, 1, 3, tzinfo=UTC), "input_fingerprint": "f"}
    staged = publishing.stage_publication(settings, schemas=("ops",), manifest_extra=extra)
    publishing.promote(staged, {"passed": 1, "failed": 0, "warned": 0})


def coverage(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["coverage", "--brand", "shop", *arguments])


def test_before_the_first_publication_it_says_what_to_run(settings: Settings) -> None:
    result = coverage()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "tessera run --brand shop" in result.stderr


def test_a_version_without_coverage_says_what_to_run(settings: Settings) -> None:
    publish(settings)
    result = coverage()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no ops.entity_coverage and no ops.tracking_coverage" in result.stderr


def test_the_table_has_both_languages(settings: Settings) -> None:
    publish(settings, ENTITIES)
    result = coverage()
    assert result.exit_code == 0
    assert "ops.tracking_coverage" in result.stderr
    for text in ("契约覆盖", "实体", "entity", "行数", "row_count", "订单", "Orders", "false"):
        assert text in result.stdout


def test_data_formats_give_every_column(settings: Settings) -> None:
    publish(settings, ENTITIES, "create table ops.tracking_coverage as select 'view' as event_name, 3 as surprise")
    document = json.loads(coverage("-f", "json").stdout)
    assert document["tracking_coverage"] == [{"event_name": "view", "surprise": 3}]
    assert document["entity_coverage"][0]["row_count"] == 120
    rows = list(csv.DictReader(io.StringIO(coverage("-f", "csv", "--of", "entities").stdout)))
    assert [row["entity"] for row in rows] == ["orders", "reviews"]
    assert coverage("-f", "csv").exit_code == 2
    assert "surprise" not in coverage("--of", "events").stdout
    assert "surprise" in coverage("--of", "events", "--all").stdout
