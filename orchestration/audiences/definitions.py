"""A brand's audiences: the shared pack, what the brand adds, overrides or leaves out, read and checked as a whole.

    brands/_shared/audiences/<id>.yml       the pack that every brand has
    brands/<brand>/audiences/<id>.yml       the brand's own; the same id takes the pack's place
    brands/<brand>/audiences/pack.yml       `leave_out: [aud_…]`

What is wrong is reported all at once, as `file: key: problem; remedy`. What a rule means belongs in `grammar`, whether a
warehouse can work it out in `catalogue`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from orchestration.audiences import catalogue as catalogues
from orchestration.audiences import grammar
from orchestration.brands import BrandConfigError, UniqueKeyLoader, suggest
from orchestration.settings import Settings

FOLDER = "audiences"
SHARED = "_shared"
PACK_FILE = "pack.yml"
USES = ("analysis", "sms", "email", "app_push", "wechat", "phone", "ad_platform")
_REQUIRED = ("audience", "label_zh", "label_en", "goal", "owner", "allowed_uses", "priority", "where")
_OPTIONAL = ("expires", "exclusive_group", "source", "note")


class AudienceError(BrandConfigError):
    """Audiences cannot be used as they are written. `problems` holds one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("(audiences)", problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        self.args = (f"audiences: {count}\n" + "\n".join(f"  - {problem}" for problem in problems),)


@dataclass(frozen=True)
class Audience:
    """One definition; `rule` is resolved (it names no other audience), `where` is as it was written."""

    audience_id: str
    label_zh: str
    label_en: str
    goal: str
    owner: str
    allowed_uses: tuple[str, ...]
    priority: int
    where: grammar.Node
    rule: grammar.Node
    origin: str  # pack | brand
    file: str
    text: str  # the rule as YAML, for people
    expires: date | None = None
    exclusive_group: str | None = None
    source: str = ""

    @property
    def rule_version(self) -> str:
        return grammar.rule_version(self.rule)

    def is_expired(self, as_of_date: date) -> bool:
        """Whether `expires`, the first business date without the audience, is among the known days' end or before."""
        return self.expires is not None and as_of_date > self.expires


@dataclass(frozen=True)
class Availability:
    """What came of looking at one audience in one warehouse: a status, and what is missing where something is."""

    status: str  # ready | unavailable | expired
    missing: tuple[str, ...] = ()


def load_audiences(settings: Settings) -> dict[str, Audience]:
    """Every audience of the brand by id, rules resolved. Raises AudienceError with everything that is wrong."""
    shared = settings.project_root / "brands" / SHARED / FOLDER
    own = settings.brand_dir / FOLDER
    problems: list[str] = []
    read: dict[str, dict[str, Any]] = {}
    for folder, origin in ((shared, "pack"), (own, "brand")):
        for path in sorted(folder.glob("*.yml")):
            if path.name == PACK_FILE:
                continue
            document = _read(path, origin, problems)
            if document is not None:
                read[document["audience_id"]] = document
    for audience_id in _left_out(own / PACK_FILE, read, problems):
        del read[audience_id]
    return _resolved(read, problems)


def load_file(path: Path, settings: Settings) -> Audience:
    """One audience of a file that need not lie in the brand's folder; it may name the brand's audiences."""
    problems: list[str] = []
    document = _read(path, "brand", problems, is_saved=False)
    if document is None:
        raise AudienceError(problems)
    audiences = load_audiences(settings)
    others = {a.audience_id: {"where": a.where} for a in audiences.values()}
    rules = {name: other["where"] for name, other in others.items()} | {document["audience_id"]: document["where"]}
    try:
        rule = grammar.resolve(grammar.Reference(document["audience_id"]), rules)
    except grammar.RuleError as error:
        raise AudienceError([f"{document['file']}: {problem}" for problem in error.problems]) from None
    return Audience(rule=rule, **document)


def check_against(audiences: Mapping[str, Audience], catalogue: catalogues.Catalogue) -> None:
    """Refuse a brand's own rules that name what nobody knows. The pack speaks for all brands: what one lacks is missing there."""
    problems = [
        f"{audience.file}: where: {problem}"
        for audience in audiences.values()
        if audience.origin == "brand"
        for problem in catalogues.check(audience.where, catalogue)
    ]
    if problems:
        raise AudienceError(problems)


def availability(audience: Audience, catalogue: catalogues.Catalogue, as_of_date: date) -> Availability:
    """Whether an audience can be worked out as of a day; nobody is in one that cannot."""
    if audience.is_expired(as_of_date):
        return Availability("expired", (f"it ended on {audience.expires}",))
    lacking = catalogues.check(audience.rule, catalogue) or catalogues.missing(audience.rule, catalogue)
    return Availability("unavailable", tuple(lacking)) if lacking else Availability("ready")


# ---- reading files -----------------------------------------------------------------------------------------------


def _read(path: Path, origin: str, problems: list[str], *, is_saved: bool = True) -> dict[str, Any] | None:
    name = f"{path.parent.parent.name}/{path.parent.name}/{path.name}" if is_saved else path.name
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        problems.append(f"{name}: {_first_line(error)}; mend the YAML")
        return None
    if not isinstance(document, dict):
        problems.append(f"{name}: must be a mapping with {', '.join(_REQUIRED)}")
        return None
    found = [f"{name}: {key}: is missing; add it" for key in _REQUIRED if document.get(key) in (None, "", [])]
    found += [
        f"{name}: {key}: is not known; {suggest(str(key), (*_REQUIRED, *_OPTIONAL))}"
        for key in document
        if key not in (*_REQUIRED, *_OPTIONAL)
    ]
    for key in ("label_zh", "label_en", "goal", "owner", "exclusive_group", "source", "note"):
        if document.get(key) is not None and not isinstance(document[key], str):
            found.append(f"{name}: {key}: must be a text; put it in quotes")
    audience_id = document.get("audience")
    if audience_id is not None:
        if not isinstance(audience_id, str) or not grammar.AUDIENCE_ID.fullmatch(audience_id):
            found.append(
                f"{name}: audience: {audience_id!r} must be aud_ and lower case words, such as aud_new7d_no_order"
            )
        elif is_saved and path.stem != audience_id:
            found.append(
                f"{name}: audience: {audience_id!r} stands in a file of another name; call it {audience_id}.yml"
            )
    priority = document.get("priority")
    if priority is not None and (isinstance(priority, bool) or not isinstance(priority, int) or priority < 1):
        found.append(f"{name}: priority: {priority!r} must be a whole number from 1, the most important")
    uses = document.get("allowed_uses") or []
    if not isinstance(uses, list) or not all(isinstance(use, str) for use in uses):
        found.append(f"{name}: allowed_uses: must be a list of {', '.join(USES)}")
        uses = []
    found += [f"{name}: allowed_uses: no use {use!r}; {suggest(use, USES)}" for use in uses if use not in USES]
    expires = document.get("expires")
    if expires is not None and type(expires) is not date:
        found.append(f"{name}: expires: {expires!r} must be a date such as 2026-12-31")
    node = None
    if document.get("where") is not None:
        try:
            node = grammar.parse_rule(document["where"])
        except grammar.RuleError as error:
            found += [f"{name}: {problem}" for problem in error.problems]
    problems += found
    if found or node is None:
        return None
    return {
        "audience_id": audience_id,
        **{key: document[key] for key in ("label_zh", "label_en", "goal", "owner", "priority")},
        "allowed_uses": tuple(uses),
        "where": node,
        "origin": origin,
        "file": name,
        "text": yaml.safe_dump(
            document["where"], allow_unicode=True, sort_keys=False, default_flow_style=None, width=120
        ),
        "expires": expires,
        "exclusive_group": document.get("exclusive_group"),
        "source": document.get("source") or "",
    }


def _left_out(path: Path, read: Mapping[str, Any], problems: list[str]) -> list[str]:
    if not path.exists():
        return []
    name = f"{path.parent.parent.name}/{path.parent.name}/{path.name}"
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{name}: {_first_line(error)}; mend the YAML")
        return []
    if not isinstance(document, dict) or set(document) != {"leave_out"} or not isinstance(document["leave_out"], list):
        problems.append(f"{name}: must be `leave_out:` with a list of audiences of the pack")
        return []
    pack = sorted(a for a, d in read.items() if d["origin"] == "pack")
    for audience_id in document["leave_out"]:
        if audience_id not in pack:
            problems.append(
                f"{name}: leave_out: no audience {audience_id!r} of the pack is in use; {suggest(str(audience_id), pack)}"
            )
    return [audience_id for audience_id in dict.fromkeys(document["leave_out"]) if audience_id in pack]


def _resolved(read: Mapping[str, dict[str, Any]], problems: list[str]) -> dict[str, Audience]:
    rules = {audience_id: document["where"] for audience_id, document in read.items()}
    found = {}
    for audience_id, document in sorted(read.items()):
        try:
            rule = grammar.resolve(grammar.Reference(audience_id), rules)
        except grammar.RuleError as error:
            problems += [f"{document['file']}: {problem}" for problem in error.problems]
            continue
        found[audience_id] = Audience(rule=rule, **document)
    if problems:
        raise AudienceError(problems)
    return found


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
