"""Environment to paths: defaults, what wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.settings import (
    DEFAULT_BRAND,
    ENVIRONMENT,
    PROJECT_ROOT,
    SettingsError,
    available_brands,
    load_settings,
)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    for brand in (DEFAULT_BRAND, "shop"):
        folder = tmp_path / "brands" / brand
        folder.mkdir(parents=True)
        (folder / "brand.yml").touch()
    (tmp_path / "brands" / "draft").mkdir()
    return {"TESSERA_BRANDS": str(tmp_path / "brands"), "PATH": "/bin"}


def test_defaults(environ: dict[str, str]) -> None:
    settings = load_settings(environ=environ)
    assert settings.brand == DEFAULT_BRAND
    assert settings.home == PROJECT_ROOT / "data"
    assert settings.sources_root is None
    assert settings.lock_wait_seconds == 0


def test_every_path_lies_in_the_brands_home(environ: dict[str, str], tmp_path: Path) -> None:
    settings = load_settings("shop", environ | {"TESSERA_HOME": str(tmp_path / "home")})
    paths = {
        settings.lake: "lake",
        settings.build_file: "warehouse/build.duckdb",
        settings.published_file: "published/current.duckdb",
        settings.artifacts_dir: "artifacts",
        settings.dagster_home: "dagster",
        settings.lock_file: "run.lock",
    }
    assert {p: p.relative_to(tmp_path / "home" / "shop").as_posix() for p in paths} == paths
    assert not (tmp_path / "home").exists()  # looking creates nothing


def test_the_argument_wins_over_the_environment(environ: dict[str, str]) -> None:
    assert load_settings(environ=environ | {"TESSERA_BRAND": "shop"}).brand == "shop"
    assert load_settings(DEFAULT_BRAND, environ | {"TESSERA_BRAND": "shop"}).brand == DEFAULT_BRAND


@pytest.mark.parametrize("name", [n for n in ENVIRONMENT if n not in ("TESSERA_BRANDS",)])
def test_an_empty_value_is_as_good_as_none(environ: dict[str, str], name: str) -> None:
    assert load_settings(environ=environ | {name: ""}) == load_settings(environ=environ)


def test_relative_and_home_paths_become_absolute(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    settings = load_settings(environ=environ | {"TESSERA_HOME": "~/tessera", "TESSERA_SOURCES": "drop"})
    assert settings.home == Path("/home/someone/tessera")
    assert settings.sources_root == Path.cwd() / "drop"


def test_a_misspelt_variable_is_refused_with_the_known_names(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"unknown environment variable TESSERA_HOMES.*TESSERA_HOME,"):
        load_settings(environ=environ | {"TESSERA_HOMES": "x"})


@pytest.mark.parametrize("brand", ["nosuch", "draft", "../shop", "Shop", "shop/"])
def test_an_unknown_brand_is_refused_with_the_known_ones(environ: dict[str, str], brand: str) -> None:
    with pytest.raises(SettingsError, match=rf"unknown brand .*: {DEFAULT_BRAND}, shop"):
        load_settings(brand, environ)


def test_lock_wait_is_a_number_of_seconds(environ: dict[str, str]) -> None:
    assert load_settings(environ=environ | {"TESSERA_LOCK_WAIT_SECONDS": "2.5"}).lock_wait_seconds == 2.5
    with pytest.raises(SettingsError, match="TESSERA_LOCK_WAIT_SECONDS must be a number"):
        load_settings(environ=environ | {"TESSERA_LOCK_WAIT_SECONDS": "soon"})


def test_a_brand_is_a_folder_with_a_brand_yml(environ: dict[str, str]) -> None:
    assert available_brands(Path(environ["TESSERA_BRANDS"])) == [DEFAULT_BRAND, "shop"]
