"""What tells one way of clustering members from another: its vectors and its names. What both share is in `pipeline`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Prepared:
    """Members and their vectors (n, d); `measures` are the same features in units that people read."""

    member_ids: list[str]
    features: list[str]
    vectors: NDArray[np.float64]
    measures: NDArray[np.float64]


# (features, z-scores (k, d), means (k, d)) -> a label (中文, English) per cluster.
Namer = Callable[[list[str], NDArray[np.float64], NDArray[np.float64]], list[tuple[str, str]]]


@dataclass(frozen=True)
class Scheme:
    """One way of clustering. Codes are the prefix and a number: J1, S3."""

    name: str
    prefix: str
    prepare: Callable[[pd.DataFrame], Prepared]
    name_clusters: Namer
