"""One small brand, written once for all tests: 1,200 members over 200 days."""

from __future__ import annotations

import pytest
from simulated import CONFIG, Written, write


@pytest.fixture(scope="session")
def brand(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(CONFIG, tmp_path_factory.mktemp("simulated"))
