"""Clusters of members: found where there are any, declined where not, the same code from refit to refit."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from ml.segments.clustering import Recipe, find_clusters, nearest
from ml.segments.journeys import JOURNEYS, MIN_STEPS, pair_columns
from ml.segments.matching import match_codes
from ml.segments.pipeline import CARD_COLUMNS, Segmentation, segment_members
from ml.segments.store import StoredCentres, StoredCentresError, load_newest, save_centres
from ml.segments.strata import STRATA

DAY, NEXT_DAY = date(2026, 7, 1), date(2026, 7, 2)
STEPS = ("browse", "search", "view", "content", "want", "buy", "service")
COLUMNS = [f"{first}_{second}_count" for first, second in itertools.product(("start", *STEPS), STEPS)]
# What three kinds of members do, as chances of pairs: seekers, readers and buyers.
KINDS = {
    "seekers": {"start_search_count": 2, "search_view_count": 6, "view_search_count": 5},
    "readers": {"start_content_count": 2, "content_content_count": 9, "content_browse_count": 2},
    "buyers": {"start_view_count": 2, "view_want_count": 4, "want_buy_count": 4, "buy_buy_count": 3},
}


def journeys(
    members: int = 900, seed: int = 1, kinds: dict[str, dict[str, int]] = KINDS
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    kind = np.arange(members) % len(kinds)
    chances = np.full((len(kinds), len(COLUMNS)), 0.05)
    for row, weights in enumerate(kinds.values()):
        for column, weight in weights.items():
            chances[row, COLUMNS.index(column)] = weight
    chances /= chances.sum(axis=1, keepdims=True)
    counts = np.array([random.multinomial(random.integers(40, 120), chances[k]) for k in kind])
    frame = pd.DataFrame(counts, columns=COLUMNS)
    frame.insert(0, "member_id", [f"m{number:04d}" for number in range(members)])
    frame.insert(1, "step_count", counts.sum(axis=1))
    frame.insert(2, "journey_day_count", counts[:, : len(STEPS)].sum(axis=1))
    return frame, kind


def codes(result: Segmentation) -> pd.Series:
    members = result.members.sort_values("member_id")
    return pd.Series(members["cluster_code"].tolist(), index=members["member_id"].tolist())


@pytest.fixture(scope="module")
def found() -> Segmentation:
    return segment_members(journeys()[0], JOURNEYS, DAY)


def test_known_kinds_are_found_named_and_described(found: Segmentation) -> None:
    kind = journeys()[1]
    assert adjusted_rand_score(kind, codes(found).to_numpy()) > 0.98
    assert list(found.cards.columns) == list(CARD_COLUMNS)
    assert sorted(found.cards["cluster_code"]) == ["J1", "J2", "J3"]
    assert min(found.cards["stability"]) >= 0.8 and all(found.cards["is_published"])
    assert sum(found.cards["member_count"]) == len(found.members) == 900
    assert np.isclose(found.cards["member_rate"].sum(), 1)
    labels = " | ".join(found.cards["label_en"])
    assert "content → content" in labels and "search → view" in labels and "want → buy" in labels
    assert found.cards["label_zh"].is_unique


def test_profiles_are_means_and_standard_scores(found: Segmentation) -> None:
    frame, _ = journeys()
    shares = frame[COLUMNS].div(frame[COLUMNS].sum(axis=1), axis=0)
    code = codes(found)
    for row in found.profiles.sample(20, random_state=3).to_dict("records"):
        column = f"{row['feature']}_count"
        inside = shares.loc[(code == row["cluster_code"]).to_numpy(), column]
        assert row["cluster_mean"] == pytest.approx(inside.mean())
        assert row["population_mean"] == pytest.approx(shares[column].mean())
        assert row["z_score"] == pytest.approx((inside.mean() - shares[column].mean()) / shares[column].std(ddof=0))


def test_the_same_members_give_the_same_in_any_order(found: Segmentation) -> None:
    frame, _ = journeys()
    again = segment_members(frame.sample(frac=1, random_state=5), JOURNEYS, DAY, found.stored)
    assert again.stored == found.stored and again.card == found.card
    assert codes(again).equals(codes(found))


def test_a_refit_on_other_members_keeps_codes_and_names(found: Segmentation) -> None:
    frame, kind = journeys(members=1_200, seed=9)
    # The smallest kind of before is the largest now: by size alone the codes would change places.
    kept = frame.loc[(kind != 0) | (np.arange(1_200) % 4 == 0)]
    later = segment_members(kept, JOURNEYS, NEXT_DAY, found.stored)
    assert later.stored is not None and found.stored is not None
    both = pd.concat([codes(found), codes(later)], axis=1, keys=["before", "now"]).dropna()
    assert len(both) > 400 and np.mean(both["before"] == both["now"]) > 0.98
    names = dict(zip(found.stored.codes, found.stored.labels, strict=True))
    assert all(names[code] == label for code, label in zip(later.stored.codes, later.stored.labels, strict=True))


def test_a_new_kind_gets_a_number_never_used(found: Segmentation) -> None:
    kinds = {
        "readers": KINDS["readers"],
        "buyers": KINDS["buyers"],
        "askers": {"start_service_count": 5, "service_service_count": 9},
    }
    later = segment_members(journeys(kinds=kinds)[0], JOURNEYS, NEXT_DAY, found.stored)
    assert later.stored is not None and found.stored is not None
    gone = set(found.stored.codes) - set(later.stored.codes)
    assert set(later.stored.codes) - set(found.stored.codes) == {"J4"} and set(later.stored.retired_codes) == gone
    third = segment_members(journeys()[0], JOURNEYS, date(2026, 7, 3), later.stored)
    assert third.stored is not None and gone.isdisjoint(third.stored.codes) and "J5" in third.stored.codes


def test_noise_is_not_published() -> None:
    random = np.random.default_rng(2)
    recipe = Recipe(bootstraps=5)
    result = find_clusters(random.normal(size=(800, 12)), recipe)
    assert result.centres is None and result.reason.startswith("not stable")
    assert all(candidate.stability is not None for candidate in result.candidates)


def test_too_few_and_too_equal_members_are_declined_with_the_reason() -> None:
    few = segment_members(journeys(members=200)[0], JOURNEYS, DAY)
    assert few.stored is None and few.members.empty and few.profiles.empty
    assert few.cards["verdict"].tolist() == ["not published: 200 members, fewer than 300"]
    assert few.cards["cluster_code"].tolist() == ["none"] and not any(few.cards["is_published"])
    frame, _ = journeys()
    alike = frame.assign(**dict.fromkeys(COLUMNS, 1), step_count=len(COLUMNS))
    assert "too few for 3 clusters" in segment_members(alike, JOURNEYS, DAY).cards["verdict"].iloc[0]
    assert segment_members(frame.iloc[:0], JOURNEYS, DAY).stored is None


def test_members_with_few_steps_are_in_no_cluster() -> None:
    frame, _ = journeys()
    short = frame.assign(step_count=frame["step_count"].where(frame.index > 9, MIN_STEPS - 1))
    assert set(frame["member_id"]) - set(segment_members(short, JOURNEYS, DAY).members["member_id"]) == set(
        frame["member_id"][:10]
    )


def strata_frame(members: int = 900) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    frame, _ = journeys(members)
    random = np.random.default_rng(4)
    kind = np.arange(members) % 3
    buys = kind == 0
    # Repurchasers, the silent with nothing at all, and those who read and have never bought.
    frame.loc[kind == 1, ["step_count", "journey_day_count", *COLUMNS]] = np.nan
    frame.loc[kind == 2, COLUMNS] = 0
    frame.loc[kind == 2, "content_content_count"] = frame["step_count"]
    return frame.assign(
        recency_days=np.where(
            buys, random.integers(1, 20, members), np.where(kind == 1, random.integers(200, 300, members), np.nan)
        ),
        order_count_180d=np.where(buys, random.integers(5, 12, members), np.where(kind == 1, 0, np.nan)),
        spend_amount_180d=np.where(buys, random.gamma(5, 200, members), np.where(kind == 1, 0, np.nan)),
        mean_order_amount_180d=np.where(buys, random.gamma(5, 30, members), np.nan),
        category_count_90d=np.where(buys, random.integers(3, 6, members), np.where(kind == 1, 0, np.nan)),
        discount_rate_90d=np.where(buys, random.uniform(0.1, 0.2, members), np.nan),
        refund_rate_180d=np.where(buys, 0.0, np.nan),
    ), kind


def test_strata_are_called_by_archetypes() -> None:
    frame, kind = strata_frame()
    result = segment_members(frame, STRATA, DAY)
    names = dict(zip(result.cards["cluster_code"], result.cards["label_en"], strict=True))
    called = pd.DataFrame({"kind": kind, "name": codes(result).map(names).to_numpy()}).value_counts().reset_index()
    most = called.drop_duplicates("kind").set_index("kind")["name"].to_dict()
    assert most == {0: "core repurchasers", 1: "silent, not activated", 2: "content-engaged, not converted"}


def test_nobody_is_engaged_with_content_where_there_is_none() -> None:
    frame, _ = strata_frame()
    silent = frame.assign(**dict.fromkeys(["step_count", "journey_day_count", *COLUMNS], np.nan))
    result = segment_members(silent, STRATA, DAY, recipe=Recipe(cluster_counts=(2, 3)))
    assert result.stored is not None
    assert not any("content" in name or "wishes" in name or "explorers" in name for name in result.cards["label_en"])


# ---- codes


coordinates = st.floats(-100, 100, allow_nan=False, width=32)
centres = st.integers(1, 5).flatmap(lambda count: arrays(np.float64, (count, 2), elements=coordinates))


@settings(max_examples=100, deadline=None)
@given(new=centres, stored=centres, data=st.data())
def test_codes_are_unique_and_pairs_are_the_cheapest(
    new: NDArray[np.float64], stored: NDArray[np.float64], data: st.DataObject
) -> None:
    names = [f"J{number + 1}" for number in data.draw(st.permutations(range(len(stored))))]
    given_codes = match_codes(new, stored, names, "J", retired_codes=["J9"])
    assert len(set(given_codes)) == len(new) and "J9" not in given_codes
    fresh = [code for code in given_codes if code not in names]
    assert all(int(code[1:]) > 9 for code in fresh)
    # Where all were continued, no other pairing is shorter: all of them are tried.
    if not fresh and len(new) == len(stored):
        distance = np.linalg.norm(new[:, None] - stored[None], axis=2)
        chosen = sum(distance[row, names.index(code)] for row, code in enumerate(given_codes))
        best = min(
            sum(distance[row, column] for row, column in enumerate(order))
            for order in itertools.permutations(range(len(stored)))
        )
        assert chosen == pytest.approx(best)


def test_centres_of_other_features_cannot_be_matched() -> None:
    with pytest.raises(ValueError, match="stored centres have 3 features, new ones 2"):
        match_codes(np.zeros((2, 2)), np.zeros((2, 3)), ["J1", "J2"], "J")


def test_other_features_begin_new_codes(found: Segmentation) -> None:
    assert found.stored is not None
    earlier = replace(found.stored, features=[*found.stored.features[:-1], "start_other"])
    later = segment_members(journeys()[0], JOURNEYS, NEXT_DAY, earlier)
    assert later.stored is not None
    assert later.stored.codes == ["J4", "J5", "J6"] and later.stored.retired_codes == ["J1", "J2", "J3"]


def test_the_nearest_of_two_as_near_is_the_first() -> None:
    assigned, distances = nearest(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    assert assigned.tolist() == [0, 0] and distances.tolist() == [1.0, 1.0]


def test_pairs_are_read_off_the_columns() -> None:
    assert pair_columns(pd.DataFrame(columns=["member_id", "step_count", "journey_day_count", *COLUMNS])) == COLUMNS


# ---- stored centres


def stored_at(day: str, codes: list[str] | None = None) -> StoredCentres:
    names = codes or ["J1"]
    return StoredCentres(
        f"v-{day}", day, ["a", "b"], names, [["一", "one"]] * len(names), [[0.1, 0.2]] * len(names), []
    )


def test_the_newest_that_is_not_after_the_cut_is_loaded(tmp_path: Path) -> None:
    assert load_newest(tmp_path, DAY) is None
    for day in ("2026-06-30", "2026-07-01", "2026-07-02"):
        save_centres(stored_at(day), f"card of {day}\n", tmp_path)
    assert load_newest(tmp_path, DAY) == stored_at("2026-07-01")
    save_centres(stored_at("2026-07-01", ["J1", "J2"]), "again\n", tmp_path)
    assert load_newest(tmp_path, DAY) == stored_at("2026-07-01", ["J1", "J2"])
    assert sorted(path.name for path in (tmp_path / "2026-07-01").iterdir()) == ["card.md", "centres.json"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"model_version": "x"}', "cos\nsystem\n"])
def test_a_file_that_holds_no_centres_is_named_and_not_run(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "segments_journeys"
    save_centres(stored_at("2026-07-01"), "card\n", folder)
    (folder / "2026-07-01" / "centres.json").write_text(text, encoding="utf-8")
    with pytest.raises(
        StoredCentresError, match=r"segments_journeys/2026-07-01/centres.json: holds no centres; remove"
    ):
        load_newest(folder, DAY)
