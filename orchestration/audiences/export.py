"""An audience as files for a destination: hashed identifiers of members who agreed, with a manifest that can be verified.

    <home>/<brand>/exports/<audience>/<as_of>/<destination>/
        members.<format>  adds.<format>  removes.<format>  manifest.json

An export is a function of what its id is made of: asked again, it is the same bytes. Rows hold hashes and nothing else; no
message and no manifest holds a member. Consent and identifiers are read from the build file, of which the published one has only
the consents. Where audiences may go belongs in `destinations`.
"""

# ruff: noqa: S608 (names of this module; every value is a parameter)
from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.audiences import membership
from orchestration.audiences.compile import SAMPLE_BUCKETS
from orchestration.audiences.definitions import Audience
from orchestration.audiences.destinations import Destination, Identifier
from orchestration.audiences.tables import DAYS
from orchestration.brands import suggest
from orchestration.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FORMATS = ("csv", "parquet", "jsonl")
MANIFEST = "manifest.json"
Row = tuple[str | None, ...]


class ExportError(ValueError):
    """An export is refused, or does not verify; str() says why and what to do."""


@dataclass(frozen=True)
class Request:
    """What is asked for. `holdout_percent` of the members who agreed stay behind, so that the contact can be measured."""

    audience: Audience
    destination_name: str
    destination: Destination
    format: str
    holdout_percent: float = 0.0
    holdout_seed: str = "holdout"


@dataclass(frozen=True)
class Exported:
    folder: Path
    manifest: Mapping[str, Any]
    is_new: bool


def exports_dir(settings: Settings) -> Path:
    return settings.brand_home / "exports"


def export_audience(
    connection: DuckDBPyConnection, settings: Settings, request: Request, as_of_date: date | None = None
) -> Exported:
    """Write an audience's members as of a day (default: the newest). Raises ExportError when they may not leave."""
    audience = request.audience
    if request.destination_name not in audience.allowed_uses:
        raise ExportError(
            f"{audience.audience_id} may not go to {request.destination_name}: its allowed_uses are "
            f"{', '.join(audience.allowed_uses)} ({audience.file})"
        )
    day, version = _day_of(connection, audience.audience_id, as_of_date)
    members = membership.members_on(connection, audience.audience_id, day)
    folder = exports_dir(settings) / audience.audience_id / day.isoformat() / request.destination_name
    previous = _previous(folder, day)
    known_at = _known_at(connection)
    parts = {
        "brand": settings.brand,
        "audience_id": audience.audience_id,
        "rule_version": version,
        "as_of_date": day.isoformat(),
        "known_at": known_at,
        "destination": request.destination_name,
        "destination_rule": request.destination.model_dump(),
        "format": request.format,
        "holdout": [request.holdout_percent, request.holdout_seed],
        "previous_export_id": previous["export_id"] if previous else None,
    }
    export_id = hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
    kept = read_manifest(folder)
    if kept is not None and kept.get("export_id") == export_id and not problems_of(folder):
        return Exported(folder, kept, is_new=False)
    rows, counts = _rows(connection, request, members)
    before = _rows_before(folder, previous)
    columns = [identifier.column for identifier in request.destination.identifiers]
    same_columns = previous is not None and [c["name"] for c in previous["schema"]] == columns
    old = before if same_columns else set()
    tables = {"members": rows, "adds": _sorted(set(rows) - old), "removes": _sorted(old - set(rows))}
    manifest = {
        "export_id": export_id,
        **{key: value for key, value in parts.items() if key not in ("holdout", "destination_rule")},
        "label_zh": audience.label_zh,
        "label_en": audience.label_en,
        "goal": audience.goal,
        "consent": {
            "channel": request.destination.channel,
            "purpose": request.destination.purpose,
            "as_of": "known_at",
        },
        "holdout": {
            "percent": request.holdout_percent,
            "seed": request.holdout_seed,
            "rule": "first 32 bits of md5(seed:member_id) below percent of 2^32",
        },
        "counts": counts | {"adds": len(tables["adds"]), "removes": len(tables["removes"])},
        "schema": [
            {
                "name": i.column,
                "type": "string",
                "identifier": i.identifier,
                "form": i.form,
                "hash": i.hash or "as stored",
            }
            for i in request.destination.identifiers
        ],
        "is_delta_complete": previous is None or same_columns,
    }
    return Exported(folder, _write(folder, manifest, tables, columns, request.format), is_new=True)


