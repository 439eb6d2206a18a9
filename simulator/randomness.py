"""Seeded randomness and exact arithmetic that every process shares; no distribution of the brand.

Each process draws for each cohort from a generator of its own, so that adding draws to one leaves the others as they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

Array = np.ndarray


def generator(seed: int, process: str, cohort: int = 0) -> np.random.Generator:
    """The generator of one process and cohort. A process is named, not numbered: renumbering cannot change a brand."""
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(process.encode()), cohort)))
    )


def scramble(numbers: Array, salt: int) -> Array:
    """A bijection of 64-bit numbers (splitmix64): ids that are unique, look random and need no draw."""
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) + np.uint64(salt) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform_of(numbers: Array, salt: int) -> Array:
    """A number in [0, 1) that belongs to each id, whoever asks."""
    return (scramble(numbers, salt) >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def choose(rng: np.random.Generator, shares: Sequence[float] | Array, size: int) -> Array:
    """Positions drawn with the given shares (any positive numbers)."""
    cumulative = np.cumsum(np.asarray(shares, dtype=np.float64))
    return np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right").clip(max=len(cumulative) - 1)


def choose_by_row(rng: np.random.Generator, cumulative: Array, rows: Array) -> Array:
    """One position per element of `rows`, with the shares of its row; `cumulative` (rows x options) ends each in 1."""
    drawn = rng.random(len(rows))
    result = np.zeros(len(rows), dtype=np.int16)
    for option in range(cumulative.shape[1] - 1):  # options are few; a row at a time would be slow
        result += drawn >= cumulative[rows, option]
    return result


def split_exactly(total: Array, weights: Array, group: Array) -> Array:
    """Split each group's whole number `total[g]` over its elements by weight, exactly.

    `group` is the group of each element, ascending, and `total` has one number per group. Rounds the running sum, so the
    parts of a group always add up; a group of weight 0 gives everything to its last element.
    """
    if not len(group):
        return np.zeros(0, dtype=np.int64)
    running = np.cumsum(weights, dtype=np.float64)
    last = np.flatnonzero(np.append(group[1:] != group[:-1], True))
    first = np.append(0, last[:-1] + 1)
    before = np.zeros(len(total))
    whole = np.zeros(len(total))
    before[group[first]] = running[first] - weights[first]
    whole[group[last]] = running[last]
    size = np.maximum(whole - before, 1e-12)
    reached = np.floor(total[group] * ((running - before[group]) / size[group]) + 0.5).astype(np.int64)
    reached[last] = total[group[last]]
    parts = reached.copy()
    parts[1:] -= np.where(group[1:] == group[:-1], reached[:-1], 0)
    return parts


def within_group(group: Array) -> Array:
    """Number of each element within its group, from 0; equal groups stand together."""
    if not len(group):
        return np.zeros(0, dtype=np.int64)
    starts = np.append(True, group[1:] != group[:-1])
    first = np.flatnonzero(starts)
    return np.arange(len(group)) - np.repeat(first, np.diff(np.append(first, len(group))))
