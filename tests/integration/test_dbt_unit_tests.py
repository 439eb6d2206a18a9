"""dbt's own unit tests, every one of them, as a data engineer runs them: plain dbt on a brand's build file."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from pipeline import Home

from orchestration.dbt import PROJECT_DIR, dbt_environment, dbt_executable

pytestmark = pytest.mark.slow


def test_dbt_unit_tests_pass(clean: Home, tmp_path: Path) -> None:
    home = clean.copy(tmp_path / "root")
    target = tmp_path / "target"
    ran = subprocess.run(
        [dbt_executable(), "--no-use-colors", "test", "--select", "test_type:unit", "--target-path", str(target)],
        cwd=PROJECT_DIR,
        env={**os.environ, **dbt_environment(home.settings), "DBT_PROFILES_DIR": str(PROJECT_DIR)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    declared = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["unit_tests"]
    assert {r["unique_id"] for r in results} == set(declared)
    assert len(results) >= 70
    assert {r["status"] for r in results} == {"pass"}
