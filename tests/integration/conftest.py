"""Homes that tests of the whole pipeline share. One clean run a session; a test that plants a defect copies its home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import small_brand
from pipeline import Home, Outcome, new_home


@pytest.fixture(scope="session")
def shop() -> small_brand.Shop:
    """The shop's history, with one day more than the clean home holds."""
    return small_brand.generate(days=small_brand.DAYS + 1)


@pytest.fixture(scope="session")
def clean_run(shop: small_brand.Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Outcome]:
    """A home after one run over DAYS days, and what the run said. Read it, never change it."""
    home = new_home(tmp_path_factory.mktemp("clean") / "root", shop.until(small_brand.LAST_DAY))
    return home, home.tessera("run")


@pytest.fixture(scope="session")
def clean(clean_run: tuple[Home, Outcome]) -> Home:
    home, outcome = clean_run
    assert outcome.code == 0, "the clean run must pass before anything else can be said"
    return home


@pytest.fixture
def tomorrow(clean: Home, shop: small_brand.Shop, tmp_path: Path) -> Home:
    """A copy of the clean home on the next morning: one more daily file is there and has not been landed."""
    home = clean.copy(tmp_path / "root")
    shop.write(home.sources)
    return home


@pytest.fixture
def untouched(clean: Home) -> Callable[[Home], None]:
    """Assert that a home publishes exactly what the clean one does."""

    def check(home: Home) -> None:
        assert home.published.read_bytes() == clean.published.read_bytes()
        assert home.manifest == clean.manifest
        versions = home.settings.published_dir / "versions"
        assert {p.name for p in versions.iterdir()} == {
            p.name for p in (clean.settings.published_dir / "versions").iterdir()
        }

    return check
