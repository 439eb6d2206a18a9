"""Propose a first mapping of a file or a table, and try it on its first rows in a lake that is thrown away.

Nothing is written but in a temporary folder; where the text goes belongs in `orchestration.commands.sources`. How a file
is written is found in `sniff`, what its columns look like in `shapes`, what they may be in `guess`.
"""

# ruff: noqa: S608 (SQL is put together from quoted literals)
from __future__ import annotations

import gzip
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.brands import (
    BRAND_FILE,
    SOURCES_DIR,
    BrandConfig,
    BrandConfigError,
    DatabaseReader,
    Quarantine,
    Source,
    load_brand,
)
from orchestration.landing.contract import load_contract
from orchestration.landing.errors import LandingError
from orchestration.landing.land import land
from orchestration.landing.mapping import check_source
from orchestration.landing.propose.guess import Context, EntityGuess, guess_entity
from orchestration.landing.propose.names import is_name
from orchestration.landing.propose.render import Draft, render
from orchestration.landing.propose.shapes import Shape, find_shapes
from orchestration.landing.propose.sniff import HEAD_BYTES, TITLE_LINES, Sniffed, sniff
from orchestration.landing.quarantine import MaskedRow, masked_samples
from orchestration.landing.readers import ROW_NUMBER, UNNAMED, file_columns, list_files, literal, read
from orchestration.settings import SECRET_PREFIX, Settings
from orchestration.warehouse import scratch

SAMPLE_ROWS = 10_000
_SAMPLES_SHOWN = 5
_SAMPLE_FILE = "sample.parquet"
_REQUIRED = "missing; the contract requires it"
# What stands in for a field of the key that nothing was found for, while the mapping is tried.
_STAND_INS = {
    "text": f"cast({ROW_NUMBER} as varchar)",
    "integer": ROW_NUMBER,
    "date": f"date '2000-01-01' + cast({ROW_NUMBER} as integer)",
    "timestamp": f"to_timestamp({ROW_NUMBER})",
}
_CODE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Wishes:
    """What the caller says instead of leaving it to be guessed."""

    name: str | None = None
    source_system: str | None = None
    entity: str | None = None
    mode: str | None = None
    columns: tuple[str, ...] = ()  # names of the columns of a file without header


@dataclass(frozen=True)
class Trial:
    """What became of the sample. `problem` says why nothing was landed, if nothing was."""

    rows: int = 0
    landed: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    samples: list[MaskedRow] = field(default_factory=list)
    problem: str | None = None


@dataclass(frozen=True)
class Proposal:
    """A source's YAML as text, what is still missing in it, and what it does with the sample."""

    name: str
    text: str
    draft: Draft
    missing: list[str]  # required fields that nothing was found for
    problems: list[str]  # what `tessera check` says beside them
    trial: Trial

    @property
    def guess(self) -> EntityGuess:
        return self.draft.guess


def propose_file(settings: Settings, config: BrandConfig, path: Path, wishes: Wishes) -> Proposal:
    """A first mapping of a file below TESSERA_SOURCES, or of one that the brand's simulator made.

    Raises LandingError when it lies elsewhere or cannot be read, BrandConfigError when a wish cannot be met.
    """
    located, root = locate(settings, path)
    below = located.relative_to(root).as_posix()
    sniffed = sniff(located, below, is_name, wishes.columns)
    generated = {"location": "generated"} if root == settings.generated_sources.resolve() else {}
    reader = {"kind": sniffed.reader["kind"], **generated, **sniffed.reader}
    with _workshop(settings) as shop:
        target = (shop.generated_sources if generated else Path(str(shop.sources_root))) / below
        whole = _cut(located, target, sniffed)
        reader |= _title_lines(shop, reader)
        shapes, keywords = _profile(shop, reader)
        default = _code(re.sub(r"\d{4}-?\d{2}-?\d{2}", "", path.name).partition(".")[0])
        system = wishes.source_system or _code(below.split("/")[0] if "/" in below else "") or config.brand
        seen = _Seen(
            reader=reader,
            notes=sniffed.notes,
            shapes=shapes,
            keywords=keywords,
            default_name=default,
            system=system,
            place=below,
            origin=f"{'all' if whole else 'the first'} {_rows(shapes):,} rows of {below}",
        )
        return _propose(shop, config, wishes, seen, trial_reader=reader, day=sniffed.day)


