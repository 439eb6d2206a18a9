"""What an edited declaration would change, before anybody merges it: tags and audiences of the build file beside those of today's code.

The tags are built by the code as it stands, on a copy; nothing of the brand is touched. How tags are kept and put in order belongs in
`orchestration.tagging`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from orchestration import warehouse
from orchestration.audience_history import AudienceHistoryError, rebuild_tags
from orchestration.audiences import run as audience_run
from orchestration.audiences.definitions import load_audiences
from orchestration.audiences.membership import work_out
from orchestration.brands import Brand
from orchestration.dbt import ensure_manifest
from orchestration.locking import brand_lock
from orchestration.settings import Settings
from orchestration.warehouse import quoted

_KEYS = ("member_id", "as_of_date")


@dataclass(frozen=True)
class TagChange:
    """`kind`: added, removed or changed; members whose value is another than it was (for added and removed: who has one)."""

    tag_code: str
    kind: str
    member_count: int
    member_rate: float


@dataclass(frozen=True)
class AudienceChange:
    audience_id: str
    member_count_before: int
    member_count_after: int
    entry_count: int
    exit_count: int
    status: str


def preview(settings: Settings, brand: Brand) -> tuple[list[TagChange], list[AudienceChange]]:
    """What changes for members and audiences on the build's own day. Raises AudienceHistoryError when it cannot be told."""
    if not settings.build_file.exists():
        raise AudienceHistoryError(
            f"{settings.brand} has never been built; run `tessera run --brand {settings.brand}` first"
        )
    audiences = load_audiences(settings)
    ensure_manifest()
    folder = settings.brand_home / "tag_preview"
    with brand_lock(settings):
        try:
            # dbt's views hold the file's own name: the copy keeps it.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            copy = folder / settings.build_file.name
            shutil.copyfile(settings.build_file, copy)
            with warehouse.read_only(settings.build_file) as connection:
                row = connection.execute("select as_of_date from intermediate.int_clocks_resolved").fetchone()
                if row is None:
                    raise AudienceHistoryError(
                        f"{settings.brand} has no as_of_date: nothing within its calendar has landed"
                    )
                clock = audience_run.clock_of(brand, row[0])
                before = work_out(connection, audiences, clock)
            rebuild_tags(settings, copy, row[0])
            with warehouse.read_only(copy) as connection:
                after = work_out(connection, audiences, clock)
                connection.execute(
                    f"attach '{str(settings.build_file).replace(chr(39), chr(39) * 2)}' as before (read_only)"
                )
                tags = compare_tags(connection)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return tags, compare_audiences(before.members, after.members, {name: s.status for name, s in after.states.items()})


def compare_tags(connection: DuckDBPyConnection) -> list[TagChange]:
    """Tags of `before`.tags.member_tags beside those of the connection's own file, those that differ, by code."""
    columns = {
        database: {
            name
            for (name,) in connection.execute(
                "select column_name from duckdb_columns() where schema_name = 'tags' and table_name = 'member_tags' "
                "and (database_name = 'before') = ?",
                [database == "before"],
            ).fetchall()
        }
        - set(_KEYS)
        for database in ("before", "after")
    }
    both = sorted(columns["before"] & columns["after"])
    changes: list[TagChange] = []
    members = _one(connection, "select count(*) from tags.member_tags")
    for code in sorted(columns["after"] - columns["before"]):
        count = _one(connection, f"select count({quoted(code)}) from tags.member_tags")  # noqa: S608, quoted
        changes.append(TagChange(code, "added", count, count / members if members else 0.0))
    for code in sorted(columns["before"] - columns["after"]):
        count = _one(connection, f"select count({quoted(code)}) from before.tags.member_tags")  # noqa: S608, quoted
        changes.append(TagChange(code, "removed", count, count / members if members else 0.0))
    if both:
        counted = ", ".join(
            f"count(*) filter (where later.{quoted(code)} is distinct from earlier.{quoted(code)})" for code in both
        )
        row = connection.execute(
            f"select {counted} from tags.member_tags as later full outer join before.tags.member_tags as earlier using (member_id)"  # noqa: S608
        ).fetchone()
        changes += [
            TagChange(code, "changed", count, count / members if members else 0.0)
            for code, count in zip(both, row or (), strict=True)
            if count
        ]
    return changes


def _one(connection: DuckDBPyConnection, sql: str) -> int:
    return (connection.execute(sql).fetchone() or (0,))[0]


def compare_audiences(
    before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]], statuses: dict[str, str]
) -> list[AudienceChange]:
    """Audiences whose members differ or that are not ready any more, those with the most movement first."""
    sides = [{name: {m for a, m in pairs if a == name} for name in statuses} for pairs in (before, after)]
    changes = [
        AudienceChange(
            name,
            len(sides[0][name]),
            len(sides[1][name]),
            len(sides[1][name] - sides[0][name]),
            len(sides[0][name] - sides[1][name]),
            status,
        )
        for name, status in statuses.items()
        if sides[0][name] != sides[1][name] or (status != "ready" and sides[0][name])
    ]
    return sorted(changes, key=lambda c: (-(c.entry_count + c.exit_count), c.audience_id))
