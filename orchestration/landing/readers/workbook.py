"""What DuckDB does not tell of a workbook's sheet: where its cells are, and which numbers are dates.

A date in a workbook is a number whose cell is formatted as one. DuckDB takes a column's type from its first cell, and does
not know the calendar that begins in 1904; here every cell is looked at. Reading the cells belongs in `excel`.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from xml.etree import ElementTree

from orchestration.landing.errors import LandingError
from orchestration.landing.readers.common import SourceFile
from orchestration.landing.readers.text import refuse_bomb

# A sheet may have this many cells, empty ones included; a small one more than a hundred for each that holds something.
MAX_AREA = 50_000_000
TOLERATED_AREA = 1_000_000
_CHUNK = 1 << 20
_LONGEST_CELL = 16 << 20  # bytes between two cells
# Built-in formats: dates, times, both; 27 to 36 and 50 to 58 are those of Chinese, Japanese and Korean.
_DATE_FORMATS = {14, 15, 16, 17, 22, *range(27, 32), 34, 35, 36, *range(50, 59)}
_TIME_FORMATS = {18, 19, 20, 21, 32, 33, 45, 46, 47}
_NOT_A_FORMAT = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
# A cell's content holds no other cell: a cell that is not closed ends the try at once.
_CONTENT = rb"(?:[^<]++|<(?!/?(?:\w+:)?(?:c|row)[\s/>]))*+"
_ROW_OR_CELL = re.compile(rb"<(?:\w+:)?(?:(row)\b([^>]*?)/?>|c\b([^>]*?)(?:/>|>(" + _CONTENT + rb")</(?:\w+:)?c>))")
_ATTRIBUTE = re.compile(rb'\b(r|s|t)\s*=\s*["\']([^"\']*)["\']')
_VALUE = re.compile(rb"<(?:\w+:)?v(?:\s[^>]*)?>([^<]*)</")
_REFERENCE = re.compile(r"([A-Z]+)(\d+)")
_LAST_SERIAL = 2_958_466  # 9999-12-31 and a day


@dataclass
class Sheet:
    """Cells that hold something: the first and last row and column, from 1; dates: column → row → ISO text."""

    first_row: int = 0
    last_row: int = 0
    first_column: int = 0
    last_column: int = 0
    cells: int = 0
    dates: dict[int, dict[int, str]] = field(default_factory=dict)

    def add(self, row: int, column: int) -> None:
        self.first_row = min(self.first_row or row, row)
        self.last_row = max(self.last_row, row)
        self.first_column = min(self.first_column or column, column)
        self.last_column = max(self.last_column, column)
        self.cells += 1


def letters(column: int) -> str:
    """A column's name in a workbook: 1 → A, 28 → AB."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def _number(name: str) -> int:
    column = 0
    for letter in name:
        column = column * 26 + ord(letter) - 64
    return column


def look_through(file: SourceFile, sheet_name: str | None, skip_lines: int) -> Sheet:
    """Find the cells of a sheet (default: the first) below its first `skip_lines` rows.

    Raises LandingError when the file is no workbook, is damaged, unpacks beyond all likelihood, has no such sheet, or a
    cell far from all others.
    """
    try:
        with zipfile.ZipFile(file.path) as archive:
            refuse_bomb(file, sum(entry.file_size for entry in archive.infolist()))
            # The engine can read a damaged workbook for ever: the archive's own check sums are asked first.
            if archive.testzip() is not None:
                raise LandingError(f"{file.name}: is damaged (its check sums do not agree); deliver it again")
            part = _part_of(archive, file, sheet_name)
            formats = _date_styles(archive)
            sheet = _scan(archive, part, formats, _is_1904(archive), skip_lines)
    except LandingError:
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise LandingError(
            f"{file.name}: is not an .xlsx workbook; save it as .xlsx (not .xls, no password), or correct reader.kind"
        ) from error
    except (KeyError, ElementTree.ParseError, ValueError) as error:
        raise LandingError(
            f"{file.name}: is damaged (a part of the workbook is missing or broken); deliver it again"
        ) from error
    area = (sheet.last_row - sheet.first_row + 1) * (sheet.last_column - sheet.first_column + 1)
    if area > MAX_AREA or (area > TOLERATED_AREA and area > 100 * sheet.cells):
        raise LandingError(
            f"{file.name}: reaches to cell {letters(sheet.last_column)}{sheet.last_row} with {sheet.cells:,} cells that hold "
            "something; remove what stands far outside the table, or deliver it as CSV"
        )
    return sheet