# ---- verifying ---------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> dict[str, Any] | None:
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def problems_of(folder: Path) -> list[str]:
    """What is wrong with an export on disk: files that are gone, changed, or of another length than the manifest says."""
    manifest = read_manifest(folder)
    if manifest is None:
        return [f"{folder / MANIFEST} is gone or cannot be read"]
    found = []
    for file in manifest.get("files", []):
        path = folder / Path(file["name"]).name
        if not path.is_file():
            found.append(f"{path} is gone")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]:
            found.append(f"{path} is not what was exported: its sha256 differs from the manifest's")
        elif len(_read_rows(path, manifest["format"], [c["name"] for c in manifest["schema"]])) != file["row_count"]:
            found.append(f"{path} has another number of rows than the manifest says")
    return found


# ---- who leaves ----------------------------------------------------------------------------------------------------


def _day_of(connection: DuckDBPyConnection, audience_id: str, as_of_date: date | None) -> tuple[date, str]:
    rows = connection.execute(
        f"select as_of_date, rule_version, status from {DAYS} where audience_id = ? order by as_of_date nulls last",
        [audience_id],
    ).fetchall()
    if not rows:
        raise ExportError(f"{audience_id} has not been worked out yet; run `tessera run` first")
    days = {day: (version, status) for day, version, status in rows}
    day = as_of_date or rows[-1][0]
    if day not in days:
        raise ExportError(
            f"{audience_id} was not worked out as of {day}; days are {rows[0][0]} to {rows[-1][0]}. "
            f"`tessera audience backfill --from {day} --to {day}` adds it"
        )
    version, status = days[day]
    if status != "ready":
        raise ExportError(f"{audience_id} is {status} as of {day}; `tessera audience list` says why")
    return day, version


def _known_at(connection: DuckDBPyConnection) -> str:
    row = connection.execute("select known_at from intermediate.int_clocks_resolved").fetchone()
    moment = row[0] if row else None
    if not isinstance(moment, datetime):
        raise ExportError("the build file has no clock; run `tessera run` first")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _rows(connection: DuckDBPyConnection, request: Request, members: list[str]) -> tuple[list[Row], dict[str, int]]:
    """Rows of the file, sorted, and where every member of the audience has gone."""
    destination = request.destination
    granted, refused = _consents(connection, destination)
    agreed = [member for member in members if member in granted]
    held = {member for member in agreed if _is_held_out(member, request)}
    sent = [member for member in agreed if member not in held]
    # One phone of two members: who has refused, or is held out, must not be reached by way of the other.
    blocked = refused | held
    values: list[dict[str, str]] = []
    for identifier in destination.identifiers:
        owners = _identifiers(connection, identifier)
        barred = {value for member, value, _ in owners if member in blocked}
        chosen: dict[str, str] = {}
        for member, value, is_first in owners:
            if is_first and value not in barred:
                chosen[member] = _hashed(identifier, value)
        values.append(chosen)
    told = [tuple(column.get(member) for column in values) for member in sent]
    rows = [row for row in told if any(row)]
    unique = set(rows)
    counts = {
        "members": len(members),
        "without_consent": len(members) - len(agreed),
        "held_out": len(held),
        "without_identifier": len(told) - len(rows),
        "sharing_a_row": len(rows) - len(unique),
        "exported": len(unique),
    }
    return _sorted(unique), counts


def _consents(connection: DuckDBPyConnection, destination: Destination) -> tuple[set[str], set[str]]:
    """Members who agreed to the channel and purpose, and members who refused: a refusal of either scope wins."""
    told = connection.execute(
        """
        select member_id, bool_and(is_granted) from marts.dim_consents_history
        where is_current and purpose = $purpose and channel in ($channel, 'all') and member_id is not null
        group by member_id
        """,
        {"purpose": destination.purpose, "channel": destination.channel},
    ).fetchall()
    return {member for member, is_granted in told if is_granted}, {
        member for member, is_granted in told if not is_granted
    }