def propose_table(settings: Settings, config: BrandConfig, table: str, secret: str, wishes: Wishes) -> Proposal:
    """A first mapping of a database's table. Raises LandingError, SourceUnavailable or BrandConfigError."""
    with _workshop(settings) as shop:
        reader: dict[str, Any] = {"kind": "database", "connection_secret": secret, "table": table}
        written = _sample_table(shop, reader)
        trial_reader = {"kind": "parquet", "path": _SAMPLE_FILE}
        shapes, keywords = _profile(shop, trial_reader)
        system = wishes.source_system or _code(secret.removeprefix(SECRET_PREFIX)) or config.brand
        seen = _Seen(
            reader=reader,
            notes={},
            shapes=shapes,
            keywords=keywords,
            default_name=_code(table.rpartition(".")[2]),
            system=system,
            place=table,
            origin=f"{written:,} rows of {table}",
        )
        return _propose(shop, config, wishes, seen, trial_reader=trial_reader)


@dataclass(frozen=True)
class _Seen:
    """What was found out before anything is guessed."""

    reader: dict[str, Any]
    notes: dict[str, str]
    shapes: list[Shape]
    keywords: frozenset[str]
    default_name: str
    system: str
    place: str
    origin: str


def _propose(
    shop: Settings,
    config: BrandConfig,
    wishes: Wishes,
    seen: _Seen,
    *,
    trial_reader: dict[str, Any],
    day: date | None = None,
) -> Proposal:
    if wishes.entity is not None and wishes.entity not in load_contract():
        raise BrandConfigError(
            config.brand, [f"--entity {wishes.entity}: no contract entity; one of {', '.join(load_contract())}"]
        )
    context = Context(wishes.name or seen.default_name or config.brand, config.currency, seen.place, seen.keywords)
    guess, second = guess_entity(seen.shapes, context, wishes.entity)
    name = wishes.name or seen.default_name or guess.entity.name
    mode, reader, notes = _mode(wishes, seen, guess)
    draft = Draft(
        brand=config.brand,
        source_system=seen.system,
        mode=mode,
        reader=reader,
        timestamps_in=config.zone,
        guess=guess,
        origin=seen.origin,
        next_best=second.entity.name if second else "",
        notes=notes,
    )
    problems, trial = _try(shop, name, draft, trial_reader)
    if day is not None and not (config.calendar_start <= day <= (config.calendar_end or date.max)):
        problems.insert(
            0, f"{BRAND_FILE}: the file of {day} lies outside the brand's calendar; move calendar_start or calendar_end"
        )
    return Proposal(
        name=name,
        text=render(draft),
        draft=draft,
        missing=[f"{guess.entity.name}.{found.name}" for found in guess.missing],
        problems=problems,
        trial=trial,
    )


def _mode(wishes: Wishes, seen: _Seen, guess: EntityGuess) -> tuple[str, dict[str, Any], dict[str, str]]:
    """How deliveries follow each other, as far as one delivery can tell; a database's cursor goes with it."""
    reader, notes = seen.reader, dict(seen.notes)
    is_log = guess.operation is not None
    mode = wishes.mode or ("change_log" if is_log else "incremental")
    if is_log and not wishes.mode:
        notes["mode"] = f"{guess.operation.name if guess.operation else ''} says what was done"
    if reader["kind"] == "database" and mode not in ("full", "compare"):
        cursor = _cursor(seen.shapes, guess)
        if cursor:
            reader = reader | {"cursor": cursor}
            notes["cursor"] = "only rows at or above its last value are asked for; it must grow with every change"
        elif not wishes.mode:
            mode = "compare"
            notes["mode"] = "no column says what is new: all is read each time and compared"
    if not notes.get("mode"):
        notes["mode"] = (
            "each delivery is new or changed rows; full or compare where each is the whole (docs/add-a-source.md)"
        )
    return mode, reader, notes


def _cursor(shapes: list[Shape], guess: EntityGuess) -> str | None:
    """A column that grows with every change; of facts, which do not change, a number that grows with every row will do."""
    changed = guess.versions.get("changed_at")
    if changed and changed.shape and changed.shape.filled == changed.shape.rows:
        return changed.shape.name
    numbers = [s for s in shapes if s.is_unique and s.type in ("BIGINT", "INTEGER")]
    return numbers[0].name if numbers and numbers[0] is shapes[0] and guess.entity.nature == "fact" else None


# ---- what is looked at -------------------------------------------------------------------------------------------


