"""Champion and challenger through whole trainings: who scores, what is recorded, what survives, and what a run for the past does."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from ml.common.artifacts import load_artifact
from ml.common.pipeline import TrainResult, train_and_score
from ml.common.registry import Entry, champion, promoted, read_log, released, statuses, write_log
from ml.propensity.model import propensity_task
from orchestration.model_registry import Moment, Settled, log_to_rows, rows_to_log, settle

RECIPES = {
    "rfm": ("recency_rule", "rfm_logistic"),
    "logistic": ("recency_rule", "logistic"),
}
DAYS = (302, 330)  # a horizon apart: the later test cut is the earlier one's present
TRAINED: dict[tuple, tuple] = {}


def trained(new_shop, day: int = DAYS[0], recipe: str = "rfm", **options) -> tuple:
    """(shop, result) of a training on a day; each is made once."""
    key = (day, recipe, *sorted(options.items()))
    if key not in TRAINED:
        shop = new_shop(day=day)
        task = propensity_task(28, candidate_names=RECIPES[recipe], **options)
        TRAINED[key] = shop, train_and_score(shop.features, shop.purchase_days, task, shop.now)
    return TRAINED[key]


def settled(artifacts: Path, shop, result: TrainResult, published: Sequence[Entry] = (), hour: int = 3) -> Settled:
    at = datetime.combine(shop.now.date(), datetime.min.time(), UTC) + timedelta(hours=hour)
    moment = Moment(shop.now.date(), at, at + timedelta(minutes=1))
    return settle(artifacts, published, result, shop.features, shop.purchase_days, moment)


def with_test(result: TrainResult, version: str, **figures) -> TrainResult:
    """The same model under another version, with other figures on its test cut."""
    metadata = {**result.metadata, "model_version": version, "test": {**result.metadata["test"], **figures}}
    return dataclasses.replace(result, model_version=version, metadata=metadata)


def test_the_first_version_that_passes_is_champion_and_scores(new_shop, tmp_path: Path) -> None:
    shop, result = trained(new_shop)
    done = settled(tmp_path, shop, result)
    (entry,) = done.log
    assert (entry.status, entry.promoted_by, entry.model_version) == ("champion", "run", result.model_version)
    assert "first version that passed" in entry.reason and json.loads(entry.metrics)["auc"] > 0.6
    assert (tmp_path / entry.artifact_path / "model.skops").exists() and not Path(entry.artifact_path).is_absolute()
    assert entry.data_hash == result.metadata["data_hash"]
    assert done.is_champion and done.scores is result.scores
    again = settled(tmp_path, shop, result, hour=9)
    assert again.log == done.log, "the same version again decides nothing"


def test_the_same_data_gives_the_same_scores_bit_for_bit_also_from_the_files(new_shop, tmp_path: Path) -> None:
    shop, result = trained(new_shop)
    rebuilt = train_and_score(shop.features.sample(frac=1, random_state=3), shop.purchase_days, result.task, shop.now)
    assert (
        rebuilt.metadata["data_hash"] == result.metadata["data_hash"] and rebuilt.model_version == result.model_version
    )
    pd.testing.assert_frame_equal(rebuilt.scores, result.scores, check_exact=True)
    entry = champion(settled(tmp_path, shop, rebuilt).log)
    assert entry is not None
    present = shop.features[shop.features["as_of_date"] == shop.now]
    from_file = load_artifact(tmp_path / entry.artifact_path).score(present)
    pd.testing.assert_frame_equal(from_file, result.scores, check_exact=True)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"is_leak_suspected": True}, "suspected leak"),
        ({"is_rule_beaten": False, "verdict": "worse than the best rule"}, "worse"),
    ],
    ids=["ceiling", "floor"],
)
def test_floor_and_ceiling_keep_a_version_from_scoring(new_shop, tmp_path: Path, figures: dict, said: str) -> None:
    shop, good = trained(new_shop)
    bad = with_test(good, "propensity-bad", **figures)
    alone = settled(tmp_path / "alone", shop, bad)
    assert alone.log[-1].status == "challenger" and said in alone.log[-1].reason
    assert not alone.is_champion and champion(alone.log) is None
    settled(tmp_path, shop, good)
    beside = settled(tmp_path, shop, bad, hour=9)
    assert [item.status for item in beside.log] == ["champion", "challenger"] and beside.is_champion
    assert beside.scorer is not None and beside.scorer["model_version"] == good.model_version
    pd.testing.assert_frame_equal(beside.scores, good.scores, check_exact=True)


def test_a_failed_leak_check_keeps_a_version_from_scoring(new_shop, tmp_path: Path) -> None:
    shop, good = trained(new_shop)
    for name, status in (("shuffled_labels", "challenger"), ("label_shift", "champion")):
        checks = good.checks.assign(is_ok=good.checks["check_name"] != name)
        done = settled(tmp_path / name, shop, dataclasses.replace(good, checks=checks))
        assert done.log[-1].status == status


def test_an_old_champion_is_judged_again_on_the_new_test_cut(new_shop, tmp_path: Path) -> None:
    """Its labels ended before the new test window began, so its own files are asked about it."""
    shop, old = trained(new_shop)
    settled(tmp_path, shop, old)
    later, new = trained(new_shop, DAYS[1], "logistic")
    assert new.metadata["test_cut"] == old.metadata["known_until"]
    won = settled(tmp_path, later, new)
    assert [(item.status, item.model_version) for item in won.log][1:] == [
        ("retired", old.model_version),
        ("champion", new.model_version),
    ]
    assert "AUC" in won.log[-1].reason and old.model_version in won.log[-1].reason


def test_a_version_worse_than_the_champion_stays_challenger_and_the_champion_scores(new_shop, tmp_path: Path) -> None:
    shop, old = trained(new_shop)
    settled(tmp_path, shop, old)
    later, better = trained(new_shop, DAYS[1], "logistic")
    worse = with_test(better, "propensity-worse", auc=0.81)
    lost = settled(tmp_path, later, worse)
    entry = statuses(lost.log)["propensity-worse"]
    assert entry.status == "challenger" and entry.reason.startswith("worse than the champion: on ")
    assert lost.is_champion and set(lost.scores["model_version"]) == {old.model_version}
    present = later.features[later.features["as_of_date"] == later.now]
    assert lost.scores["member_id"].tolist() == sorted(present["member_id"])
    assert (lost.scores["as_of_date"] == later.now).all()


def test_a_young_champion_is_not_asked_about_labels_it_was_taught(new_shop, tmp_path: Path) -> None:
    """A day later its training labels overlap the test window: its recipe answers for it."""
    shop, old = trained(new_shop, 301)
    settled(tmp_path, shop, old)
    next_day, same = trained(new_shop, 302)
    done = settled(tmp_path, next_day, same)
    assert "taught with newer facts" in done.log[-1].reason
    entry = champion(done.log)
    assert entry is not None and entry.model_version == same.model_version
    other = dataclasses.replace(same, metadata={**same.metadata, "candidate": "recency_rule", "model_version": "r"})
    rows = same.evaluation["candidate"] == "rfm_logistic"
    other = dataclasses.replace(
        other, model_version="r", evaluation=same.evaluation.assign(auc=same.evaluation["auc"] + 0.1 * rows)
    )
    lost = settled(tmp_path / "lost", shop, old)
    lost = settled(tmp_path / "lost", next_day, other)
    assert lost.log[-1].status == "challenger" and "of the recipe (rfm_logistic)" in lost.log[-1].reason


def test_an_operators_choice_outlives_better_versions_until_it_is_released(new_shop, tmp_path: Path) -> None:
    shop, old = trained(new_shop)
    log = settled(tmp_path, shop, old).log
    by_hand = promoted(log, old.model_version, "kept for the sale", log[-1].promoted_at)
    write_log(tmp_path / "propensity", by_hand)
    later, new = trained(new_shop, DAYS[1], "logistic")
    held = settled(tmp_path, later, new)
    assert held.log[-1].reason == f"an operator's choice holds: {old.model_version}"
    assert set(held.scores["model_version"]) == {old.model_version}
    assert by_hand == held.log[: len(by_hand)], "no run overwrites an operator's row"
    free = released(held.log, "the sale is over", held.log[-1].promoted_at)
    write_log(tmp_path / "propensity", free)
    entry = champion(settled(tmp_path, later, new, hour=9).log)
    assert entry is not None and entry.model_version == old.model_version, "a version is decided about once"


@pytest.mark.parametrize("lost", ["artifact", "question", "columns"])
def test_a_champion_that_cannot_score_any_more_is_replaced(new_shop, tmp_path: Path, lost: str) -> None:
    shop, old = trained(new_shop)
    settled(tmp_path, shop, old)
    later, new = trained(new_shop, DAYS[1], "logistic")
    if lost == "artifact":
        shutil.rmtree(tmp_path / "propensity" / old.model_version)
    elif lost == "question":
        later, new = trained(new_shop, DAYS[1], "logistic", active_days=120)
    else:
        file = tmp_path / "propensity" / old.model_version / "metadata.json"
        metadata = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(metadata | {"feature_names": ["gone"]}), encoding="utf-8")
    new = with_test(new, "propensity-worse", auc=0.6)  # worse, but able to score
    done = settled(tmp_path, later, new)
    assert done.log[-1].status == "champion" and lost in done.log[-1].reason
    assert done.scorer is not None and done.scorer["model_version"] == "propensity-worse"


def test_a_training_that_declines_is_registered_once_and_nobody_scores(new_shop, tmp_path: Path) -> None:
    shop, result = trained(new_shop)
    settled(tmp_path, shop, result)
    declined = TrainResult(result.task, "not_trained", "2 mature as_of_dates")
    for hour in (9, 10):
        done = settled(tmp_path, shop, declined, hour=hour)
    assert [item.status for item in done.log] == ["champion", "declined"]
    assert done.scorer is None and done.scores.empty and done.log[-1].artifact_path == ""


def test_either_place_of_the_log_restores_the_other(new_shop, tmp_path: Path) -> None:
    shop, old = trained(new_shop)
    settled(tmp_path, shop, old)
    later, new = trained(new_shop, DAYS[1], "logistic")
    log = settled(tmp_path, later, new).log
    published = rows_to_log(log_to_rows(log))
    assert published == log
    (tmp_path / "propensity" / "registry.jsonl").unlink()
    restored = settled(tmp_path, later, new, published, hour=9)
    assert restored.log == log == read_log(tmp_path / "propensity")


def test_a_run_for_the_past_goes_by_the_past_and_changes_nothing_of_the_present(new_shop, tmp_path: Path) -> None:
    shop, old = trained(new_shop)
    settled(tmp_path, shop, old)
    later, new = trained(new_shop, DAYS[1], "logistic")
    log = settled(tmp_path, later, new).log
    earlier, past = trained(new_shop, 288, "logistic")
    for _ in range(2):
        done = settled(tmp_path, earlier, past)
        assert set(done.scores["model_version"]) == {past.model_version} and done.is_champion
        # It is on record, once, as a version that scored a past cut, and the present has the champion it had.
        assert done.log[:-1] == log and read_log(tmp_path / "propensity") == done.log
        assert (done.log[-1].status, done.log[-1].model_version) == ("challenger", past.model_version)
        assert champion(done.log) == champion(log)
    again = settled(tmp_path, shop, old)
    assert set(again.scores["model_version"]) == {old.model_version}, (
        "the later champion does not exist at the earlier cut"
    )
    assert again.log == done.log


def test_files_of_old_versions_are_removed_and_what_was_decided_about_them_stays(
    new_shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.model_registry.KEPT_VERSIONS", 2)
    shop, result = trained(new_shop)
    names = ["propensity-a", "propensity-b", "propensity-c", "propensity-d"]
    for hour, name in enumerate(names):
        done = settled(tmp_path, shop, with_test(result, name), hour=hour + 3)
        if name == "propensity-b":  # an operator goes back to the first, and lets runs decide again
            log = promoted(done.log, "propensity-a", "by hand", done.log[-1].promoted_at)
            write_log(tmp_path / "propensity", released(log, "enough", log[-1].promoted_at))
    folders = {path.name for path in (tmp_path / "propensity").iterdir() if path.is_dir()}
    assert folders == {"propensity-a", "propensity-c", "propensity-d"}, "b is old, and nobody ever chose it"
    assert set(names) == set(statuses(done.log))
