"""The probabilistic option of identity.yml: off by default, refused until measured, and what it then hands to a run."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ml.identity.columns import PAIR_COLUMNS
from orchestration import cli, identity, identity_candidates, identity_measured, warehouse
from orchestration.brands import BrandConfigError, Probabilistic, load_brand
from orchestration.build_state import input_fingerprint
from orchestration.explain import account_id_of
from orchestration.identity_candidates import CandidatesError, Places, measure_candidates, phone_shown
from orchestration.identity_measured import ACCOUNTS, FOLDER, GROUP_COLUMNS, GROUPS, MEASURED, PAIRS, check_measurement
from orchestration.runner import run_brand
from orchestration.settings import Settings, load_settings

PAIR_COUNT = 450


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder = tmp_path / "brands" / "shop" / "sources"
    folder.mkdir(parents=True)
    (folder.parent / "brand.yml").write_text(
        "brand: shop\nlabel_zh: 小店\nlabel_en: Shop\ncurrency: CNY\ncalendar_start: 2024-01-01\n", encoding="utf-8"
    )
    (folder / "members.yml").write_text(
        "source_system: crm\nreader: {kind: csv, path: members.csv}\ntimestamps_in: UTC\n"
        "entities: {members: {fields: {member_key: id}}}\n",
        encoding="utf-8",
    )
    monkeypatch.delenv("TESSERA_BRAND", raising=False)
    monkeypatch.setenv("TESSERA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TESSERA_BRANDS", str(tmp_path / "brands"))
    return load_settings("shop")


def configure(settings: Settings, option: str, more: str = "") -> None:
    (settings.brand_dir / "identity.yml").write_text(f"probabilistic: {{{option}}}\n{more}", encoding="utf-8")


def group(system: str, number: int) -> str:
    return account_id_of(system, f"k{number}")


def write_candidates(settings: Settings, probability: float = 0.99) -> Path:
    """As `tessera identity candidates` writes them: account n of the CRM and account n of the shop are alike."""
    folder = settings.brand_home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        (group(system, number), system, f"k{number}", f"number-{number}" if system == "crm" else None, 1)
        for number in range(PAIR_COUNT)
        for system in ("crm", "shop")
    ]
    groups = pd.DataFrame(rows, columns=list(GROUP_COLUMNS))
    groups.to_parquet(folder / GROUPS)
    pd.DataFrame({"account_id": groups["group_id"], "group_id": groups["group_id"]}).to_parquet(folder / ACCOUNTS)
    pairs = [(*sorted((group("crm", n), group("shop", n))), probability) for n in range(PAIR_COUNT)]
    frame = pd.DataFrame(pairs, columns=list(PAIR_COLUMNS))
    frame.to_parquet(folder / PAIRS)
    identity_candidates._write_review(folder, frame, 0.95, 400)
    return folder


def answer(folder: Path, wrong: int = 0, skipped: int = 0) -> None:
    path = folder / "review.csv"
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    words = ["no"] * wrong + [""] * skipped + ["Yes"] * len(lines)
    filled = [line.rpartition(",")[0] + "," + word for line, word in zip(lines, words, strict=False)]
    path.write_text("\n".join([head, *filled]) + "\n", encoding="utf-8")


def decisions(settings: Settings) -> list[tuple[str, ...]]:
    with warehouse.writer(settings.build_file) as connection:
        identity.write_identity_config(connection, load_brand(settings))
        return connection.execute("select * from config.identity_decisions order by all").fetchall()


# ---- identity.yml ------------------------------------------------------------------------------------------------


def test_it_is_off_unless_it_is_asked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    option = load_brand(settings).identity.probabilistic
    assert option == Probabilistic(enabled=False, threshold=0.95, required_precision=0.99, min_reviewed_pairs=400)

    def never(*_: object) -> None:
        raise AssertionError("asked for while off")

    monkeypatch.setattr(identity_measured, "probable_decisions", never)
    monkeypatch.setattr(identity, "_home_of", never)
    assert decisions(settings) == []


@pytest.mark.parametrize(
    "option",
    [
        "threshold: 0.4",
        "threshold: 1.1",
        "required_precision: 1.0",
        "required_precision: 0.2",
        "min_reviewed_pairs: 10",
        "enabled: 1",
    ],
)
def test_values_out_of_range_are_named(settings: Settings, option: str) -> None:
    configure(settings, option)
    with pytest.raises(BrandConfigError, match=rf"identity.yml: probabilistic.{option.partition(':')[0]}"):
        load_brand(settings)


def test_a_misspelt_key_is_named(settings: Settings) -> None:
    configure(settings, "treshold: 0.9")
    with pytest.raises(BrandConfigError, match="did you mean threshold"):
        load_brand(settings)


# ---- the refusal -------------------------------------------------------------------------------------------------


def test_nothing_is_joined_before_it_is_measured(settings: Settings) -> None:
    configure(settings, "enabled: true")
    with pytest.raises(BrandConfigError) as error:
        decisions(settings)
    for part in (
        "identity.yml: probabilistic.enabled",
        "not been measured",
        "tessera identity candidates --brand shop",
    ):
        assert part in str(error.value)
    write_candidates(settings)
    with pytest.raises(BrandConfigError, match="not been measured"):
        decisions(settings)


def test_a_run_is_refused_before_it_begins(settings: Settings) -> None:
    configure(settings, "enabled: true")
    with pytest.raises(BrandConfigError, match="not been measured"):
        run_brand(settings, console=Console(quiet=True))
    assert not settings.lake.exists()


def test_another_measurement_is_something_to_do(settings: Settings) -> None:
    configure(settings, "enabled: true")
    brand = load_brand(settings)
    before = input_fingerprint(settings, brand)
    answer(write_candidates(settings), 0, 0)
    measure_candidates(settings, brand.identity)
    assert input_fingerprint(settings, brand) != before
    configure(settings, "enabled: false")
    brand = load_brand(settings)
    off = input_fingerprint(settings, brand)
    settings.measured_identity.unlink()
    assert input_fingerprint(settings, brand) == off


@pytest.mark.parametrize(
    ("wrong", "skipped", "option", "said"),
    [
        (8, 0, "", r"required_precision: is 0.99, but 392 of 400 .* 0.96\d\d .*; raise threshold"),
        (0, 1, "", r"min_reviewed_pairs: 399 of 450 pairs from 0.95 on are judged, 400 must be; run `tessera identity"),
        (0, 0, ", threshold: 0.9", r"threshold: is 0.9, and only pairs from 0.95 on were measured; raise it"),
        (0, 0, ", required_precision: 0.995", r"required_precision: is 0.995, but 400 of 400"),
        (0, 0, "", None),
        (1, 0, ", required_precision: 0.98", None),
    ],
)
def test_only_what_was_shown_to_be_right_enough_is_joined(
    settings: Settings, wrong: int, skipped: int, option: str, said: str | None
) -> None:
    answer(write_candidates(settings), wrong, skipped)
    configure(settings, f"enabled: true{option}")
    brand = load_brand(settings)
    measure_candidates(settings, brand.identity)
    if said is None:
        assert check_measurement(brand, settings.brand_home) is None
        assert len(decisions(settings)) == 2 * PAIR_COUNT
        return
    with pytest.raises(BrandConfigError, match=rf"identity.yml: probabilistic.{said}"):
        decisions(settings)


@pytest.mark.parametrize("name", [PAIRS, GROUPS, ACCOUNTS, "judged.parquet"])
def test_pairs_that_changed_since_are_not_those_that_were_measured(settings: Settings, name: str) -> None:
    folder = write_candidates(settings)
    answer(folder)
    configure(settings, "enabled: true")
    measure_candidates(settings, load_brand(settings).identity)
    (folder / MEASURED / name).write_bytes((folder / MEASURED / name).read_bytes() + b" ")
    with pytest.raises(BrandConfigError, match="no longer those that were measured"):
        decisions(settings)


@pytest.mark.parametrize("text", ["{", "[]", '{"sha256": {}}'])
def test_a_broken_measurement_is_none(settings: Settings, text: str) -> None:
    folder = write_candidates(settings)
    answer(folder)
    configure(settings, "enabled: true")
    measure_candidates(settings, load_brand(settings).identity)
    (folder / MEASURED / "measurement.json").write_text(text, encoding="utf-8")
    with pytest.raises(BrandConfigError, match="no longer those that were measured"):
        decisions(settings)


def test_newer_candidates_are_not_joined_before_they_are_measured_too(settings: Settings) -> None:
    folder = write_candidates(settings)
    answer(folder)
    configure(settings, "enabled: true")
    measure_candidates(settings, load_brand(settings).identity)
    before = decisions(settings)
    write_candidates(settings, probability=0.96)
    assert decisions(settings) == before


# ---- what a run is handed ----------------------------------------------------------------------------------------


def test_pairs_become_decisions_with_a_code_of_their_own(settings: Settings) -> None:
    answer(write_candidates(settings))
    configure(settings, "enabled: true")
    measure_candidates(settings, load_brand(settings).identity)
    rows = decisions(settings)
    codes = {row[0] for row in rows}
    assert len(codes) == PAIR_COUNT and all(code.startswith("probabilistic_") for code in codes)
    for code in codes:
        (first, second) = [row for row in rows if row[0] == code]
        assert first[1] == second[1] == "keep_together" and {first[2], second[2]} == {"crm", "shop"}
        assert first[3] == second[3]


def test_what_somebody_keeps_apart_stays_apart(settings: Settings) -> None:
    answer(write_candidates(settings))
    configure(
        settings,
        "enabled: true",
        "keep_apart: [{code: a, accounts: [{source_system: shop, member_key: k3}, {source_system: crm, member_key: k3}], "
        "reason: r, decided_on: 2026-03-01}]\n",
    )
    measure_candidates(settings, load_brand(settings).identity)
    keys = {row[3] for row in decisions(settings) if row[1] == "keep_together"}
    assert len(keys) == PAIR_COUNT - 1 and "k3" not in keys


def test_two_member_numbers_stay_apart_through_a_chain_too(settings: Settings) -> None:
    folder = write_candidates(settings)
    pairs = pd.read_parquet(folder / PAIRS)
    bridge = pd.DataFrame([(*sorted((group("crm", 1), group("shop", 2))), 0.999)], columns=list(PAIR_COLUMNS))
    pd.concat([pairs, bridge]).to_parquet(folder / PAIRS)
    answer(folder)
    configure(settings, "enabled: true")
    measure_candidates(settings, load_brand(settings).identity)
    keys = {row[3] for row in decisions(settings)}
    assert len(keys) == PAIR_COUNT - 2 and not keys & {"k1", "k2"}


def test_a_build_of_the_past_finds_what_was_measured_beside_the_lake(settings: Settings) -> None:
    settings.lake.mkdir(parents=True)
    answer(write_candidates(settings))
    configure(settings, "enabled: true")
    measure_candidates(settings, load_brand(settings).identity)
    past = settings.brand_home / "rebuilds" / "2026-01-01" / "shop"
    past.mkdir(parents=True)
    (past / "lake").symlink_to(settings.lake, target_is_directory=True)
    with warehouse.writer(past / "warehouse" / "build.duckdb") as connection:
        identity.write_identity_config(connection, load_brand(settings))
        assert connection.execute("select count(*) from config.identity_decisions").fetchone() == (2 * PAIR_COUNT,)


# ---- review and commands -----------------------------------------------------------------------------------------


def test_a_review_keeps_its_answers_when_it_is_drawn_anew(settings: Settings) -> None:
    folder = write_candidates(settings)
    answer(folder, wrong=2, skipped=3)
    before = (folder / "review.csv").read_text(encoding="utf-8").splitlines()
    write_candidates(settings)
    after = (folder / "review.csv").read_text(encoding="utf-8").casefold().splitlines()
    assert after == [line.casefold() for line in before]
    sampled = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    assert sampled["threshold"] == 0.95 and len(sampled["pairs"]) == 400


def test_an_answer_about_a_pair_that_was_not_drawn_counts_for_nothing(settings: Settings) -> None:
    folder = write_candidates(settings)
    answer(folder)
    drawn = {tuple(pair) for pair in json.loads((folder / "sample.json").read_text(encoding="utf-8"))["pairs"]}
    pairs = pd.read_parquet(folder / PAIRS)
    left, right = next(p for p in zip(pairs["id_left"], pairs["id_right"], strict=True) if p not in drawn)
    with (folder / "review.csv").open("a", encoding="utf-8") as stream:
        stream.write(f"{left},{right},no\n")
    (result, *_) = measure_candidates(settings, load_brand(settings).identity)
    assert (result.judged_count, result.right_count) == (400, 400)


def test_a_word_that_is_no_answer_is_told_by_line(settings: Settings) -> None:
    folder = write_candidates(settings)
    path = folder / "review.csv"
    head, first, *rest = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, f"{first}perhaps", *rest]), encoding="utf-8")
    with pytest.raises(CandidatesError, match="line 2: is_same must be yes, no or empty"):
        measure_candidates(settings, load_brand(settings).identity)


def test_measure_prints_bounds_and_whether_it_may_be_switched_on(settings: Settings) -> None:
    answer(write_candidates(settings), wrong=1)
    result = CliRunner().invoke(cli.app, ["identity", "measure", "--brand", "shop", "-f", "json"])
    assert result.exit_code == 0, result.output
    first = json.loads(result.stdout)[0]
    assert {name: first[name] for name in ("threshold", "judged_count", "right_count", "precision", "recall")} == {
        "threshold": 0.95,
        "judged_count": 400,
        "right_count": 399,
        "precision": 0.9975,
        "recall": None,
    }
    shown = CliRunner().invoke(cli.app, ["identity", "measure", "--brand", "shop"])
    assert "precision_low" in shown.stdout and "required_precision: is 0.99" in shown.stderr
    answer(write_candidates(settings))
    assert "may be true" in CliRunner().invoke(cli.app, ["identity", "measure", "--brand", "shop"]).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["candidates"], "has never been built; run `tessera run --brand shop` first"),
        (["measure"], "there are no candidates of shop; run `tessera identity candidates --brand shop` first"),
    ],
)
def test_commands_say_what_comes_first(settings: Settings, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(cli.app, ["identity", *arguments, "--brand", "shop"])
    assert result.exit_code == 2 and said in result.stderr


def test_truth_is_known_of_simulated_brands_alone(settings: Settings) -> None:
    write_candidates(settings)
    result = CliRunner().invoke(cli.app, ["identity", "measure", "--brand", "shop", "--truth"])
    assert result.exit_code == 2 and "not simulated" in result.stderr
    empty = CliRunner().invoke(cli.app, ["identity", "measure", "--brand", "shop"])
    assert empty.exit_code == 2 and "no pair is judged yet" in empty.stderr


def test_the_truth_judges_every_pair_and_knows_the_recall(settings: Settings) -> None:
    write_candidates(settings)
    rows = [
        (system, "member_key", f"k{n}", f"p{n - n % 2 if system == 'shop' else n}")
        for n in range(PAIR_COUNT)
        for system in ("crm", "shop")
    ]
    settings.truth_dir.mkdir(parents=True)
    frame = pd.DataFrame(rows, columns=["source_system", "identifier_type", "identifier_value", "person_id"])
    frame.to_parquet(settings.truth_dir / "identifiers.parquet")
    (result, *_) = measure_candidates(settings, load_brand(settings).identity, by_truth=True)
    # Even people have three accounts, odd ones a single one: of four accounts three pairs are one person, and one is found.
    assert (result.threshold, result.judged_count, result.right_count) == (0.5, PAIR_COUNT, PAIR_COUNT // 2)
    assert result.recall == pytest.approx(1 / 3)


# ---- what is compared --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("13912345678", "1395678"),
        ("139****5678", "1395678"),
        ("+86 139 1234 5678", "1395678"),
        ("0086-13912345678", "1395678"),
        ("１３９１２３４５６７８", "1395678"),
        ("13912345678.0", "1395678"),
        ("021-12345678", None),
        ("1391234567", None),
        ("", None),
        (None, None),
    ],
)
def test_phones_are_compared_by_what_marketplaces_show_of_them(text: str | None, shown: str | None) -> None:
    assert phone_shown(text) == shown


PLACES = Places.of(
    [
        ("110000", "110000", "province", ["北京市", "北京"]),
        ("220000", "220000", "province", ["吉林省", "吉林"]),
        ("220100", "220000", "prefecture", ["长春市", "长春"]),
        ("220200", "220000", "prefecture", ["吉林市", "吉林"]),
    ]
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("北京", "110000"),
        ("北京-北京", "110000"),
        ("吉林", "220000"),
        ("吉林省吉林市", "220200"),
        ("吉林-长春", "220100"),
        ("吉林省某地", "220000"),
        ("长春市", None),
        ("", None),
        (None, None),
    ],
)
def test_regions_are_compared_by_the_code_of_their_prefecture(text: str | None, code: str | None) -> None:
    assert PLACES.find(text) == code
