"""Wrong input through the command itself: exit code and message. What landing says of a file: tests/unit/landing."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_brand
from pipeline import Home, Outcome, new_home

pytestmark = pytest.mark.slow


@pytest.fixture
def fresh(shop: small_brand.Shop, tmp_path: Path) -> Home:
    """A home in which nothing has run, with a week of orders."""
    return new_home(tmp_path / "root", shop.until(small_brand.FIRST_DAILY))


def nothing_started(home: Home) -> None:
    assert not home.settings.lake.exists() and not home.settings.dagster_home.exists()


def refused(outcome: Outcome, code: int, *words: str) -> None:
    assert outcome.code == code
    assert all(word in outcome.err for word in words), outcome.err
    assert "Traceback" not in outcome.text


def test_unknown_brand(fresh: Home) -> None:
    refused(fresh.tessera("run", "--brand", "small_shp"), 2, "small_shp", small_brand.BRAND)
    nothing_started(fresh)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        pytest.param(
            "brand.yml", "zone: Asia/Shanghai", "zone: [Asia/Shanghai", ("brand.yml", "line", "malformed YAML"), id="yaml"
        ),
        pytest.param("brand.yml", "zone: Asia/Shanghai", "zone: Asia/Shangai", ("zone", "Asia/Shanghai"), id="zone"),
        pytest.param(
            "brand.yml", "churn_horizon_days", "churn_horizon", ("churn_horizon", "churn_horizon_days"), id="unknown-key"
        ),
        pytest.param(
            "sources/orders.yml", "line_amount: amount", "line_amont: amount", ("orders.yml", "line_amont", "line_amount"),
            id="unknown-field",
        ),
        pytest.param(
            "sources/touches.yml", "timestamps_in: UTC", "timestamp_in: UTC", ("touches.yml", "timestamps_in"),
            id="misspelt-source-key",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["check", "run"])
def test_bad_configuration_is_told_before_any_work(
    fresh: Home, command: str, file: str, old: str, new: str, words: tuple[str, ...]
) -> None:
    path = fresh.brands / small_brand.BRAND / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    refused(fresh.tessera(command), 2, *words)
    nothing_started(fresh)


def test_missing_source_root(fresh: Home) -> None:
    outcome = fresh.tessera("run", TESSERA_SOURCES=str(fresh.root / "nowhere"))
    refused(outcome, 1, "TESSERA_SOURCES", "nowhere", "not a folder")
    nothing_started(fresh)
    refused(fresh.tessera("check", TESSERA_SOURCES=str(fresh.root / "nowhere")), 2, "TESSERA_SOURCES")


def test_missing_file(fresh: Home) -> None:
    (fresh.sources / small_brand.BRAND / "coupons.csv").unlink()
    refused(fresh.tessera("run"), 1, "coupons.yml", f"{small_brand.BRAND}/coupons.csv")


def test_misspelt_environment_variable(fresh: Home) -> None:
    refused(fresh.tessera("run", TESSERA_SOURCE="x"), 2, "TESSERA_SOURCE", "TESSERA_SOURCES")
