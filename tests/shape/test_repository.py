"""Rules about files of the whole repository: nothing of the machine they were written on, links that lead somewhere,
imports that keep to their layers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from dbt_files import relative
from importlinter.cli import lint_imports

from orchestration.settings import PROJECT_ROOT

_TEXT = {".py", ".sql", ".yml", ".yaml", ".toml", ".md", ".cfg", ".ini", ".lock", ".txt", ".json", ".sh", ".csv", ""}
# Files that tell an installer where to look must leave the index to the machine that installs.
_INSTALLING = (
    "Makefile",
    "pyproject.toml",
    "requirements.lock",
    "requirements-spark.in",
    "requirements-spark.lock",
    ".ci/run",
)
# `/home/someone` stands for any home.
_MACHINE = re.compile(r"(?<![\w.:/*])/(root|home|Users|mnt|private|var/folders)/(?!someone\b)[\w.]+")


def tracked_files() -> list[Path]:
    """Files that are, or are about to be, under version control."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=PROJECT_ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no version control here")
    paths = [PROJECT_ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and path.suffix in _TEXT]


def machine_paths(text: str) -> list[str]:
    """Absolute paths that exist on one machine only."""
    return [match.group() for match in _MACHINE.finditer(text)]


def index_hosts() -> set[str]:
    """Hosts of the package index that this machine was told to use, if it was told one."""
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    told = [value for name, value in os.environ.items() if re.fullmatch(r"(PIP|UV)_.*(INDEX|LINKS).*", name)]
    hosts = {urlsplit(word).hostname for word in re.findall(r"https?://[^\s'\"]+", " ".join([answer.stdout, *told]))}
    return {host for host in hosts if host}


def test_no_path_of_one_machine_is_tracked() -> None:
    files = tracked_files()
    assert len(files) > 100
    places = (str(PROJECT_ROOT), str(Path.home()))
    found = {}
    for path in files:
        text = path.read_text(encoding="utf-8")
        hits = machine_paths(text) + [place for place in places if f"{place}/" in text]
        # This file names the folders it looks for.
        if hits and path != Path(__file__):
            found[relative(path)] = hits
    assert found == {}


@pytest.mark.parametrize("text", ["'/root/.cache'", "path=/home/me/data", "(/Users/me/x)"])
def test_machine_paths_are_seen(text: str) -> None:
    assert machine_paths(text)


@pytest.mark.parametrize("text", ["https://example.org/home/page", "src/root/x", "brands/*/home/x"])
def test_other_paths_are_left_alone(text: str) -> None:
    assert not machine_paths(text)


def test_no_package_index_is_tracked() -> None:
    hosts = index_hosts()
    found = [
        f"{relative(path)}: {host}"
        for path in tracked_files()
        for host in hosts
        if host in path.read_text(encoding="utf-8")
    ]
    for name in _INSTALLING:
        text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
        found += [f"{name}: {url}" for url in re.findall(r"https?://[^\s\"')]+", text) if "127.0.0.1" not in url]
        found += [f"{name}: {key}" for key in re.findall(r"(?<!no-emit-)(?:extra-)?index-url|trusted-host", text)]
    assert found == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for path in tracked_files():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:|#", target) and not (path.parent / target.split("#")[0]).exists():
                broken.append(f"{relative(path)}: {target}")
    assert broken == []


def test_imports_keep_to_their_layers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(PROJECT_ROOT)
    code = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert code == 0, capsys.readouterr().out


def test_files_of_tests_are_named_apart() -> None:
    """pytest imports a file outside packages by its name alone: of two that share one, neither suite would run."""
    found: dict[str, list[str]] = {}
    for path in sorted((PROJECT_ROOT / "tests").rglob("*.py")):
        if not (path.parent / "__init__.py").exists() and path.name != "conftest.py":
            found.setdefault(path.name, []).append(relative(path))
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
