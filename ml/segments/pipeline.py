"""From members' sums to clusters with stable codes, profile cards and what is stored of them.

Pure: frames and an earlier model in, a result out. Tables and files are written by `orchestration`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
import pandas as pd
import sklearn
from numpy.typing import NDArray

from ml.segments.clustering import Clustering, Recipe, find_clusters
from ml.segments.matching import match_codes
from ml.segments.scheme import Prepared, Scheme
from ml.segments.store import StoredCentres

MEMBER_COLUMNS = ("scheme", "member_id", "model_version", "cluster_code", "distance", "as_of_date")
CARD_COLUMNS = (
    "scheme",
    "model_version",
    "cluster_code",
    "label_zh",
    "label_en",
    "verdict",
    "distinguished_by",
    "member_count",
    "cluster_count",
    "member_rate",
    "silhouette",
    "stability",
    "is_published",
    "as_of_date",
)
PROFILE_COLUMNS = (
    "scheme",
    "model_version",
    "cluster_code",
    "feature",
    "cluster_mean",
    "population_mean",
    "z_score",
    "as_of_date",
)
# Features named in a card; all of them are in the profiles.
NAMED_FEATURES = 4


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Clusters of one scheme at one cut. Without them (`stored` is None) there is one card, which says why."""

    members: pd.DataFrame  # MEMBER_COLUMNS, a row per clustered member
    cards: pd.DataFrame  # CARD_COLUMNS, a row per cluster
    profiles: pd.DataFrame  # PROFILE_COLUMNS, a row per cluster and feature
    stored: StoredCentres | None
    card: str  # the cards as a page


def segment_members(
    frame: pd.DataFrame,
    scheme: Scheme,
    as_of_date: date,
    earlier: StoredCentres | None = None,
    recipe: Recipe | None = None,
) -> Segmentation:
    """Cluster the members of `frame` (one row per member_id, any order) as of a cut; `earlier` gives codes and labels.

    A cluster that continues a stored one keeps its code and its label. The same frame and the same earlier model give the
    same result, and the model that comes of it gives itself again.
    """
    recipe = recipe or Recipe()
    prepared = scheme.prepare(frame.sort_values("member_id", kind="stable").reset_index(drop=True))
    found = find_clusters(prepared.vectors, recipe)
    if found.centres is None or found.chosen is None:
        return _declined(scheme, found, as_of_date)
    means, population, z_scores = _profile(prepared, found)
    codes, labels = _named(scheme, prepared, found.centres, z_scores, means, earlier)
    sizes = np.bincount(found.assigned, minlength=len(codes))
    version = _version(scheme, prepared, found.centres, codes, labels, recipe, as_of_date)
    cards = pd.DataFrame(
        [
            (
                scheme.name, version, code, *label, "published",
                _distinguished_by(prepared.features, scores), int(size), len(codes), float(size / sizes.sum()),
                found.chosen.silhouette, found.chosen.stability, True, as_of_date,
            )
            for code, label, scores, size in zip(codes, labels, z_scores, sizes, strict=True)
        ],
        columns=list(CARD_COLUMNS),
    )  # fmt: skip
    profiles = pd.DataFrame(
        [
            (scheme.name, version, code, feature, float(mean), float(overall), float(score), as_of_date)
            for code, row, scores in zip(codes, means, z_scores, strict=True)
            for feature, mean, overall, score in zip(prepared.features, row, population, scores, strict=True)
        ],
        columns=list(PROFILE_COLUMNS),
    )
    members = pd.DataFrame(
        {
            "scheme": scheme.name,
            "member_id": prepared.member_ids,
            "model_version": version,
            "cluster_code": np.array(codes, dtype=object)[found.assigned],
            "distance": found.distances,
            "as_of_date": as_of_date,
        }
    )
    retired = sorted({*(earlier.codes if earlier else []), *(earlier.retired_codes if earlier else [])} - set(codes))
    stored = StoredCentres(
        version,
        as_of_date.isoformat(),
        prepared.features,
        codes,
        [list(label) for label in labels],
        found.centres.tolist(),
        retired,
    )
    return Segmentation(members, cards, profiles, stored, _page(scheme, cards, found))