def locate(settings: Settings, path: Path) -> tuple[Path, Path]:
    """The file and the root that it lies below. A relative path is looked for below TESSERA_SOURCES, then from here.

    Raises LandingError with the remedy when it is not there, or elsewhere.
    """
    roots = [root.resolve() for root in (settings.sources_root, settings.generated_sources) if root is not None]
    candidates = [path] if path.is_absolute() else [*(root / path for root in roots), Path.cwd() / path]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        where = f" in {settings.sources_root} or" if settings.sources_root else " in"
        remedy = "" if settings.sources_root else "; set TESSERA_SOURCES to the folder of the brand's source files"
        raise LandingError(f"{path}: no such file{where} the current folder; correct --file{remedy}")
    # The file may be a link below the root; where it leads is judged by the reader, as for any run.
    plain = found.parent.resolve() / found.name
    for root in roots:
        if plain.is_relative_to(root):
            return plain, root
    if settings.sources_root is None:
        raise LandingError(
            f"{found}: TESSERA_SOURCES is not set; set it to the folder that holds the brand's source files "
            f"(export TESSERA_SOURCES={plain.parent})"
        )
    raise LandingError(
        f"{found}: lies outside TESSERA_SOURCES ({settings.sources_root}); copy it there, "
        "or set TESSERA_SOURCES to a folder above it and the brand's other files"
    )


@contextmanager
def _workshop(settings: Settings) -> Iterator[Settings]:
    """The brand in a temporary folder: its brand.yml, no sources, an empty lake."""
    with tempfile.TemporaryDirectory(prefix="tessera-") as folder:
        root = Path(folder).resolve()
        shop = replace(settings, home=root / "home", brands_dir=root / "brands", sources_root=root / "sources")
        (shop.brand_dir / SOURCES_DIR).mkdir(parents=True)
        (root / "sources").mkdir()
        shutil.copyfile(settings.brand_dir / BRAND_FILE, shop.brand_dir / BRAND_FILE)
        yield shop


def _cut(path: Path, target: Path, sniffed: Sniffed) -> bool:
    """Write the first rows of a file to `target`, as they are; says whether these are all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    kind = sniffed.reader["kind"]
    if kind == "excel":
        shutil.copyfile(path, target)
        return True
    if kind == "parquet":
        with scratch() as connection:
            try:
                row = connection.execute(
                    f"copy (select * from read_parquet({literal(str(path))}) limit {SAMPLE_ROWS}) "
                    f"to {literal(str(target))} (format parquet)"
                ).fetchone()
            except duckdb.Error as error:
                raise LandingError(f"{path.name}: cannot be read as Parquet; deliver it again") from error
        return bool(row and row[0] < SAMPLE_ROWS)
    packed = path.suffix.lower() == ".gz"
    with gzip.open(path, "rb") if packed else path.open("rb") as stream:
        head = stream.read(HEAD_BYTES + 1)
    quote = '"' if kind == "csv" and sniffed.reader.get("quote", '"') else ""
    kept, whole = first_records(head, quote, sniffed.reader.get("encoding", "utf-8"))
    with gzip.open(target, "wb") if packed else target.open("wb") as written:
        written.write(kept)
    return whole


def first_records(head: bytes, quote: str, encoding: str = "utf-8", limit: int = SAMPLE_ROWS + 1) -> tuple[bytes, bool]:
    """The first whole records of a text, at most `limit` of them, and whether these are all of it."""
    if encoding == "utf-16":  # a line end is no byte of its own
        text, whole = first_records(head.decode(encoding, errors="ignore").encode(), quote, limit=limit)
        return text.decode(errors="ignore").encode(encoding), whole
    position = end = count = 0
    is_quoted = False
    while position < len(head) and count < limit:
        following = head.find(b"\n", position)
        if following < 0:
            break
        if quote and head.count(quote.encode(), position, following) % 2:
            is_quoted = not is_quoted
        position = following + 1
        if not is_quoted:
            end, count = position, count + 1
    if len(head) <= HEAD_BYTES and count < limit:
        return head, True
    return head[: end or len(head)], False


def _title_lines(shop: Settings, reader: dict[str, Any]) -> dict[str, int]:
    """Lines above the header of a sheet: titles are narrower than it is. Names that nobody knows may be a row's values."""
    if reader["kind"] != "excel":
        return {}
    widest, best = 0, 0
    for skipped in range(TITLE_LINES):
        source = _source(reader | ({"skip_lines": skipped} if skipped else {}))
        with scratch() as connection:
            try:
                columns = file_columns(connection, source, list_files(shop, source)[-1])
            except LandingError:
                continue
        width = sum(not name.startswith(UNNAMED) for name in columns)
        if width > widest and (not skipped or 2 * sum(map(is_name, columns)) >= len(columns)):
            widest, best = width, skipped
    return {"skip_lines": best} if best else {}


def _source(reader: dict[str, Any], mode: str = "incremental") -> Source:
    """A source that has a reader and nothing else: enough to read its columns and rows."""
    return Source.model_validate(
        {
            "name": "sample",
            "limits": Quarantine(),
            "source_system": "sample",
            "mode": mode,
            "reader": reader,
            "timestamps_in": "UTC",
            "entities": {"events": {"fields": {}}},
        }
    )


