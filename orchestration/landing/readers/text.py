"""Text files as plain UTF-8 that DuckDB reads itself: unpacked within bounds, transcoded where they are not UTF-8."""

from __future__ import annotations

import codecs
import gzip
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import SourceFile

UTF8 = {"utf-8", "utf-8-sig", "ascii"}
# A packed file may grow to this many times its size; text of logs and exports packs to a tenth, seldom to a fiftieth.
MAX_PACKING_RATIO = 200
# … and a small one to this size whatever its ratio, in bytes.
TOLERATED_BYTES = 64 << 20
_CHUNK = 1 << 20
_REPLACED = "\ufffd"
_MARK = "\ufeff"  # byte order mark


@dataclass(frozen=True)
class Plain:
    """A file that DuckDB can read. `is_copy`: made by `plain`, to be removed; `has_replaced`: some bytes were unreadable."""

    path: Path
    is_copy: bool = False
    has_replaced: bool = False


def is_packed(file: SourceFile) -> bool:
    return file.path.suffix.casefold() == ".gz"


def refuse_bomb(file: SourceFile, unpacked_bytes: int) -> None:
    """Raise LandingError when a packed file has grown beyond all likelihood."""
    packed = file.path.stat().st_size
    if unpacked_bytes > TOLERATED_BYTES and unpacked_bytes > MAX_PACKING_RATIO * packed:
        raise LandingError(
            f"{file.name}: unpacks to more than {MAX_PACKING_RATIO} times its {packed:,} bytes, as no export does; "
            "deliver it again, or unpacked"
        )


def chunks(file: SourceFile) -> Iterator[bytes]:
    """The file's content, unpacked, piece by piece. Raises LandingError for a broken or outrageous packed file."""
    if not is_packed(file):
        with file.path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
        return
    unpacked = 0
    try:
        with gzip.open(file.path, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                unpacked += len(chunk)
                refuse_bomb(file, unpacked)
                yield chunk
    except (OSError, EOFError, zlib.error) as error:
        raise LandingError(
            f"{file.name}: cannot be unpacked ({type(error).__name__}); deliver it again, or without .gz in its name"
        ) from error


def head(file: SourceFile, encoding: str, size: int) -> str:
    """The first `size` bytes as text; what cannot be decoded shows as U+FFFD."""
    pieces, length = [], 0
    for chunk in chunks(file):
        pieces.append(chunk)
        length += len(chunk)
        if length >= size:
            break
    # Incremental, because the last character may be cut in two.
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding in UTF8 else encoding)(errors="replace")
    return decoder.decode(b"".join(pieces)[:size]).removeprefix(_MARK)


def plain(file: SourceFile, encoding: str, tmp: Path, skip_lines: int = 0) -> Plain:
    """The file as plain UTF-8 from its line `skip_lines` on: itself where it is that already, else a copy in `tmp`.

    Lines are skipped here, as they stand: DuckDB takes a quote in a title for the start of a field of many lines.
    """
    if encoding in UTF8 and not is_packed(file) and not skip_lines:
        return Plain(file.path)
    target = tmp / f"plain-{file.path.name}.txt"
    room = Room(file, tmp)
    found = _Replaced()
    # What is UTF-8 already is judged by DuckDB: it passes through as it is.
    pieces = chunks(file) if encoding in UTF8 else _transcoded(file, encoding, found)
    try:
        with target.open("wb") as writing:
            for piece in _without_lines(pieces, skip_lines):
                room.take(len(piece))
                writing.write(piece)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Plain(target, is_copy=True, has_replaced=found.any)


class Room:
    """How much a copy of a file may take of the disk: half of what is free."""

    def __init__(self, file: SourceFile, folder: Path) -> None:
        self.file, self.left = file, shutil.disk_usage(folder).free // 2

    def take(self, size: int) -> None:
        """Count `size` bytes. Raises LandingError when they no longer fit."""
        self.left -= size
        if self.left < 0:
            raise LandingError(f"{self.file.name}: does not fit unpacked into half of the free disk; make room for it")


@dataclass
class _Replaced:
    any: bool = False


def _transcoded(file: SourceFile, encoding: str, found: _Replaced) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    is_first = True
    for chunk, is_last in _told_last(chunks(file)):
        text = decoder.decode(chunk, final=is_last)
        if is_first and text:
            text, is_first = text.removeprefix(_MARK), False
        found.any = found.any or _REPLACED in text
        yield text.encode("utf-8")


def _told_last(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    for piece in pieces:
        yield piece, False
    yield b"", True


def _without_lines(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        if not count:
            yield piece
            continue
        rest += piece
        lines = rest.splitlines(keepends=True)
        if len(lines) > count:  # the last one may be cut in two
            yield b"".join(lines[count:])
            count, rest = 0, b""
