"""K-means with a number of clusters that the data bear out: by silhouette, among those that come back from resampled members.

Vectors in, centres and memberships out. What vectors mean belongs in `journeys` and `strata`, which code a cluster has in
`matching`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

Vectors = NDArray[np.float64]
Labels = NDArray[np.int64]

# Centres are kept to so many decimals: sums in another order differ after the fifteenth, and must not make another model.
CENTRE_DECIMALS = 6


@dataclass(frozen=True)
class Recipe:
    """How clusters are looked for. Every figure that decides about publishing stands here."""

    cluster_counts: tuple[int, ...] = (3, 4, 5, 6, 7, 8)
    # Fewer members than this are looked at one by one, not clustered.
    min_members: int = 300
    # Mean adjusted Rand index over the bootstrap: 1 = the same clusters every time, 0 = chance. Below .8 they are not published.
    min_stability: float = 0.8
    bootstraps: int = 10
    # Members judged for silhouette (quadratic in them) and drawn per bootstrap.
    silhouette_members: int = 1_500
    bootstrap_members: int = 3_000
    seed: int = 20_260_701


@dataclass(frozen=True)
class Candidate:
    """One number of clusters. `stability` is None where a better candidate was found stable first."""

    cluster_count: int
    silhouette: float
    stability: float | None


@dataclass(frozen=True, eq=False)
class Clustering:
    """What was found; `reason` says why not where `centres` is None. Memberships are rows of `centres`, by nearness."""

    candidates: tuple[Candidate, ...]
    reason: str
    centres: Vectors | None = None
    chosen: Candidate | None = None
    assigned: Labels = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    distances: Vectors = field(default_factory=lambda: np.empty(0, dtype=np.float64))


def find_clusters(vectors: Vectors, recipe: Recipe) -> Clustering:
    """Clusters of the rows of `vectors` (n, d), largest first. The same rows in the same order give the same result."""
    distinct = len(np.unique(vectors, axis=0)) if len(vectors) else 0
    if len(vectors) < recipe.min_members:
        return Clustering((), f"{len(vectors)} members, fewer than {recipe.min_members}")
    counts = [count for count in recipe.cluster_counts if count < distinct]
    if not counts:
        return Clustering((), f"{distinct} different members, too few for {min(recipe.cluster_counts)} clusters")
    random = np.random.default_rng(recipe.seed)
    judged = vectors[random.permutation(len(vectors))[: recipe.silhouette_members]]
    # One thread: the order of sums, and with it the last digits of centres, depends on how many there are.
    with threadpool_limits(limits=1):
        fitted = {count: _centres(vectors, count, recipe.seed, attempts=3) for count in counts}
        silhouettes = {count: _silhouette(judged, centres) for count, centres in fitted.items()}
        candidates: list[Candidate] = []
        chosen: Candidate | None = None
        for count in sorted(counts, key=lambda count: (-silhouettes[count], count)):
            stability = None if chosen else stability_of(vectors, fitted[count], recipe)
            candidate = Candidate(count, silhouettes[count], stability)
            candidates.append(candidate)
            if stability is not None and stability >= recipe.min_stability:
                chosen = candidate
    if chosen is None:
        best = max(c.stability or 0.0 for c in candidates)
        return Clustering(
            tuple(candidates),
            f"not stable: the best mean ARI over bootstraps is {best:.2f}, below {recipe.min_stability}",
        )
    centres = _by_size(vectors, fitted[chosen.cluster_count])
    assigned, distances = nearest(vectors, centres)
    return Clustering(tuple(candidates), "", centres, chosen, assigned, distances)


def nearest(vectors: Vectors, centres: Vectors) -> tuple[Labels, Vectors]:
    """Index of, and Euclidean distance to, each row's nearest centre; of two as near the first."""
    squared = (vectors**2).sum(axis=1)[:, None] - 2 * vectors @ centres.T + (centres**2).sum(axis=1)[None, :]
    squared = np.round(np.maximum(squared, 0.0), 12)
    assigned = squared.argmin(axis=1)
    return assigned.astype(np.int64), np.sqrt(squared[np.arange(len(vectors)), assigned])


def stability_of(vectors: Vectors, centres: Vectors, recipe: Recipe) -> float:
    """Mean adjusted Rand index between these clusters and those of members drawn with replacement (Hubert and Arabie 1985).

    Both label the same members: a sample that no draw decides.
    """
    random = np.random.default_rng(recipe.seed + 1)
    judged = vectors[random.permutation(len(vectors))[: recipe.bootstrap_members]]
    expected, _ = nearest(judged, centres)
    drawn = min(len(vectors), recipe.bootstrap_members)
    agreements = []
    for number in range(recipe.bootstraps):
        sample = vectors[random.integers(0, len(vectors), size=drawn)]
        found, _ = nearest(judged, _centres(sample, len(centres), recipe.seed + number, attempts=2))
        agreements.append(adjusted_rand_score(expected, found))
    return float(np.mean(agreements))


def _centres(vectors: Vectors, count: int, seed: int, attempts: int) -> Vectors:
    settings: dict[str, Any] = {"n_init": attempts, "random_state": seed, "max_iter": 100}
    model = KMeans(n_clusters=count, **settings).fit(vectors)
    return np.round(np.asarray(model.cluster_centers_, dtype=np.float64), CENTRE_DECIMALS)


def _silhouette(vectors: Vectors, centres: Vectors) -> float:
    labels, _ = nearest(vectors, centres)
    return float(silhouette_score(vectors, labels)) if len(np.unique(labels)) > 1 else -1.0


def _by_size(vectors: Vectors, centres: Vectors) -> Vectors:
    """Largest cluster first; of equals by their coordinates. A cluster that rounding emptied is dropped."""
    labels, _ = nearest(vectors, centres)
    sizes = np.bincount(labels, minlength=len(centres))
    order = sorted(np.flatnonzero(sizes), key=lambda index: (-sizes[index], tuple(centres[index])))
    return centres[order]
