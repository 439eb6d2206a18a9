"""Where an audience may be sent: consent that it takes, and identifiers with the platform's rule for hashing.

Shared ones in brands/_shared/destinations.yml, a brand's own in brands/<brand>/destinations.yml. Sending rows there belongs in
`export`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchestration.audiences.definitions import SHARED, AudienceError
from orchestration.brands import UniqueKeyLoader
from orchestration.settings import Settings

FILE = "destinations.yml"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Identifier(_Config):
    """A column of the exported file."""

    column: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    identifier: Literal["phone", "email", "unionid", "openid", "device_id"]
    form: Literal["e164", "digits", "national", "address", "stored"]
    hash: Literal["sha256", "md5"] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Identifier:
        forms = {"phone": ("e164", "digits", "national", "stored"), "email": ("address", "stored")}
        allowed = forms.get(self.identifier, ("stored",))
        if self.form not in allowed:
            raise ValueError(f"form {self.form} of {self.identifier}; it has {', '.join(allowed)}")
        if (self.form == "stored") != (self.hash is None):
            raise ValueError("hash goes with every form but stored, which is a hash already; plain values never leave")
        return self


class Destination(_Config):
    label_zh: str
    label_en: str
    channel: str = Field(min_length=1)
    purpose: str = Field(min_length=1)
    identifiers: list[Identifier] = Field(min_length=1)

    @model_validator(mode="after")
    def _columns_differ(self) -> Destination:
        columns = [identifier.column for identifier in self.identifiers]
        if len(set(columns)) < len(columns):
            raise ValueError("two identifiers have the same column; give each its own")
        return self


def load_destinations(settings: Settings) -> dict[str, Destination]:
    """Destinations of the brand by name. Raises AudienceError with everything that is wrong."""
    problems: list[str] = []
    found: dict[str, Destination] = {}
    for folder in (settings.project_root / "brands" / SHARED, settings.brand_dir):
        if (folder / FILE).exists():
            found |= _read(folder / FILE, problems)
    if problems:
        raise AudienceError(problems)
    return found


def _read(path: Path, problems: list[str]) -> dict[str, Destination]:
    name = f"{path.parent.name}/{path.name}"
    try:
        document: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{name}: {str(error).splitlines()[0]}; mend the YAML")
        return {}
    if not isinstance(document, dict):
        problems.append(f"{name}: must be a mapping of names to destinations")
        return {}
    found = {}
    for key, content in document.items():
        if not isinstance(key, str) or not _NAME.fullmatch(key):
            problems.append(f"{name}: {key!r}: must be lower case letters, digits and underscores")
            continue
        try:
            found[key] = Destination.model_validate(content)
        except ValidationError as error:
            problems += [
                f"{name}: {'.'.join([key, *map(str, e['loc'])])}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors()
            ]
    return found
