"""What the UI shows of a load: counts, reasons and drift, never a value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from orchestration.defs.ingest.raw import batch_metadata
from orchestration.landing.lake import Batch

BATCH = Batch(
    batch_id="b",
    entity="members",
    source_system="crm",
    source_file="members/2026-01-01.csv",
    source_business_date=None,
    content_hash="c",
    mapping_hash="m",
    file_size=1,
    file_mtime_ns=1,
    loaded_at=datetime(2026, 1, 1, tzinfo=UTC),
    rows_in=10,
    rows_landed=8,
    rows_quarantined=2,
)


def test_counts_of_all_batches_are_added_up() -> None:
    metadata = batch_metadata([BATCH, replace(BATCH, rows_in=5, rows_landed=5, rows_quarantined=0, rows_tombstoned=3)])
    assert metadata == {"batches": 2, "rows_in": 15, "rows_landed": 13, "rows_quarantined": 2, "rows_tombstoned": 3}
    assert batch_metadata([]) == dict.fromkeys(metadata, 0)


def test_reasons_and_drift_are_tables() -> None:
    drift = [{"column": "colour", "kind": "new", "policy": "keep"}]
    batches = [
        replace(BATCH, quarantine_reasons={"phone:missing_value": 1, "gender:unknown_value": 1}, drift=drift),
        replace(BATCH, quarantine_reasons={"phone:missing_value": 4}),
    ]
    metadata = batch_metadata(batches)
    assert metadata["quarantine_reasons"].value == (
        "| reason | rows |\n|---|---|\n| phone:missing_value | 5 |\n| gender:unknown_value | 1 |"
    )
    assert metadata["schema_drift"].value == (
        "| file | column | is | policy |\n|---|---|---|---|\n| members/2026-01-01.csv | colour | new | keep |"
    )
    assert metadata["drifted_columns"] == 1


def test_long_lists_are_cut() -> None:
    reasons = {f"field_{n}:missing_value": n for n in range(1, 60)}
    text = batch_metadata([replace(BATCH, quarantine_reasons=reasons)])["quarantine_reasons"].value
    assert len(text.splitlines()) == 22 and "field_59" in text and "field_1:" not in text
