"""The parsed dbt project, once per session."""

from __future__ import annotations

import pytest
from dbt_files import Project, read_project


@pytest.fixture(scope="session")
def project() -> Project:
    return read_project()
