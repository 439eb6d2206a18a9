"""How a file is written: its kind, encoding, delimiter, header, and what of its path varies from file to file.

Looks at the head of a file and gives the `reader` of a source. What its columns hold belongs in `shapes`.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.brands import DATE_PLACEHOLDER, WHITESPACE
from orchestration.landing.errors import LandingError

HEAD_BYTES = 4 << 20  # what is looked at of a text file
_RECORDS = 500  # what is looked at to tell delimiters apart
TITLE_LINES = 10  # an export has no more lines above its header
_EVEN = 0.9  # share of the records that must have the same number of fields
_DELIMITERS = (",", "\t", ";", "|", "\x01")
_EXTENSIONS = {"csv": "csv", "tsv": "csv", "txt": "csv", "dat": "csv", "jsonl": "jsonl", "ndjson": "jsonl"}
_EXTENSIONS |= {"parquet": "parquet", "xlsx": "excel"}
_MAGIC = {b"PAR1": "parquet", b"PK\x03\x04": "excel"}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_GZIP = b"\x1f\x8b"
_NULLS = ("null", "NULL", r"\N", "#N/A", "NaN")
_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_COMPACT_DATE = re.compile(r"(?<!\d)(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)")
_MONTH = re.compile(r"(?<!\d)(?:19|20)\d{2}(-?)(?:0[1-9]|1[0-2])(?!\d)")
# What no column is called: a number, a date, an amount, an e-mail address, an address of the web.
_VALUE = re.compile(
    r"[+-]?[￥¥$€£]?\s*[\d.,:/\-\s%TZ+]*\d[\d.,:/\-\s%TZ元]*|.*\S@\S+\.\S+.*|\w+://.*|\+?\d[\d\- ]{6,}",
    re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?[￥¥$€£]?\s*\d[\d.,:/\- ]*[%元]?")
# Level 1 of GB2312 by pinyin: nearly every character of a Chinese text is one of these, hardly any of a misread one.
_COMMON_CHINESE = range(0xB0, 0xD8)


@dataclass(frozen=True)
class Sniffed:
    """How a file is written. `reader`: the keys of the source's reader; `notes`: key → why, where that is a guess."""

    reader: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)
    day: date | None = None  # the date in the file's name


def sniff(path: Path, below: str, is_name: Callable[[str], bool], columns: Sequence[str] = ()) -> Sniffed:
    """How the file at `path` is written; `below` is its path below TESSERA_SOURCES.

    `is_name` says whether a text is a known name of a column; `columns` names those of a file without header.
    Raises LandingError when no reader can read the file.
    """
    if re.search(r"[*?\[\]{}]", below):
        raise LandingError(f"{below}: its path holds one of * ? [ ] {{ }}; rename it")
    head = _head(path, below)
    kind = _kind(path, below, head)
    pattern, day, note = _pattern(below)
    notes = {"path": note} if note else {}
    reader: dict[str, Any] = {"kind": kind, "path": pattern}
    if kind in ("csv", "jsonl"):
        encoding, why = find_encoding(head)
        if encoding != "utf-8":
            reader["encoding"] = encoding
            notes["encoding"] = why
        if kind == "csv":
            written, found = _csv(decoded(head, encoding), is_name, columns)
            reader |= written
            notes |= found
    return Sniffed(reader, notes, day)


def _head(path: Path, below: str) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise LandingError(f"{below}: cannot be read ({error.strerror}); check its permissions") from error
    if not head:
        raise LandingError(f"{below}: is empty (0 bytes); take a file that has rows")
    if head.startswith(_OLD_EXCEL):
        raise LandingError(f"{below}: is an old Excel workbook (.xls); save it as .xlsx or as CSV")
    if not head.startswith(_GZIP):
        return head
    if path.suffix.lower() != ".gz":
        raise LandingError(f"{below}: is packed with gzip; rename it so that it ends in .gz")
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise LandingError(f"{below}: cannot be unpacked; deliver it again") from error


