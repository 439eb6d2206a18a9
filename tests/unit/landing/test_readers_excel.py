"""Workbooks as they come out of offices: dates anywhere, gaps, cells beside the table, damage. Written by hand, part by part."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from orchestration.landing.errors import LandingError
from orchestration.landing.readers import text, workbook

from .reader_case import Found, found_in

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# Positions in cellXfs of the workbooks below.
PLAIN, DAY, MOMENT, OWN_MOMENT, TIME, CHINESE_DAY, AMOUNT, RED_NUMBER = range(8)
_STYLES = f"""<?xml version="1.0"?><styleSheet xmlns="{_MAIN}"><numFmts count="3">
<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/><numFmt numFmtId="165" formatCode="&quot;day&quot; #,##0.00"/>
<numFmt numFmtId="166" formatCode="[Red]0.00"/></numFmts><cellXfs count="8"><xf numFmtId="0"/><xf numFmtId="14"/>
<xf numFmtId="22"/><xf numFmtId="164"/><xf numFmtId="20"/><xf numFmtId="31"/><xf numFmtId="165"/>
<xf numFmtId="166"/></cellXfs></styleSheet>"""


def words(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'


def number(reference: str, value: float | str, style: int = PLAIN) -> str:
    return f'<c r="{reference}" s="{style}"><v>{value}</v></c>'


def row(position: int, *cells: str) -> str:
    return f'<row r="{position}">{"".join(cells)}</row>'


HEADER = row(1, words("A1", "a"), words("B1", "b"))


def made(*rows: str, is_1904: bool = False, name: str = "Sheet1") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<?xml version="1.0"?><Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
            f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<?xml version="1.0"?><Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
            f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" '
            f'Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<?xml version="1.0"?><workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><workbookPr date1904="{int(is_1904)}"/>'
            f'<sheets><sheet name="{name}" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        archive.writestr("xl/styles.xml", _STYLES)
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f'<?xml version="1.0"?><worksheet xmlns="{_MAIN}"><sheetData>{"".join(rows)}</sheetData></worksheet>',
        )
    return content.getvalue()


def excel(folder: Path, content: bytes, **reader: object) -> Found:
    return found_in(folder, content, "given.xlsx", kind="excel", **reader)


def column_b(folder: Path, *cells: str, is_1904: bool = False) -> list[str | None]:
    rows = [row(n, words(f"A{n}", "x"), cell) for n, cell in enumerate(cells, start=2)]
    return [found[2] for found in excel(folder, made(HEADER, *rows, is_1904=is_1904)).rows]


def test_every_date_is_iso_text_whatever_stands_above_it(tmp_path: Path) -> None:
    assert column_b(
        tmp_path,
        "",
        words("B3", "n/a"),
        number("B4", 12),
        number("B5", 45000, DAY),
        number("B6", 45000.5, MOMENT),
        number("B7", 45000.25, OWN_MOMENT),
        number("B8", 0.5, TIME),
        number("B9", 45000, CHINESE_DAY),
        number("B10", 7.5, AMOUNT),
        number("B11", 45000, RED_NUMBER),
        number("B12", 45000.5, DAY),
    ) == [
        None, "n/a", "12", "2023-03-15", "2023-03-15 12:00:00", "2023-03-15 06:00:00", "12:00:00", "2023-03-15", "7.5", "45000",
        "2023-03-15 12:00:00",
    ]  # fmt: skip


def test_both_calendars_and_their_edges(tmp_path: Path) -> None:
    cells = [number(f"B{n}", value, DAY) for n, value in enumerate([1, 59, 60, 61, 2_958_465, 2_958_466, -1], start=2)]
    assert column_b(tmp_path, *cells) == [
        "1900-01-01", "1900-02-28", "60", "1900-03-01", "9999-12-31", "2958466", "-1",
    ]  # fmt: skip
    assert column_b(tmp_path, number("B2", 45000, DAY), is_1904=True) == ["2027-03-16"]


def test_numbers_truths_errors_and_formulas_are_their_text(tmp_path: Path) -> None:
    assert column_b(
        tmp_path,
        number("B2", "1.2345678901234567E+17"),
        '<c r="B3" t="b"><v>1</v></c>',
        '<c r="B4" t="e"><v>#N/A</v></c>',
        '<c r="B5" t="str"><f>1+1</f><v>2</v></c>',
        number("B6", "0.30000000000000004"),
    ) == ["1.2345678901234567E+17", "1", "#N/A", "2", "0.30000000000000004"]


def test_blank_rows_are_no_records_and_dates_below_them_keep_their_row(tmp_path: Path) -> None:
    found = excel(
        tmp_path,
        made(
            HEADER,
            row(2, words("A2", "x"), number("B2", 45000, DAY)),
            row(7, words("A7", "y"), number("B7", 45001, DAY)),
        ),
    )
    assert found.rows == [(1, "x", "2023-03-15"), (2, "y", "2023-03-16")]


def test_the_table_may_stand_anywhere(tmp_path: Path) -> None:
    content = made(
        row(2, words("C2", "店铺表")),
        row(4, words("C4", "a"), words("D4", "b")),
        row(5, words("C5", "x"), number("D5", 45000, DAY)),
    )
    found = excel(tmp_path, content, skip_lines=3)
    assert (list(found.columns), found.rows) == (["a", "b"], [(1, "x", "2023-03-15")])
    with pytest.raises(LandingError, match="row 2 is blank"):
        excel(tmp_path, made(row(3, words("A3", "a"))), skip_lines=1)


def test_cells_beyond_the_header_are_not_lost(tmp_path: Path) -> None:
    found = excel(tmp_path, made(HEADER, row(2, words("A2", "x"), number("B2", 1)), row(3, words("C3", "note"))))
    assert list(found.columns) == ["a", "b", "unnamed_3"]
    assert found.rows == [(1, "x", "1", None), (2, None, None, "note")]


def test_cells_may_be_written_without_their_place(tmp_path: Path) -> None:
    rows = f'<row>{words("", "a")}{words("", "b")}</row><row>{words("", "x")}<c s="{DAY}"><v>45000</v></c></row>'
    found = excel(tmp_path, made(rows.replace(' r=""', "")))
    assert found.rows == [(1, "x", "2023-03-15")]


def test_a_header_without_rows_has_columns(tmp_path: Path) -> None:
    found = excel(tmp_path, made(HEADER))
    assert (list(found.columns), found.rows) == (["a", "b"], [])


def test_a_cell_far_from_all_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match=r"given\.xlsx: reaches to cell XFD1048576"):
        excel(tmp_path, made(HEADER, row(1_048_576, words("XFD1048576", "far"))))


def test_sheets_are_chosen_by_name(tmp_path: Path) -> None:
    content = made(HEADER, row(2, words("A2", "x")), name="订单")
    assert excel(tmp_path, content, sheet="订单").rows == [(1, "x", None)]
    with pytest.raises(LandingError, match="has no sheet 'Nope'; its sheets are: 订单"):
        excel(tmp_path, content, sheet="Nope")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n", "is not an .xlsx workbook"),
        (made(HEADER)[:300], "is not an .xlsx workbook"),
        (made(HEADER).replace(b"styles.xml", b"stylez.xml").replace(b"xl/workbook.xml", b"xl/workbooK.xml"), "damaged|not an .xlsx"),
        (made('<row r="1"><c r="A1" t="inlineStr"><is><t>never ended'), "blank|damaged|cannot be read"),
        (made("<row r='x'/>"), "damaged"),
    ],
)  # fmt: skip
def test_what_is_no_whole_workbook_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(LandingError, match=said):
        excel(tmp_path, content)


def test_cells_that_are_never_closed_do_not_take_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "_LONGEST_CELL", 1 << 20)
    monkeypatch.setattr(text, "TOLERATED_BYTES", 1 << 30)
    with pytest.raises(LandingError, match=r"given\.xlsx: is damaged"):
        excel(tmp_path, made('<row r="1">' + '<c r="A1"><v>1' * 400_000))
