"""The log of decisions: whatever runs and operators do, one version scores, nothing is forgotten, every step can be taken back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.common.registry import (
    LOG_FILE,
    Entry,
    UnknownVersionError,
    champion,
    known,
    merged,
    promoted,
    read_log,
    registered,
    released,
    rolled_back,
    statuses,
    write_log,
)

DAY = date(2024, 6, 1)
START = datetime(2024, 6, 1, 3, tzinfo=UTC)


def entry(number: int, status="champion", **values) -> Entry:
    fixed = {
        "model_name": "churn",
        "model_version": f"v{number}",
        "status": status,
        "promoted_by": "run",
        "reason": "它更好",
        "data_hash": "ab",
        "metrics": '{"auc": 0.7}',
        "artifact_path": f"churn/v{number}",
        "as_of_date": DAY + timedelta(days=number),
        "promoted_at": START + timedelta(days=number),
    }
    return Entry(**fixed | values)


def log(*versions: int) -> list[Entry]:
    entries: list[Entry] = []
    for number in versions:
        entries = registered(entries, entry(number))
    return entries


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["champion", "challenger", "declined"]), st.integers(0, 9)),
        st.tuples(st.just("promote"), st.integers(0, 9)),
        st.tuples(st.sampled_from(["rollback", "release"]), st.just(0)),
    ),
    max_size=25,
)


@given(steps)
def test_whatever_is_decided_one_version_scores_and_nothing_is_forgotten(taken: list[tuple[str, int]]) -> None:
    entries: list[Entry] = []
    for step, number in taken:
        before = list(entries)
        try:
            if step == "promote":
                entries = promoted(entries, f"v{number}", "because", START)
            elif step == "rollback":
                entries = rolled_back(entries, "because", START)
            elif step == "release":
                entries = released(entries, "because", START)
            elif not ((crowned := champion(entries)) and crowned.promoted_by == "operator" and step == "champion"):
                entries = registered(entries, entry(number, step))
        except UnknownVersionError as refused:
            assert str(refused) and entries == before
        assert entries[: len(before)] == before, "a decision is never changed or taken out"
        moments = [item.promoted_at for item in entries]
        assert moments == sorted(moments)
        standing = champion(entries)
        crowned = [item for item in statuses(entries).values() if item.status == "champion"]
        assert [standing] == crowned if crowned else standing is None or standing not in crowned
        assert merged(entries, before, entries) == entries


@given(st.lists(st.integers(0, 6), max_size=8), st.lists(st.integers(0, 6), max_size=8))
def test_logs_merge_to_the_same_whatever_each_has_lost(kept: list[int], other: list[int]) -> None:
    whole = log(0, 1, 2, 3)
    left, right = [whole[i] for i in kept if i < len(whole)], [whole[i] for i in other if i < len(whole)]
    assert merged(left, right) == merged(right, left) == merged(merged(left, right), right)
    assert merged(left, whole) == whole


def test_a_log_is_read_as_it_was_written_and_left_alone_when_it_says_the_same(tmp_path: Path) -> None:
    entries = log(0, 1)
    write_log(tmp_path / "churn", entries)
    file = tmp_path / "churn" / LOG_FILE
    before = file.stat().st_mtime_ns
    assert read_log(tmp_path / "churn") == entries and "它更好" in file.read_text(encoding="utf-8")
    write_log(tmp_path / "churn", entries)
    assert file.stat().st_mtime_ns == before
    assert [path.name for path in (tmp_path / "churn").iterdir()] == [LOG_FILE]
    assert read_log(tmp_path / "nothing") == []


def test_a_new_champion_retires_the_one_before_it() -> None:
    entries = log(0, 1)
    assert [(item.model_version, item.status) for item in entries] == [
        ("v0", "champion"),
        ("v0", "retired"),
        ("v1", "champion"),
    ]
    assert entries[1].reason == "replaced by v1"


def test_an_operators_choice_is_recorded_reversible_and_can_be_released() -> None:
    entries = promoted(log(0, 1, 2), "v0", "v2 misses the winter", START)
    assert (champion(entries).model_version, champion(entries).promoted_by) == ("v0", "operator")  # pyright: ignore
    assert statuses(entries)["v2"].status == "retired" and statuses(entries)["v2"].promoted_by == "operator"
    back = rolled_back(entries, "it does not after all", START)
    assert champion(back).model_version == "v2"  # pyright: ignore
    free = released(back, "let runs decide", START)
    assert (champion(free).model_version, champion(free).promoted_by) == ("v2", "run")  # pyright: ignore
    assert len(free) == len(entries) + 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entries: promoted(entries, "v9", "", START), "there are: v0, v1"),
        (lambda entries: promoted(registered(entries, entry(5, "declined")), "v5", "", START), "no version 'v5'"),
        (lambda entries: promoted(promoted(entries, "v0", "", START), "v0", "", START), "already"),
        (lambda entries: rolled_back(log(0), "", START), "nothing to roll back to"),
        (lambda entries: rolled_back([], "", START), "nothing to roll back to"),
        (lambda entries: released(entries, "", START), "runs decide already"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_what_can(change, said: str) -> None:
    with pytest.raises(UnknownVersionError, match=said):
        change(log(0, 1))


def test_a_run_for_the_past_goes_by_what_was_decided_then() -> None:
    entries = log(0, 1, 2)
    at_one = known(entries, DAY + timedelta(days=1), START + timedelta(hours=1))
    # v1 is of this cut: what a run decided about it is this run's own; v2 does not exist yet.
    assert champion(at_one).model_version == "v1"  # pyright: ignore
    by_hand = promoted(entries[:3], "v0", "later, by hand", START + timedelta(days=9))
    assert champion(known(by_hand, DAY + timedelta(days=1), START + timedelta(hours=1))).model_version == "v1"  # pyright: ignore
    assert known(entries, DAY - timedelta(days=1), START + timedelta(days=99)) == []
