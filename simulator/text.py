"""Columns of text made by the column: ids, times, amounts and labels, as pyarrow strings. No row is touched in Python.

What a system writes belongs in `silos`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute

from simulator.config import UTC_OFFSET_SECONDS, SimulatorConfig
from simulator.population import NEVER

Text: TypeAlias = pa.Array
pc: Any = pyarrow.compute  # its functions are made on import: no type checker knows them
HEX = b"0123456789abcdef"
BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def encoded(numbers: np.ndarray, alphabet: bytes, width: int) -> Text:
    """Numbers written with an alphabet, `width` letters each (62 letters need 11 for 64 bits, 16 need 16)."""
    letters = np.frombuffer(alphabet, dtype="S1")
    left = numbers.astype(np.uint64)
    base = np.uint64(len(letters))
    result = np.empty((len(left), width), dtype="S1")
    for position in range(width - 1, -1, -1):
        result[:, position] = letters[(left % base).astype(np.int64)]
        left = left // base
    return pa.array(result.view(f"S{width}").ravel()).cast(pa.string())


def whole(numbers: np.ndarray) -> Text:
    return pa.array(numbers).cast(pa.string())


def padded(numbers: np.ndarray, width: int) -> Text:
    return pc.utf8_lpad(whole(numbers), width, "0")


def pick(labels: Sequence[str | None] | np.ndarray | Text, codes: np.ndarray) -> Text:
    """The label of each code; null for a code below 0."""
    values: Any = labels if isinstance(labels, pa.Array) else pa.array(list(labels), type=pa.string())
    codes = np.asarray(codes).astype(np.int64)
    return values.take(pa.array(codes, mask=codes < 0) if (codes < 0).any() else pa.array(codes))


def joined(*parts: Text | str) -> Text:
    """Parts side by side; null where one of them is."""
    return pc.binary_join_element_wise(*parts, "")


def where(mask: np.ndarray, yes: Text | str | None, no: Text | str | None) -> Text:
    return pc.if_else(
        pa.array(mask), pa.scalar(yes, pa.string()) if not isinstance(yes, pa.Array) else yes,
        pa.scalar(no, pa.string()) if not isinstance(no, pa.Array) else no,
    )  # fmt: skip


def instant(config: SimulatorConfig, seconds: np.ndarray) -> pa.Array:
    """Seconds of the period as naive local timestamps; null for NEVER."""
    origin = np.datetime64(config.start, "s").astype(np.int64)
    return pa.array(seconds.astype(np.int64) + origin, mask=seconds >= NEVER).cast(pa.timestamp("s"))


def clock(config: SimulatorConfig, seconds: np.ndarray) -> Text:
    """Local time as 2025-07-01 09:30:00; null for NEVER."""
    return instant(config, seconds).cast(pa.string())


def day(config: SimulatorConfig, days: np.ndarray) -> Text:
    """Days of the period as 2025-07-01."""
    origin = np.datetime64(config.start, "D").astype(np.int64)
    return pa.array((np.asarray(days).astype(np.int64) + origin).astype(np.int32)).cast(pa.date32()).cast(pa.string())


def epoch(config: SimulatorConfig, seconds: np.ndarray) -> np.ndarray:
    """Seconds of the period as seconds since 1970 UTC."""
    return seconds.astype(np.int64) + np.datetime64(config.start, "s").astype(np.int64) - UTC_OFFSET_SECONDS


def yuan(fen: np.ndarray) -> Text:
    """Fen as yuan with two decimals; amounts are never negative."""
    return joined(whole(fen // 100), ".", padded(fen % 100, 2))


def decimal(fen: np.ndarray) -> pa.Array:
    """Fen as decimal(18, 2) yuan, exactly; amounts are never negative."""
    return yuan(fen).cast(pa.decimal128(18, 2))


def full_width(text: Text) -> Text:
    """Digits as the full-width ones that a Chinese keyboard writes."""
    for digit, wide in zip("0123456789", "０１２３４５６７８９", strict=True):
        text = pc.replace_substring(text, digit, wide)
    return text