def _is_held_out(member_id: str, request: Request) -> bool:
    """The same draw as `sample` in a rule: another seed holds back others."""
    digest = hashlib.md5(f"{request.holdout_seed}:{member_id}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) < round(request.holdout_percent / 100 * SAMPLE_BUCKETS)


_PLAIN = """
    select accounts.member_id, profiles.{column},
        row_number() over (
            partition by accounts.member_id order by profiles.loaded_at desc nulls last, profiles.account_id nulls last
        ) = 1 as is_first
    from staging.stg_members as profiles
    inner join intermediate.int_accounts_resolved as accounts on profiles.account_id = accounts.account_id
    where profiles.{column} is not null and not profiles.is_deleted
    order by accounts.member_id nulls last, profiles.{column} nulls last
"""
_STORED = """
    select member_id, identifier_hash,
        row_number() over (
            partition by member_id order by is_verified desc nulls last, last_observed_at desc nulls last, identifier_hash nulls last
        ) = 1 as is_first
    from restricted.brg_identifiers_members
    where identifier_type = $type and valid_to is null and member_id is not null
    order by member_id nulls last, identifier_hash nulls last
"""


def _identifiers(connection: DuckDBPyConnection, identifier: Identifier) -> list[tuple[str, str, bool]]:
    """(member, value, whether it is the one to use): of phones and addresses the newest profile's, in standard form."""
    if identifier.form == "stored":
        return connection.execute(_STORED, {"type": identifier.identifier}).fetchall()
    return connection.execute(_PLAIN.format(column=identifier.identifier)).fetchall()


def _hashed(identifier: Identifier, value: str) -> str:
    if identifier.form == "stored":
        return value
    text = {
        "e164": value,
        "digits": value.removeprefix("+"),
        # National form exists of mainland numbers; others keep their country code, as the platforms ask.
        "national": value.removeprefix("+86").removeprefix("+"),
        "address": value.strip().lower(),
    }[identifier.form]
    if identifier.hash == "md5":
        return hashlib.md5(
            text.encode(), usedforsecurity=False
        ).hexdigest()  # what the platform matches by, no protection
    return hashlib.sha256(text.encode()).hexdigest()


# ---- files -------------------------------------------------------------------------------------------------------


def _sorted(rows: set[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: tuple((value is None, value or "") for value in row))


def _previous(folder: Path, day: date) -> dict[str, Any] | None:
    """Manifest of the newest earlier export of the audience to the destination, which a delta is told against."""
    found = []
    for candidate in folder.parent.parent.glob(f"*/{folder.name}"):
        manifest = read_manifest(candidate)
        if manifest is not None and manifest.get("as_of_date", "") < day.isoformat():
            found.append(manifest)
    return max(found, key=lambda manifest: manifest["as_of_date"], default=None)


def _rows_before(folder: Path, previous: Mapping[str, Any] | None) -> set[Row]:
    if previous is None:
        return set()
    earlier = folder.parent.parent / previous["as_of_date"] / folder.name
    if problems := problems_of(earlier):
        raise ExportError(f"{problems[0]}; export {previous['as_of_date']} again before the next day")
    name = f"members.{previous['format']}"
    return set(_read_rows(earlier / name, previous["format"], [column["name"] for column in previous["schema"]]))


def _write(
    folder: Path, manifest: dict[str, Any], tables: Mapping[str, Sequence[Row]], columns: list[str], format_: str
) -> dict[str, Any]:
    """All files in a folder of their own, which then takes the place of the old one: nobody picks up a half-written export."""
    writers: dict[str, Callable[[Sequence[Row], list[str]], bytes]] = {
        "csv": _csv,
        "jsonl": _jsonl,
        "parquet": _parquet,
    }
    staging = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True, mode=0o700)
    try:
        files = []
        for name, rows in tables.items():
            content = writers[format_](rows, columns)
            (staging / f"{name}.{format_}").write_bytes(content)
            files.append(
                {
                    "name": f"{name}.{format_}",
                    "row_count": len(rows),
                    "bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
            )
        manifest = manifest | {"files": files}
        text = json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=False) + "\n"
        (staging / MANIFEST).write_text(text, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        staging.replace(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _csv(rows: Sequence[Row], columns: list[str]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return stream.getvalue().encode()


def _jsonl(rows: Sequence[Row], columns: list[str]) -> bytes:
    return "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows).encode()


def _parquet(rows: Sequence[Row], columns: list[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(columns)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _read_rows(path: Path, format_: str, columns: list[str]) -> list[Row]:
    if format_ == "parquet":
        import pyarrow.parquet as pq

        found = pq.read_table(path).to_pydict()
        return list(zip(*(found[name] for name in columns), strict=True))
    text = path.read_text(encoding="utf-8")
    if format_ == "jsonl":
        return [tuple(json.loads(line)[name] for name in columns) for line in text.splitlines()]
    return [tuple(value or None for value in row) for row in list(csv.reader(io.StringIO(text)))[1:]]


def destination_of(destinations: Mapping[str, Destination], name: str) -> Destination:
    if name not in destinations:
        raise ExportError(f"no destination {name!r}; {suggest(name, sorted(destinations))}")
    return destinations[name]


def shares(counts: Mapping[str, int]) -> Counter[str]:
    """Members by what became of them; the parts add up to `members`."""
    parts = ("without_consent", "held_out", "without_identifier", "sharing_a_row", "exported")
    return Counter({name: counts[name] for name in parts})