def _named(
    scheme: Scheme,
    prepared: Prepared,
    centres: NDArray[np.float64],
    z_scores: NDArray[np.float64],
    means: NDArray[np.float64],
    earlier: StoredCentres | None,
) -> tuple[list[str], list[tuple[str, str]]]:
    """Codes and labels. Centres of other features cannot be compared: their codes are left unused."""
    comparable = earlier is not None and earlier.features == prepared.features
    stored = np.array(earlier.centres if earlier and comparable else [], dtype=np.float64).reshape(-1, centres.shape[1])
    stored_codes = earlier.codes if earlier and comparable else []
    retired = [*earlier.retired_codes, *([] if comparable else earlier.codes)] if earlier else []
    codes = match_codes(centres, stored, stored_codes, scheme.prefix, retired)
    kept = {code: (zh, en) for code, (zh, en) in zip(earlier.codes, earlier.labels, strict=True)} if earlier else {}
    labels = list(scheme.name_clusters(prepared.features, z_scores, means))
    taken = {kept[code] for code in codes if code in kept}
    for index, code in enumerate(codes):
        if code in kept:
            labels[index] = kept[code]
        elif labels[index] in taken:
            # Two clusters that differ in what no label says: the code tells them apart.
            labels[index] = (f"{labels[index][0]}（{code}）", f"{labels[index][1]} ({code})")
        taken.add(labels[index])
    return codes, labels


def _profile(
    prepared: Prepared, found: Clustering
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Means by cluster (k, d), of all (d,), and by how many standard deviations of members they differ (k, d)."""
    count = len(found.centres if found.centres is not None else [])
    means = np.array([prepared.measures[found.assigned == index].mean(axis=0) for index in range(count)])
    population, spread = prepared.measures.mean(axis=0), prepared.measures.std(axis=0)
    return means, population, (means - population) / np.where(spread > 0, spread, np.inf)


def _distinguished_by(features: list[str], scores: NDArray[np.float64]) -> str:
    order = sorted(range(len(features)), key=lambda index: (-abs(scores[index]), features[index]))[:NAMED_FEATURES]
    return ", ".join(f"{features[index]} {scores[index]:+.2f}" for index in order)


def _version(
    scheme: Scheme,
    prepared: Prepared,
    centres: NDArray[np.float64],
    codes: list[str],
    labels: list[tuple[str, str]],
    recipe: Recipe,
    as_of_date: date,
) -> str:
    digest = hashlib.sha256()
    parts = [asdict(recipe), prepared.features, codes, labels, centres.tolist(), sklearn.__version__]
    digest.update(json.dumps(parts, ensure_ascii=False).encode())
    digest.update("\n".join(prepared.member_ids).encode())
    digest.update(np.round(prepared.vectors, 9).tobytes())
    return f"{scheme.name}-{as_of_date:%Y%m%d}-{digest.hexdigest()[:10]}"


def _declined(scheme: Scheme, found: Clustering, as_of_date: date) -> Segmentation:
    row = dict.fromkeys(CARD_COLUMNS) | {
        "scheme": scheme.name,
        "model_version": f"{scheme.name}-{as_of_date:%Y%m%d}-none",
        "cluster_code": "none",
        "label_zh": "未发布",
        "label_en": "not published",
        "verdict": f"not published: {found.reason}",
        "member_count": 0,
        "cluster_count": 0,
        "is_published": False,
        "as_of_date": as_of_date,
    }
    cards = pd.DataFrame([row], columns=list(CARD_COLUMNS))
    empty = [pd.DataFrame(columns=list(names)) for names in (MEMBER_COLUMNS, PROFILE_COLUMNS)]
    return Segmentation(empty[0], cards, empty[1], None, _page(scheme, cards, found))


def _page(scheme: Scheme, cards: pd.DataFrame, found: Clustering) -> str:
    lines = [f"# {scheme.name}: {cards['model_version'].iloc[0]}", "", str(cards["verdict"].iloc[0]), ""]
    lines += ["| clusters | silhouette | stability |", "|--:|--:|--:|"]
    lines += [
        f"| {c.cluster_count} | {c.silhouette:.3f} | {'' if c.stability is None else f'{c.stability:.3f}'} |"
        for c in found.candidates
    ]
    if found.chosen is not None:
        lines += ["", "| code | 名称 | name | members | share | by standard deviations |", "|---|---|---|--:|--:|---|"]
        lines += [
            f"| {row['cluster_code']} | {row['label_zh']} | {row['label_en']} | {row['member_count']} "
            f"| {row['member_rate']:.1%} | {row['distinguished_by']} |"
            for row in cards.to_dict("records")
        ]
    return "\n".join(lines) + "\n"
