"""Files being written: many at once, each appended to block by block, with their rows counted. Bytes depend on the rows only.

Everything goes into one folder that is renamed into place when it is complete (`brand`). What a file holds belongs in `silos`.
"""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

_GZIP = 31  # zlib's name for a gzip wrapper; its header holds no time
_FAST = 1  # level: others take twice as long for a tenth less


class Files:
    """The files below a folder. One thread at a time per file; different files may be written by different threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: dict[str, int] = {}
        self._open: dict[str, IO[bytes] | pq.ParquetWriter] = {}
        self._lock = threading.Lock()

    def _path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _bytes(self, name: str, rows: int) -> tuple[IO[bytes], bool]:
        with self._lock:
            stream = self._open.get(name)
            is_new = stream is None
            if stream is None:
                stream = self._path(name).open("wb")
                self._open[name] = stream
            self.rows[name] = self.rows.get(name, 0) + rows
        assert not isinstance(stream, pq.ParquetWriter)
        return stream, is_new

    def csv(
        self,
        name: str,
        columns: dict[str, pa.Array],
        *,
        encoding: str = "utf-8",
        delimiter: str = ",",
        extra: Sequence[str] = (),
    ) -> None:
        """Append rows as delimited text with a header. `extra`: further lines written as they are (broken records)."""
        table = pa.table(columns)
        buffer = io.BytesIO()
        options = pa_csv.WriteOptions(
            include_header=False, delimiter=delimiter, quoting_style="needed", quoting_header="none"
        )
        pa_csv.write_csv(table, buffer, options)
        text = buffer.getvalue()
        if encoding != "utf-8":
            text = text.decode().encode(encoding)
        tail = "".join(f"{line}\n" for line in extra).encode(encoding)
        stream, is_new = self._bytes(name, table.num_rows + len(extra))
        if is_new:
            stream.write((delimiter.join(columns) + "\n").encode(encoding))
        stream.write(text + tail)

    def lines(self, name: str, lines: pa.Array, count: int) -> None:
        """Append lines, each ending in a newline already; a name ending in .gz is packed as a gzip member of its own."""
        text = _buffer(lines)
        if name.endswith(".gz"):
            packer = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
            text = packer.compress(text) + packer.flush()
        stream, _ = self._bytes(name, count)
        stream.write(text)

    def parquet(self, name: str, columns: dict[str, pa.Array]) -> None:
        """Append rows as a row group."""
        table = pa.table(columns)
        with self._lock:
            writer = self._open.get(name)
            if writer is None:
                writer = pq.ParquetWriter(self._path(name), table.schema, compression="zstd", compression_level=1)
                self._open[name] = writer
            self.rows[name] = self.rows.get(name, 0) + table.num_rows
        assert isinstance(writer, pq.ParquetWriter)
        if table.num_rows:
            writer.write_table(table)

    def xlsx(self, name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a workbook of one sheet with text cells. Its parts carry no time, which the usual writers put in."""
        self.rows[name] = len(rows)
        with zipfile.ZipFile(self._path(name), "w", zipfile.ZIP_DEFLATED) as book:
            for part, content in _workbook([header, *rows]).items():
                book.writestr(zipfile.ZipInfo(part, (1980, 1, 1, 0, 0, 0)), content)

    def close(self) -> None:
        with self._lock:
            for stream in self._open.values():
                stream.close()
            self._open.clear()

    def hashes(self) -> dict[str, str]:
        """sha256 of every closed file, by name."""
        found = {}
        for name in sorted(self.rows):
            with (self.root / name).open("rb") as stream:
                found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        return found


def _buffer(lines: pa.Array) -> bytes | memoryview:
    """The text of a string column without nulls: Arrow keeps it in one piece."""
    if not len(lines):
        return b""
    _, offsets, data = lines.buffers()
    assert offsets is not None and data is not None
    places = np.frombuffer(offsets, dtype=np.int64 if pa.types.is_large_string(lines.type) else np.int32)
    return memoryview(data)[places[lines.offset] : places[lines.offset + len(lines)]]


def _workbook(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    sheet = "".join(
        f'<row r="{r}">'
        + "".join(f'<c r="{_cell(c, r)}" t="inlineStr"><is><t>{escape(v)}</t></is></c>' for c, v in enumerate(row))
        + "</row>"
        for r, row in enumerate(rows, start=1)
    )
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return {
        "[Content_Types].xml": f'{head}<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'{head}<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{head}<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{head}<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'{head}<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }


def _cell(column: int, row: int) -> str:
    return f"{chr(ord('A') + column)}{row}"  # up to 26 columns, more than any sheet here
