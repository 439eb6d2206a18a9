"""What sources call the contract's fields, and how near a column's name comes to one of these names.

The names are the fields' own, their labels, and those of synonyms.yml beside this file.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from orchestration.landing.contract import Entity, Field, load_contract

SYNONYMS_FILE = Path(__file__).with_name("synonyms.yml")

OWN, ELSEWHERE = 1.0, 0.95  # a field's name; one that means the field in this entity only
_NEAR = 0.86  # difflib's ratio from which a name is a misspelling: order_tme, not order_type
_SHORTEST = 4  # letters of a name that may stand inside a longer one: "id" and "time" are in everything
_BRACKETS = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


@dataclass(frozen=True)
class Synonyms:
    """synonyms.yml, its names as they are compared (see `folded`)."""

    fields: dict[str, frozenset[str]]
    entities: dict[str, dict[str, frozenset[str]]]
    files: dict[str, tuple[str, ...]]
    values: dict[str, dict[str, str]]  # field → folded value of a source → allowed value
    versions: dict[str, frozenset[str]]
    deletions: tuple[str, ...]


@lru_cache(maxsize=10_000)
def folded(name: str) -> str:
    """A name without what differs from source to source: case, width, blanks, punctuation, a unit in brackets."""
    name = unicodedata.normalize("NFKC", name)
    bare = _BRACKETS.sub("", name) or name
    return "".join(character for character in bare.casefold() if character.isalnum())


@lru_cache(maxsize=1_000)
def _runs(name: str) -> frozenset[str]:
    """Neighbouring words of a name put together: of new_member_id also memberid."""
    words = [word.casefold() for word in _WORD.findall(unicodedata.normalize("NFKC", name))]
    return frozenset("".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1))


@lru_cache(maxsize=1)
def load_synonyms() -> Synonyms:
    """The names of synonyms.yml together with the contract's own."""
    document: dict[str, Any] = yaml.safe_load(SYNONYMS_FILE.read_text(encoding="utf-8"))
    names: dict[str, set[str]] = {}
    for entity in load_contract().values():
        for field in entity.fields:
            own = {field.name, field.label.zh, field.label.en, *document["fields"].get(field.name, ())}
            names.setdefault(field.name, set()).update(folded(name) for name in own)
    return Synonyms(
        fields={field: frozenset(words) for field, words in names.items()},
        entities={
            entity: {field: frozenset(map(folded, words)) for field, words in fields.items()}
            for entity, fields in document["entities"].items()
        },
        files={entity: tuple(map(folded, words)) for entity, words in document["files"].items()},
        values={
            field: {folded(word): value for value, words in values.items() for word in (*words, value)}
            for field, values in document["values"].items()
        },
        versions={what: frozenset(map(folded, words)) for what, words in document["versions"].items()},
        deletions=tuple(document["deletions"]),
    )


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    synonyms = load_synonyms()
    groups = [*synonyms.fields.values(), *synonyms.versions.values()]
    groups += [words for fields in synonyms.entities.values() for words in fields.values()]
    return frozenset().union(*groups)


def is_name(text: str) -> bool:
    """Whether a text is one of the names, so that a line of such texts is a header and no record."""
    return folded(text) in _known()


def name_score(entity: Entity, field: Field, column: str) -> float:
    """How near a column's name comes to a field's, 0 to 1."""
    synonyms = load_synonyms()
    name = folded(column)
    own = synonyms.fields[field.name]
    here = synonyms.entities.get(entity.name, {}).get(field.name, frozenset())
    if name in own:
        return OWN
    if name in here:
        return ELSEWHERE
    return max((_nearness(name, column, known) for known in own), default=0.0)


def _nearness(name: str, column: str, known: str) -> float:
    if not name or not known:
        return 0.0
    share = len(known) / len(name)
    if not known.isascii() and len(known) >= 2 and known in name:
        return 0.55 + 0.35 * share
    if len(known) < _SHORTEST or len(name) < _SHORTEST:
        return 0.0
    if known.isascii() and known in _runs(column):
        return 0.5 + 0.4 * share
    if abs(len(name) - len(known)) > 2:
        return 0.0
    matcher = difflib.SequenceMatcher(None, name, known)
    if matcher.quick_ratio() < _NEAR:
        return 0.0
    return 0.8 * matcher.ratio() if matcher.ratio() >= _NEAR else 0.0


def file_score(entity: str, name: str) -> float:
    """How much a file's or table's name speaks for an entity, 0 to 1: of two words in it the longer one says more."""
    text = folded(name)
    return min(1.0, max((len(word) for word in load_synonyms().files[entity] if word in text), default=0) / 6)
