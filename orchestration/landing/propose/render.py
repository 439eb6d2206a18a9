"""A proposed source as YAML to edit: every guess with how sure it is, every column that nothing uses, nothing of the data.

Values are shown by their shape only. What is guessed belongs in `guess`.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

import yaml

from orchestration.landing.propose.guess import EntityGuess, Guess

_WIDTH = 120
_UNSAFE = ("\n", "\r", "\t", "\x00")


@dataclass(frozen=True)
class Draft:
    """All that stands in the file."""

    brand: str
    source_system: str
    mode: str
    reader: dict[str, Any]
    timestamps_in: str
    guess: EntityGuess
    origin: str  # what was looked at
    next_best: str = ""
    notes: dict[str, str] = field(default_factory=dict)  # key of the reader, or mode → why

    def document(self) -> dict[str, Any]:
        """What the file says, without its comments."""
        mapping: dict[str, Any] = {"fields": {name: guess.sql for name, guess in self.guess.guesses.items()}}
        mapping |= {name: guess.sql for name, guess in self.guess.versions.items()}
        body: dict[str, Any] = {"source_system": self.source_system, "mode": self.mode, "reader": self.reader}
        body |= {"timestamps_in": self.timestamps_in, "entities": {self.guess.entity.name: mapping}}
        if self.guess.ignored:
            body["ignored_columns"] = [shape.name for shape in self.guess.ignored]
        return body


def render(draft: Draft) -> str:
    """The file's text. It loads as `draft.document()`."""
    text = _text(draft)
    if yaml.safe_load(text) != draft.document():
        raise AssertionError("the rendered YAML does not say what was proposed")
    return text


def _text(draft: Draft) -> str:
    entity = draft.guess.entity
    lines = [
        *_wrapped(
            f"First mapping by `tessera source add`, from {draft.origin}. A guess to be edited: behind each field stands "
            "how sure it is (1 = by name and values) and the shape of the values, in which 9 stands for digits, x for "
            f"letters, 〇 for Chinese. Then run `tessera check --brand {draft.brand}`."
        ),
        f"source_system: {scalar(draft.source_system)} # part of every id: sources of one system share their members and orders",
        f"mode: {draft.mode}{_comment(draft.notes.get('mode', ''))}",
        "reader:",
    ]
    lines += [f"  {key}: {scalar(value)}{_comment(draft.notes.get(key, ''))}" for key, value in draft.reader.items()]
    lines += [
        f"timestamps_in: {scalar(draft.timestamps_in)} # zone of times that carry none; the brand's, unless the source differs",
        "entities:",
    ]
    label = f"{entity.label.zh} · {entity.label.en}, a {entity.nature}"
    lines.append(f"  {entity.name}: # {label}{f'; next likely: {draft.next_best}' if draft.next_best else ''}")
    lines.append("    fields:" if draft.guess.guesses else "    fields: {}")
    for found in entity.fields:
        if found.name in draft.guess.guesses:
            lines += _field(found.name, draft.guess.guesses[found.name], 6)
        elif found in draft.guess.missing:
            allowed = f", one of {', '.join(found.allowed)}" if found.allowed else ""
            lines += _wrapped(
                f"{found.name}: REQUIRED, nothing found: {found.label.zh} · {found.description}{allowed}", "      "
            )
    for name, guess in draft.guess.versions.items():
        lines += _field(name, guess, 4)
    lines += _columns(draft)
    return "\n".join(lines) + "\n"


def _field(name: str, guess: Guess, indent: int) -> list[str]:
    why = [f"{guess.confidence:.2f}"] if guess.shape else []
    why += [guess.note] if guess.note else []
    why += [guess.shape.told()] if guess.shape else []
    comment = _plain("; ".join(why))
    pad = " " * indent
    line = f"{pad}{name}: {scalar(guess.sql)}"
    if len(line) + len(comment) + 3 <= _WIDTH:
        return [f"{line} # {comment}"]
    return [*_wrapped(comment, pad), line]


def _wrapped(text: str, pad: str = "") -> list[str]:
    """A comment of as many lines as it needs."""
    return textwrap.wrap(_plain(text), _WIDTH, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}# ")


def _columns(draft: Draft) -> list[str]:
    lines: list[str] = []
    if draft.guess.ignored:
        lines += ["ignored_columns: # dropped: the row's number, or what seems to name a person and has no field here"]
        lines += [f"  - {scalar(shape.name)}{_comment(shape.told())}" for shape in draft.guess.ignored]
    if draft.guess.unused:
        lines.append(
            "# Columns without a field; kept as JSON in extra_fields until they are mapped or listed in ignored_columns:"
        )
        lines += [f"#   {_plain(shape.name)}: {_plain(shape.told())}" for shape in draft.guess.unused]
    return lines


def _comment(text: str) -> str:
    return f" # {_plain(text)}" if text else ""


def _plain(text: str) -> str:
    """A text that stays on its line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def scalar(value: Any) -> str:
    """A value as YAML on one line, quoted only where it must be."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if not isinstance(value, str):
        return yaml.safe_dump(value).removesuffix("\n...\n").strip()
    for written in (value, f'"{value}"', "'" + value.replace("'", "''") + "'"):
        if _reads_as(f"key: {written} # comment", {"key": value}):
            return written
    return _quoted(value)


def _flow(value: Any) -> str:
    text = scalar(value)
    return text if _reads_as(f"[{text}, x]", [value, "x"]) else _quoted(value)


def _quoted(value: str) -> str:
    return '"' + "".join(_escaped(character) for character in value) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _reads_as(text: str, expected: Any) -> bool:
    if any(mark in text for mark in _UNSAFE):
        return False
    try:
        return yaml.safe_load(text) == expected
    except yaml.YAMLError:
        return False