def _kind(path: Path, below: str, head: bytes) -> str:
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if b"\x00" in head[:4096] and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LandingError(f"{below}: is neither text nor Parquet nor an .xlsx workbook; export it as one of these")
    suffixes = [suffix.lower().lstrip(".") for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = _EXTENSIONS.get(suffixes[-1] if suffixes else "", "")
    if kind in ("parquet", "excel"):
        raise LandingError(f"{below}: its name says {kind}, its content does not; deliver it again, or rename it")
    first = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first == b"{" and _is_object(head):
        return "jsonl"
    if kind == "jsonl" or (suffixes and suffixes[-1] == "json"):
        raise LandingError(f"{below}: is not one JSON object per line; export it as JSON lines (jq -c '.[]')")
    return kind or "csv"


def _is_object(head: bytes) -> bool:
    line = head.lstrip(b"\xef\xbb\xbf \t\r\n").split(b"\n", 1)[0]
    try:
        return isinstance(json.loads(line.decode("utf-8", errors="replace")), dict)
    except ValueError:
        return False


def _pattern(below: str) -> tuple[str, date | None, str | None]:
    """The path with what changes from day to day as {date} or ?, the day, and what to say of it."""
    path = PurePosixPath(below)
    for match in _DATE.finditer(path.name):
        try:
            day = date.fromisoformat(match[0])
        except ValueError:
            continue
        name = path.name[: match.start()] + DATE_PLACEHOLDER + path.name[match.end() :]
        return path.with_name(name).as_posix(), day, "a file per business date"
    if match := _COMPACT_DATE.search(path.name):
        name = path.name[: match.start()] + "????????" + path.name[match.end() :]
        return path.with_name(name).as_posix(), None, "files of any day; only YYYY-MM-DD can be a {date}"
    if match := _MONTH.search(path.name):
        name = path.name[: match.start()] + f"????{match[1]}??" + path.name[match.end() :]
        return path.with_name(name).as_posix(), None, "files of any month"
    return below, None, None


# ---- text --------------------------------------------------------------------------------------------------------


def find_encoding(head: bytes) -> tuple[str, str]:
    """The encoding of a text by its first bytes, and why it is that one."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", "it begins with the mark of UTF-16"
    if _decodes(head, "utf-8"):
        return "utf-8", ""
    if _decodes(head, "gb18030") and _is_chinese(head):
        return "gb18030", "not UTF-8; read so, it is Chinese"
    return "latin-1", "neither UTF-8 nor Chinese; check names with accents"


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        # The last character may be cut in two: what stands after the last line end is left out.
        (head[: head.rfind(b"\n") + 1] or head).decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(head: bytes) -> bool:
    common = other = position = 0
    while position < len(head) - 1:
        byte = head[position]
        if byte < 0x80:
            position += 1
            continue
        if byte in _COMMON_CHINESE and head[position + 1] >= 0xA1:
            common += 1
        elif not (0xA1 <= byte <= 0xA9 and head[position + 1] >= 0xA1):  # full-width punctuation and signs
            other += 1
        position += 2
    return common > other


def decoded(head: bytes, encoding: str) -> str:
    """The first whole lines of a text."""
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    if len(head) < HEAD_BYTES:
        return text
    return text[: text.rfind("\n") + 1] or text


def _csv(text: str, is_name: Callable[[str], bool], columns: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The keys of a CSV reader that are not at their defaults, and notes on them."""
    written: dict[str, Any] = {}
    notes: dict[str, str] = {}
    delimiter, quote = _delimiter(text)
    if delimiter != ",":
        written["delimiter"] = delimiter
    if quote != '"':
        written["quote"] = quote
        notes["quote"] = "quotes in it do not come in pairs"
    rows = records(text, delimiter, quote)
    width = Counter(len(row) for row in rows).most_common(1)[0][0] if rows else 1
    lines = text.splitlines()[:TITLE_LINES]
    titles = next(
        (n for n, line in enumerate(lines) if [len(r) for r in records(line, delimiter, quote)] == [width]), 0
    )
    if titles:
        written["skip_lines"] = titles
        notes["skip_lines"] = "lines above the header"
        rows = records("\n".join(text.splitlines()[titles:]), delimiter, quote)
    if columns:
        written |= {"header": False, "columns": list(columns)}
    elif rows and not has_header(rows, is_name):
        written["header"] = False
        written["columns"] = [f"column_{position}" for position in range(1, width + 1)]
        notes["header"] = "the first line does not look like names; propose again with --columns"
    values = {value.strip() for row in rows[1:] for value in row}
    if nulls := [word for word in _NULLS if word in values]:
        written["null_values"] = ["", *nulls]
        notes["null_values"] = "what stands for nothing"
    return written, notes


def records(text: str, delimiter: str, quote: str, limit: int = _RECORDS) -> list[list[str]]:
    """The first records of a text, without blank lines."""
    if delimiter == WHITESPACE:
        return [line.split() for line in text.splitlines() if line.strip()][:limit]
    quoting = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, quotechar=quote or None, quoting=quoting)
    found: list[list[str]] = []
    try:
        for row in reader:
            if row:
                found.append(row)
            if len(found) == limit:
                break
    except csv.Error:  # a field beyond the limit of a reader: quotes that never end
        return found
    return found


def _delimiter(text: str) -> tuple[str, str]:
    best: tuple[float, int, str, str] | None = None
    lines = min(_RECORDS, sum(1 for line in text.splitlines() if line.strip()))
    for quote in ('"', ""):
        for delimiter in _DELIMITERS:
            width, share, count = _evenness(records(text, delimiter, quote))
            # Quotes that come in pairs may span lines, but not most of the file.
            if width > 1 and share >= _EVEN and (not quote or count * 2 >= lines):
                rank = (round(share, 2), width, delimiter, quote)
                best = rank if best is None or rank[:2] > best[:2] else best
        if best:
            return best[2], best[3]
    rows = records(text, WHITESPACE, "")
    width, share, _ = _evenness(rows)
    if width > 1 and share >= _EVEN and len(rows[0]) == width:
        return WHITESPACE, '"'
    return ",", '"'


def _evenness(rows: list[list[str]]) -> tuple[int, float, int]:
    if not rows:
        return 0, 0.0, 0
    width, count = Counter(len(row) for row in rows).most_common(1)[0]
    return width, count / len(rows), len(rows)


def has_header(rows: list[list[str]], is_name: Callable[[str], bool]) -> bool:
    """Whether the first record names the columns. In doubt it does not: a value must not become a name."""
    first = [cell.strip() for cell in rows[0]]
    names = [cell for cell in first if cell]
    if not names or any(_VALUE.fullmatch(cell) for cell in names) or len({n.casefold() for n in names}) < len(names):
        return False
    if 2 * sum(is_name(cell) for cell in names) >= len(names):
        return True
    below = rows[1:]
    for position, name in enumerate(first):
        values = [row[position].strip() for row in below if len(row) > position and row[position].strip()]
        if name and values and sum(bool(_NUMBER.fullmatch(value)) for value in values) >= _EVEN * len(values):
            return True
    return False
