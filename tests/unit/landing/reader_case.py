"""One file read as landing reads it, without a brand: what its columns, its rows and its rejected records are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.brands import Quarantine, Source
from orchestration.landing.readers import SourceFile, file_columns, read
from orchestration.warehouse import scratch


@dataclass(frozen=True)
class Found:
    """Columns with types, rows as (number, values …), rejected records as (number, reason, text)."""

    columns: dict[str, str]
    rows: list[tuple[Any, ...]]
    rejected: list[tuple[int, str, str]]

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(number, reason.removeprefix("malformed_row:")) for number, reason, _ in self.rejected]


def source(mode: str = "incremental", **reader: object) -> Source:
    return Source.model_validate(
        {
            "name": "given",
            "limits": Quarantine(),
            "source_system": "given",
            "mode": mode,
            "timestamps_in": "UTC",
            "entities": {"orders": {"fields": {"order_key": "a"}}},
            "reader": reader,
        }
    )


def found_in(folder: Path, content: bytes | str, name: str = "given.csv", **reader: object) -> Found:
    """Write `content` and read it. `reader` is what the YAML says beside kind (default csv) and path."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    given, file = source(**({"kind": "csv", "path": name} | reader)), SourceFile(path, name, None)
    with scratch() as connection:
        columns = file_columns(connection, given, file)
        relation = read(connection, given, file, columns, folder)
        rows = connection.execute("select * from src order by source_row_number").fetchall()
        rejected = connection.execute("select * from rejected order by source_row_number, reason").fetchall()
    assert relation.rejected == len(rejected)
    return Found(columns, rows, rejected)
