"""Delimited text that DuckDB cannot take apart without loss, gone through line by line before DuckDB reads it.

From a quote that is never closed DuckDB reads on over any number of good records, and keeps 10,000 characters of them.
It gives up on a file whose lines end in different ways, and counts blank lines when it numbers what it rejects.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import SourceFile
from orchestration.landing.readers.text import Room

# A field that goes on over more lines than this was never closed: reviews and addresses have a dozen at most.
MAX_FIELD_LINES = 500
# Stands for a carriage return inside a record; a noncharacter, which no text holds.
RETURN_MARK = "\ufdd0"
_RETURN = re.compile(r"\r(?!\n)")
_HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class BadLine:
    """A line that is no record. `before`: the number of records, the header too, that stand before it."""

    before: int
    text: str


@dataclass
class Careful:
    """The records that were copied, the lines set aside, and whether carriage returns are marked in the copy."""

    records: int = 0
    bad: list[BadLine] = field(default_factory=list)
    has_marks: bool = False


def line_count(path: Path) -> int:
    """Lines of a text file, the last one too where nothing ends it."""
    lines, last = 0, b"\n"
    with path.open("rb") as reading:
        while chunk := reading.read(_HEAD_BYTES):
            lines, last = lines + chunk.count(b"\n"), chunk[-1:]
    return lines + (last != b"\n")


def set_apart(file: SourceFile, path: Path, target: Path, delimiter: str, quote: str) -> Careful:
    """Copy a UTF-8 text with one kind of line end, without blank lines and lines of which a quote is never closed.

    Raises LandingError when its first line, the one that names the columns, is such a line.
    """
    room, found = Room(file, target.parent), Careful()
    grammar = _Grammar(delimiter, quote) if quote else None
    with target.open("wb") as writing:
        for record, is_whole in _records(_lines(path), grammar):
            content = record.rstrip("\r\n")
            if not is_whole:
                if not found.records:
                    raise LandingError(f"{file.name}: a quote of its first line is never closed; deliver it again")
                found.bad.append(BadLine(found.records, _encoded(content).decode("utf-8", "replace")))
                continue
            if not content:
                continue
            if "\r" in content:
                content, marked = _RETURN.subn(RETURN_MARK, content)
                found.has_marks = found.has_marks or marked > 0
            written = _encoded(content + "\n")
            room.take(len(written))
            writing.write(written)
            found.records += 1
    return found


def _encoded(text: str) -> bytes:
    # Bytes that are no UTF-8 stay what they are: DuckDB rejects their record.
    return text.encode("utf-8", "surrogateescape")


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as reading:
        head = reading.read(_HEAD_BYTES)
        reading.seek(0)
        ended = _ended_by_return(reading) if b"\r" in head and b"\n" not in head else reading
        for line in ended:
            yield line.decode("utf-8", "surrogateescape")


def _ended_by_return(reading: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in reading:
        *whole, rest = (rest + piece).split(b"\r")
        yield from (line + b"\n" for line in whole)
    yield rest


class _Grammar:
    """What a record looks like: fields in quotes, in which two quotes are one, and fields that do not begin with one."""

    def __init__(self, delimiter: str, quote: str) -> None:
        d, q = re.escape(delimiter), re.escape(quote)
        # Possessive: there is one way to read a field, and no second try.
        inside = f"[^{q}]*+(?:{q}{q}[^{q}]*+)*+"
        quoted = f"{q}{inside}{q} *"
        bare = f"(?:[^{q}{d}\n][^{d}\n]*+)?+"
        one = f"(?:{quoted}|{bare})"
        rest = f"(?:{d}{one})*+[\r\n]*"
        self.quote = quote
        self.whole = re.compile(one + rest)
        # The first line of a field of several, one of its middle, and its last; the last may begin another one.
        self.opens = re.compile(f"(?:{one}{d})*?{q}{inside}")
        self.goes_on = re.compile(inside)
        self.closes = re.compile(f"{inside}{q} *{rest}")
        self.reopens = re.compile(f"{inside}{q} *(?:{d}{one})*?{d}{q}{inside}")


def _records(lines: Iterator[str], grammar: _Grammar | None) -> Iterator[tuple[str, bool]]:
    """(record with its line end, whether it is one)."""
    waiting: deque[str] = deque()
    while (line := waiting.popleft() if waiting else next(lines, None)) is not None:
        if grammar is None or grammar.quote not in line or grammar.whole.fullmatch(line):
            yield line, True
            continue
        more = _rest_of_record(lines, waiting, grammar) if grammar.opens.fullmatch(line) else 0
        yield "".join([line, *(waiting.popleft() for _ in range(more))]), more > 0


def _rest_of_record(lines: Iterator[str], waiting: deque[str], grammar: _Grammar) -> int:
    """How many more lines belong to a record whose quote is open; 0 when it is never closed. They are put in `waiting`."""
    for position in range(MAX_FIELD_LINES):
        if position == len(waiting):
            line = next(lines, None)
            if line is None:
                return 0
            waiting.append(line)
        line = waiting[position]
        if grammar.goes_on.fullmatch(line):
            continue
        if grammar.closes.fullmatch(line):
            return position + 1
        if not grammar.reopens.fullmatch(line):
            return 0
    return 0
