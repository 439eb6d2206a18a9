"""CDNOW on its real data: counts and money measured on the file itself; and first mappings of data nobody has mapped."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.brands import load_brand, load_brand_config
from orchestration.landing.land import land, pending
from orchestration.landing.mapping import check_sources
from orchestration.landing.propose.proposal import SAMPLE_ROWS, Wishes, propose_file
from orchestration.settings import PROJECT_ROOT, load_settings
from orchestration.warehouse import scratch

SHARED = PROJECT_ROOT.parent / "shared" / "data"


def _skip_without(folder: str) -> None:
    if not (SHARED / folder).is_dir():
        pytest.skip(f"{folder} is not beside the project (../shared/data)")


@pytest.mark.slow
def test_cdnow_keeps_every_order(tmp_path: Path) -> None:
    _skip_without("cdnow")
    settings = load_settings("cdnow", {"TESSERA_HOME": str(tmp_path), "TESSERA_SOURCES": str(SHARED)})
    brand = load_brand(settings)
    check_sources(settings, brand)
    (batch,) = land(settings, brand, "order_lines")
    assert pending(settings, brand) == []
    assert (batch.rows_in, batch.rows_landed, batch.rows_quarantined) == (69_659, 69_659, 0)
    assert batch.cleaning_rule_hits == {
        "price_zero": 80,
        "customer_date_repeated": 2_068,
        "order_repeated": 255,
        "customer_zero_padded": 31_031,
    }
    with scratch() as connection:
        found = connection.execute(
            """select count(distinct order_key), count(distinct member_key), sum(line_amount),
                min(ordered_at at time zone 'America/New_York')::varchar,
                max(ordered_at at time zone 'America/New_York')::varchar, count(*) filter (where length(member_key) <> 5)
            from read_parquet(?)""",
            [f"{settings.lake}/raw/order_lines/*.parquet"],
        ).fetchone()
    assert found == (69_659, 23_570, Decimal("2500315.6300"), "1997-01-01 00:00:00", "1998-06-30 00:00:00", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "file", "wishes", "entity", "missing", "read"),
    [
        (
            "cdnow",
            "CDNOW_master.txt",
            Wishes(),
            "order_lines",
            ["order_key", "order_line_number", "product_code"],
            {"member_key": "customer_id", "ordered_at": "strptime(date, '%Y%m%d')", "line_amount": "dollar_value"},
        ),
        (
            "cdnow",
            "CDNOW_sample.txt",
            Wishes(columns=("customer_id", "sample_id", "date", "number_of_cds", "dollar_value"), entity="order_lines"),
            "order_lines",
            ["order_key", "order_line_number", "product_code"],
            {"quantity": "number_of_cds"},
        ),
        (
            "starbucks_promotion",
            "training.csv",
            Wishes(),
            "experiment_exposures",
            ["exposed_at"],
            {"member_key": "ID", "arm": "Promotion", "outcome_value": "purchase"},
        ),
        ("cookie_cats", "cookie_cats.csv", Wishes(), "experiment_exposures", ["exposed_at"], {"arm": "version"}),
    ],
)
def test_data_that_nobody_has_mapped(
    tmp_path: Path, folder: str, file: str, wishes: Wishes, entity: str, missing: list[str], read: dict[str, str]
) -> None:
    _skip_without(folder)
    settings = load_settings("cdnow", {"TESSERA_HOME": str(tmp_path), "TESSERA_SOURCES": str(SHARED)})
    found = propose_file(settings, load_brand_config(settings), Path(folder, file), wishes)
    assert found.guess.entity.name == entity
    assert found.missing == [f"{entity}.{name}" for name in missing]
    assert read.items() <= {name: guess.sql for name, guess in found.guess.guesses.items()}.items()
    assert found.problems == []
    assert found.trial.rows == found.trial.landed >= min(SAMPLE_ROWS, 6_919)
