"""A home and sources for tests of extraction: no brand folder is needed to read a table or an endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.brands import Quarantine, Source
from orchestration.landing.extract.run import extract
from orchestration.landing.extract.store import Store
from orchestration.settings import Settings

BRAND = "extracted_shop"


def source_of(mode: str, **reader: Any) -> Source:
    """A source named `shop`; extraction looks at its reader and mode alone."""
    mapping: dict[str, Any] = {"fields": {"order_key": "id"}}
    if mode == "change_log":
        mapping |= {"is_deleted": "op = 'D'", "change_sequence": "lsn"}
    return Source.model_validate(
        {
            "name": "shop",
            "limits": Quarantine(),
            "source_system": "shop",
            "mode": mode,
            "timestamps_in": "Asia/Shanghai",
            "entities": {"orders": mapping},
            "reader": reader,
        }
    )


@dataclass
class Extraction:
    """A lake in a folder of the test, and what was said while extracting into it."""

    home: Path
    said: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(brand=BRAND, home=self.home, brands_dir=self.home / "brands", sources_root=None)

    @property
    def store(self) -> Store:
        return Store(self.settings.lake, "shop")

    def run(self, source: Source, **options: Any) -> list[Path]:
        return extract(self.settings, source, log=self.said.append, **options)

    def table(self) -> pa.Table:
        """All rows of all extracts, in the order they came."""
        return pa.concat_tables([pq.read_table(path) for path in self.store.files()], promote_options="default")

    def column(self, name: str) -> list[Any]:
        return self.table()[name].to_pylist()