def _tree(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    # The parts read so are small tables of the workbook; expat bounds what entities may grow to.
    return ElementTree.fromstring(archive.read(name))  # noqa: S314


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(tree: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (element for element in tree.iter() if _local(element) == name)


def _part_of(archive: zipfile.ZipFile, file: SourceFile, sheet_name: str | None) -> str:
    """The archive's entry that holds the sheet."""
    sheets = list(_all(_tree(archive, "xl/workbook.xml"), "sheet"))
    chosen = next((s for s in sheets if sheet_name is None or s.get("name") == sheet_name), None)
    if chosen is None:
        named = ", ".join(str(s.get("name")) for s in sheets)
        raise LandingError(
            f"{file.name}: has no sheet {sheet_name!r}; its sheets are: {named or 'none'} (reader.sheet)"
        )
    relation = next(value for key, value in chosen.attrib.items() if key.rpartition("}")[2] == "id")
    for found in _all(_tree(archive, "xl/_rels/workbook.xml.rels"), "Relationship"):
        if found.get("Id") == relation:
            target = str(found.get("Target"))
            return target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target)
    raise KeyError(relation)


def _is_1904(archive: zipfile.ZipFile) -> bool:
    properties = next(_all(_tree(archive, "xl/workbook.xml"), "workbookPr"), None)
    return properties is not None and properties.get("date1904") in {"1", "true"}


def _date_styles(archive: zipfile.ZipFile) -> dict[bytes, str]:
    """Index of a cell's style → date or time, for those that are."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    tree = _tree(archive, "xl/styles.xml")
    kinds = dict.fromkeys(map(str, _DATE_FORMATS), "date") | dict.fromkeys(map(str, _TIME_FORMATS), "time")
    for found in _all(tree, "numFmt"):
        code = _NOT_A_FORMAT.sub("", str(found.get("formatCode")).partition(";")[0]).casefold()
        kind = "date" if re.search("[yd]", code) else "time" if re.search("[hs]", code) else ""
        kinds[str(found.get("numFmtId"))] = kind if "general" not in code else ""
    styles = next(_all(tree, "cellXfs"), None)
    formats = [str(style.get("numFmtId")) for style in styles] if styles is not None else []
    return {str(n).encode(): kinds[found] for n, found in enumerate(formats) if kinds.get(found)}


def _scan(archive: zipfile.ZipFile, part: str, styles: dict[bytes, str], is_1904: bool, skip_lines: int) -> Sheet:
    sheet, row, column = Sheet(), 0, 0
    for is_row, attributes, content in _elements(archive, part):
        given = dict(_ATTRIBUTE.findall(attributes))
        if is_row:
            row, column = int(given.get(b"r", row + 1)), 0
            continue
        reference = _REFERENCE.fullmatch(given.get(b"r", b"").decode())
        column = _number(reference[1]) if reference else column + 1
        if not content or row <= skip_lines:
            continue
        sheet.add(row, column)
        kind = styles.get(given.get(b"s", b""))
        if kind and given.get(b"t", b"n") == b"n" and (value := _VALUE.search(content)):
            text = _iso(float(value[1]), kind, is_1904)
            if text:
                sheet.dates.setdefault(column, {})[row] = text
    return sheet


def _elements(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[bool, bytes, bytes]]:
    """(whether it is a row, its attributes, what is in the cell) of each row and cell of a sheet, in its order."""
    rest = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            rest += chunk
            end = 0
            for found in _ROW_OR_CELL.finditer(rest):
                yield found[1] is not None, found[2] or found[3] or b"", found[4] or b""
                end = found.end()
            rest = rest[end:]
            if len(rest) > _LONGEST_CELL:
                raise ValueError("a cell without an end")


def _iso(serial: float, kind: str, is_1904: bool) -> str | None:
    """ISO text of a date's number; None where it stands for none."""
    if not 0 <= serial < _LAST_SERIAL:
        return None
    seconds = round(serial * 86_400)
    if kind == "time":
        minutes, second = divmod(seconds, 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
    if is_1904:
        start = datetime(1904, 1, 1)
    elif serial < 60:
        start = datetime(1899, 12, 31)
    elif serial < 61:
        return None  # 29 February 1900, which the format counts and which never was
    else:
        start = datetime(1899, 12, 30)
    moment = start + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%d}" if seconds % 86_400 == 0 else f"{moment:%Y-%m-%d %H:%M:%S}"