def _profile(shop: Settings, reader: dict[str, Any]) -> tuple[list[Shape], frozenset[str]]:
    """What the columns of the sample look like, and the words that SQL keeps for itself."""
    source = _source(reader)
    (shop.lake / ".tmp").mkdir(parents=True, exist_ok=True)
    with scratch() as connection:
        file = list_files(shop, source)[-1]
        columns = file_columns(connection, source, file)
        read(connection, source, file, columns, shop.lake / ".tmp")
        shapes = find_shapes(connection, columns)
        words = connection.execute("select keyword_name from duckdb_keywords() where keyword_category <> 'unreserved'")
        return shapes, frozenset(word for (word,) in words.fetchall())


def _rows(shapes: list[Shape]) -> int:
    return shapes[0].rows if shapes else 0


def _sample_table(shop: Settings, reader: dict[str, Any]) -> int:
    """Write the first rows of a table as Parquet; gives their number."""
    # Imported here: a proposal of a file does not need SQLAlchemy.
    import pyarrow as pa
    import pyarrow.parquet as pq

    from orchestration.landing.extract import database

    source = _source(reader, mode="compare")
    if not isinstance(source.reader, DatabaseReader):
        raise TypeError("a table is read by a DatabaseReader")
    with database.open_table(source, source.reader) as opened:
        query = database.statement(opened).limit(SAMPLE_ROWS)
        table = pa.concat_tables([opened.schema.empty_table(), *database.tables(opened, query)])
    pq.write_table(table, Path(str(shop.sources_root)) / _SAMPLE_FILE)
    return table.num_rows


def _code(text: str) -> str:
    """A text as a name of ours: lower case letters, digits and underscores; empty when nothing is left."""
    code = re.sub(r"_+", "_", re.sub(r"[^a-z0-9]+", "_", text.lower())).strip("_")
    code = code if not code[:1].isdigit() else f"s{code}"
    return code if _CODE.fullmatch(code) else ""


# ---- the trial ---------------------------------------------------------------------------------------------------


def _try(shop: Settings, name: str, draft: Draft, reader: dict[str, Any]) -> tuple[list[str], Trial]:
    """What `check` says of the draft beside required fields that are missing, and what landing the sample gives."""
    document = draft.document() | {"reader": reader}
    if reader["kind"] != draft.reader["kind"]:
        document["mode"] = "incremental"  # the sample stands in for a database, which has no file to read
    problems = _written_problems(shop, name, draft) if document["reader"] != draft.reader else []
    for found in draft.guess.missing:
        if found.key:  # without a whole key every row would be a duplicate, and nothing be said of the other fields
            document["entities"][draft.guess.entity.name]["fields"][found.name] = _STAND_INS[found.type]
    document["quarantine"] = {"max_share": 1.0, "tolerated_rows": SAMPLE_ROWS}
    _write(shop, name, document)
    try:
        brand = load_brand(shop)
    except BrandConfigError as error:
        return [*problems, *error.problems], Trial(problem="the mapping is not complete, so it was not tried")
    found = check_source(shop, brand.sources[0])
    problems += [problem for problem in found if _REQUIRED not in problem]
    if problems:
        return list(dict.fromkeys(problems)), Trial(problem="the mapping has problems, so it was not tried")
    if not draft.guess.guesses:
        return [], Trial(problem="no field was found, so there is nothing to try")
    try:
        batch = land(shop, brand, draft.guess.entity.name)[0]
    except LandingError as error:
        return [], Trial(problem=str(error))
    return [], Trial(
        rows=batch.rows_in,
        landed=batch.rows_landed,
        quarantined=batch.rows_quarantined,
        reasons=batch.quarantine_reasons,
        samples=_samples(shop, draft.guess, list(batch.quarantine_reasons)[:_SAMPLES_SHOWN]),
    )


def _samples(shop: Settings, guess: EntityGuess, reasons: list[str]) -> list[MaskedRow]:
    """A masked row for each reason, of which only the column concerned is kept where the reason is about one."""
    found = []
    for reason in reasons:
        at_fault = guess.guesses.get(reason.partition(":")[0])
        for row in masked_samples(shop, reason=reason, limit=1):
            named = at_fault.shape.name if at_fault and at_fault.shape else ""
            values = {named: row.values[named]} if named in row.values else row.values
            found.append(replace(row, reason=reason, values=values))
    return found


def _written_problems(shop: Settings, name: str, draft: Draft) -> list[str]:
    """What is wrong with the keys of the file itself; a database is not asked again."""
    _write(shop, name, draft.document())
    try:
        load_brand(shop)
    except BrandConfigError as error:
        return error.problems
    return []


def _write(shop: Settings, name: str, document: dict[str, Any]) -> None:
    path = shop.brand_dir / SOURCES_DIR / f"{name}.yml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
