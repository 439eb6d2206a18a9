"""A rule as a person writes it in YAML, read into a tree that the compiler takes. Nothing here knows SQL or a warehouse.

Names that only a warehouse can know (tags, events, categories) are checked in `catalogue`. What a rule means is said in
docs/audiences.md; a second reading of it, in plain Python, is what the tests compare the compiler with.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any

from orchestration.brands import suggest

# Scalars that a rule may compare with. bool is an int in Python: where numbers are wanted it is refused by name.
Scalar = str | int | float | bool | date

COMPARISONS = ("is", "is_not", "in", "not_in", "at_least", "at_most", "more_than", "less_than", "between")
KNOWING = ("is_known", "is_unknown")
LISTED = ("contains", "contains_any")
DATED = ("in_last_days", "more_than_days_ago")
VALUE_TESTS = (*COMPARISONS, *KNOWING, *LISTED, *DATED)
MEASURE_TESTS = ("is", "at_least", "at_most", "more_than", "less_than", "between")
TIES = ("in", "out", "by_member_id")
EVENT_FILTERS = ("category", "product", "channel", "platform", "system", "page", "launched_within_days")
ORDER_FILTERS = ("channel", "store", "system", "has_coupon", "category", "product", "launched_within_days")
# Of an order these are told by its lines.
LINE_FILTERS = frozenset({"category", "product", "launched_within_days"})
ANY_EVENT = "any"  # whatever a member did on a screen, by any name
MAX_DAYS = 3660
MAX_DEPTH = 20  # deeper trees are nobody's rule, and Python's own recursion ends somewhere

AUDIENCE_ID = re.compile(r"aud_[a-z0-9]+(_[a-z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class RuleError(ValueError):
    """A rule cannot be used. `problems` holds one line each: `key: problem; remedy`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


# ---- the tree ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AllOf:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """Every member who is not in `part`."""

    part: Node


@dataclass(frozen=True)
class Test:
    """One comparison: `value` is a scalar, or a tuple of them for in, not_in, between and contains_any."""

    operator: str
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class Value:
    """A value that each member has at most one of: source is tag, member, score or segment."""

    source: str
    name: str
    column: str = ""


@dataclass(frozen=True)
class Compared:
    """Members whose value passes every test; an unknown value passes none but is_unknown."""

    value: Value
    tests: tuple[Test, ...]


@dataclass(frozen=True)
class TopPercent:
    """The highest share of those whose value is known, of `among` where it is given."""

    value: Value
    percent: float
    ties: str
    among: Node | None


@dataclass(frozen=True)
class Window:
    """Ages of business dates, in days to the exclusive cut: 1 is the last day that is known. `oldest` None: no end."""

    newest: int = 1
    oldest: int | None = None


@dataclass(frozen=True)
class Fact:
    """Events of one name, or valid orders."""

    kind: str  # event | order
    name: str  # empty for orders
    filters: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()


@dataclass(frozen=True)
class Counted:
    """Members whose facts within the window pass the tests of every measure (count, days, amount)."""

    fact: Fact
    window: Window
    measures: tuple[tuple[str, tuple[Test, ...]], ...]


@dataclass(frozen=True)
class Step:
    fact: Fact
    is_absent: bool


@dataclass(frozen=True)
class Sequence:
    """Facts in this order, all of them within `within_seconds` of the first, which lies in the window."""

    steps: tuple[Step, ...]
    within_seconds: int
    window: Window


@dataclass(frozen=True)
class Reference:
    audience_id: str


@dataclass(frozen=True)
class Sample:
    percent: float
    seed: str


Node = AllOf | AnyOf | Not | Compared | TopPercent | Counted | Sequence | Reference | Sample


# ---- looking at a tree -------------------------------------------------------------------------------------------


def children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, AllOf | AnyOf):
        return node.parts
    if isinstance(node, Not):
        return (node.part,)
    if isinstance(node, TopPercent) and node.among is not None:
        return (node.among,)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def references(node: Node) -> list[str]:
    """Ids of the audiences a rule names, sorted."""
    return sorted({part.audience_id for part in walk(node) if isinstance(part, Reference)})


def facts(node: Node) -> list[Fact]:
    """Every fact a rule counts or orders in time."""
    found = []
    for part in walk(node):
        if isinstance(part, Counted):
            found.append(part.fact)
        if isinstance(part, Sequence):
            found += [step.fact for step in part.steps]
    return found


def values(node: Node) -> list[tuple[Value, tuple[Test, ...]]]:
    """Every value a rule compares, with the tests it is put to."""
    found: list[tuple[Value, tuple[Test, ...]]] = []
    for part in walk(node):
        if isinstance(part, Compared):
            found.append((part.value, part.tests))
        if isinstance(part, TopPercent):
            found.append((part.value, (Test("top_percent", part.percent),)))
    return found


def resolve(node: Node, rules: Mapping[str, Node]) -> Node:
    """The rule with every named audience replaced by its own rule. Raises RuleError for a circle or an unknown name."""
    return _resolved(node, rules, ())


def _resolved(node: Node, rules: Mapping[str, Node], path: tuple[str, ...]) -> Node:
    if isinstance(node, Reference):
        if node.audience_id in path:
            circle = " -> ".join([*path[path.index(node.audience_id) :], node.audience_id])
            raise RuleError([f"where: the audiences name each other in a circle: {circle}; take one of them out"])
        if node.audience_id not in rules:
            raise RuleError([f"where: no audience {node.audience_id!r}; {suggest(node.audience_id, sorted(rules))}"])
        return _resolved(rules[node.audience_id], rules, (*path, node.audience_id))
    if isinstance(node, AllOf):
        return AllOf(tuple(_resolved(part, rules, path) for part in node.parts))
    if isinstance(node, AnyOf):
        return AnyOf(tuple(_resolved(part, rules, path) for part in node.parts))
    if isinstance(node, Not):
        return Not(_resolved(node.part, rules, path))
    if isinstance(node, TopPercent) and node.among is not None:
        return TopPercent(node.value, node.percent, node.ties, _resolved(node.among, rules, path))
    return node


def normal_form(node: Any) -> Any:
    """The tree as plain lists, the same for two spellings of one rule (a default written out, 7 and 7.0)."""
    if is_dataclass(node):
        return [type(node).__name__, *(normal_form(getattr(node, field.name)) for field in fields(node))]
    if isinstance(node, tuple):
        return [normal_form(item) for item in node]
    if isinstance(node, float) and node.is_integer():
        return int(node)
    return node.isoformat() if isinstance(node, date) else node


def rule_version(resolved: Node) -> str:
    """Twelve hexadecimal digits of the rule's normal form; the rules of audiences it names are part of it."""
    text = json.dumps(normal_form(resolved), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


# ---- reading -----------------------------------------------------------------------------------------------------


def parse_rule(document: Any, key: str = "where") -> Node:
    """The tree of a `where:`. Raises RuleError with every problem, each with the key it is at."""
    reader = _Reader()
    node = reader.node(document, key, 0)
    if reader.problems or node is None:
        raise RuleError(reader.problems or [f"{key}: is missing; write a rule"])
    return node


class _Reader:
    """Reads a document and gathers what is wrong with it; a part that cannot be read is None."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._leaves: dict[str, Callable[[dict[str, Any], str, int], Node | None]] = {
            "tag": lambda d, k, n: self._value(d, k, n, "tag"),
            "member": lambda d, k, n: self._value(d, k, n, "member"),
            "score": lambda d, k, n: self._value(d, k, n, "score"),
            "segment": lambda d, k, n: self._value(d, k, n, "segment"),
            "event": self._counted,
            "order": self._counted,
            "sequence": self._sequence,
            "audience": self._reference,
            "sample": self._sample,
        }

    def wrong(self, key: str, problem: str) -> None:
        self.problems.append(f"{key}: {problem}")

    def node(self, document: Any, key: str, depth: int) -> Node | None:
        if depth > MAX_DEPTH:
            return self.wrong(key, f"more than {MAX_DEPTH} levels deep; name parts of it as audiences of their own")
        if not isinstance(document, dict) or not document:
            return self.wrong(key, "must be a mapping such as {tag: order_count_30d, at_least: 2}")
        groups = [name for name in ("all", "any", "not") if name in document]
        if groups:
            return self._group(document, groups[0], key, depth)
        kinds = [name for name in document if name in self._leaves]
        if len(kinds) != 1:
            known = ("all", "any", "not", *self._leaves)
            if kinds:
                return self.wrong(key, f"says {' and '.join(kinds)} at once; put each in a mapping of its own")
            return self.wrong(
                key, f"{next(iter(document))!r} begins no condition; {suggest(str(next(iter(document))), known)}"
            )
        return self._leaves[kinds[0]](document, key, depth)

    def _group(self, document: dict[str, Any], name: str, key: str, depth: int) -> Node | None:
        if len(document) > 1:
            others = ", ".join(str(other) for other in document if other != name)
            return self.wrong(key, f"{name} stands alone in its mapping; move {others} into it or beside it")
        content, inner = document[name], f"{key}.{name}"
        if name == "not":
            part = self.node(content, inner, depth + 1)
            return Not(part) if part is not None else None
        if not isinstance(content, list) or not content:
            return self.wrong(inner, "must be a list of at least one condition")
        parts = [self.node(item, f"{inner}[{i}]", depth + 1) for i, item in enumerate(content)]
        kept = tuple(part for part in parts if part is not None)
        if len(kept) < len(parts):
            return None
        return AllOf(kept) if name == "all" else AnyOf(kept)

    # ---- leaves ----

    def _value(self, document: dict[str, Any], key: str, depth: int, source: str) -> Node | None:
        name = document[source]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return self.wrong(f"{key}.{source}", f"{name!r} is not a name such as order_count_30d")
        column = document.get("column", "") if source == "segment" else ""
        if not isinstance(column, str) or (column and not _NAME.fullmatch(column)):
            return self.wrong(f"{key}.column", f"{column!r} is not the name of a column")
        value = Value(source, name, column)
        rest = {k: v for k, v in document.items() if k not in (source, *(("column",) if source == "segment" else ()))}
        if "top_percent" in rest:
            return self._top_percent(value, rest, key, depth)
        tests = self._tests(rest, key, VALUE_TESTS)
        return Compared(value, tests) if tests else None

    def _top_percent(self, value: Value, rest: dict[str, Any], key: str, depth: int) -> Node | None:
        self._only(rest, ("top_percent", "ties", "among"), key)
        percent = self._percent(rest["top_percent"], f"{key}.top_percent")
        ties = rest.get("ties", "in")
        if ties not in TIES:
            return self.wrong(f"{key}.ties", f"{ties!r} is not a rule for ties; {suggest(str(ties), TIES)}")
        among = None
        if "among" in rest:
            among = self.node(rest["among"], f"{key}.among", depth + 1)
            if among is None:
                return None
            if any(isinstance(part, TopPercent) for part in walk(among)):
                return self.wrong(
                    f"{key}.among", "a share of a share: name the inner one as an audience and combine with all"
                )
        return TopPercent(value, percent, ties, among) if percent is not None else None

    def _counted(self, document: dict[str, Any], key: str, depth: int) -> Node | None:
        kind = "event" if "event" in document else "order"
        fact = self._fact(document, key)
        window = self._window(document, key)
        allowed = (
            kind,
            "where",
            "in_last_days",
            "days_ago",
            "count",
            "days",
            *(("amount",) if kind == "order" else ()),
        )
        self._only(document, allowed, key)
        measures = []
        for name in ("count", "days", "amount"):
            if name not in document or name not in allowed:
                continue
            content = document[name]
            if not isinstance(content, dict):
                self.wrong(f"{key}.{name}", "must be a mapping such as {at_least: 2}")
                continue
            tests = self._tests(content, f"{key}.{name}", MEASURE_TESTS, numbers=True)
            if tests:
                measures.append((name, tests))
        if fact is None or window is None:
            return None
        return Counted(fact, window, tuple(measures) or (("count", (Test("at_least", 1),)),))

    def _fact(self, document: dict[str, Any], key: str) -> Fact | None:
        kind = "event" if "event" in document else "order"
        name = document[kind]
        if kind == "order":
            if name != "valid":
                return self.wrong(f"{key}.order", f"{name!r} is not a kind of order; write order: valid")
            name = ""
        elif not isinstance(name, str) or not name:
            return self.wrong(f"{key}.event", f"{name!r} is not the name of an event")
        where = document.get("where") or {}
        if not isinstance(where, dict):
            return self.wrong(f"{key}.where", "must be a mapping such as {category: 护肤}")
        known = EVENT_FILTERS if kind == "event" else ORDER_FILTERS
        filters = []
        for filter_, content in sorted(where.items(), key=str):
            at = f"{key}.where.{filter_}"
            if filter_ not in known:
                self.wrong(at, f"is not known; {suggest(str(filter_), known)}")
                continue
            chosen = tuple(content) if isinstance(content, list) else (content,)
            if filter_ == "launched_within_days":
                if self._days(content, at) is not None:
                    filters.append((filter_, (content,)))
            elif filter_ == "has_coupon":
                if isinstance(content, bool):
                    filters.append((filter_, (content,)))
                else:
                    self.wrong(at, f"{content!r} must be true or false")
            elif not chosen or not all(isinstance(item, str) and item for item in chosen):
                self.wrong(at, f"{content!r} must be a text, or a list of texts")
            else:
                filters.append((filter_, tuple(sorted(set(chosen)))))
        return Fact(kind, name, tuple(filters))

    def _window(self, document: dict[str, Any], key: str) -> Window | None:
        if "in_last_days" in document and "days_ago" in document:
            return self.wrong(key, "says in_last_days and days_ago at once; keep one")
        if "in_last_days" in document:
            days = self._days(document["in_last_days"], f"{key}.in_last_days")
            return Window(1, days) if days is not None else None
        if "days_ago" in document:
            pair = document["days_ago"]
            if not isinstance(pair, list) or len(pair) != 2:
                return self.wrong(
                    f"{key}.days_ago", "must be two ages in days, such as [8, 30]; 1 is the last known day"
                )
            ages = [self._days(item, f"{key}.days_ago") for item in pair]
            if None in ages:
                return None
            if ages[0] > ages[1]:  # type: ignore[operator]
                return self.wrong(f"{key}.days_ago", f"{pair} runs backwards; write the smaller age first")
            return Window(ages[0], ages[1])  # type: ignore[arg-type]
        return Window()

    def _sequence(self, document: dict[str, Any], key: str, depth: int) -> Node | None:
        self._only(document, ("sequence", "within_hours", "within_days", "in_last_days", "days_ago"), key)
        content = document["sequence"]
        if not isinstance(content, list) or len(content) < 2:
            return self.wrong(f"{key}.sequence", "must be a list of two steps or more")
        steps = [self._step(item, f"{key}.sequence[{i}]") for i, item in enumerate(content)]
        units = [unit for unit in ("within_hours", "within_days") if unit in document]
        if len(units) != 1:
            return self.wrong(key, "needs one of within_hours and within_days")
        amount = document[units[0]]
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 < amount <= MAX_DAYS * 24:
            return self.wrong(f"{key}.{units[0]}", f"{amount!r} must be a number above 0")
        window = self._window(document, key)
        kept = tuple(step for step in steps if step is not None)
        if len(kept) < len(steps) or window is None:
            return None
        if kept[0].is_absent:
            return self.wrong(
                f"{key}.sequence[0]", "a sequence begins with something that happened; put the not after it"
            )
        return Sequence(kept, round(amount * (3600 if units[0] == "within_hours" else 86400)), window)

    def _step(self, document: Any, key: str) -> Step | None:
        is_absent = isinstance(document, dict) and set(document) == {"not"}
        content, at = (document["not"], f"{key}.not") if is_absent else (document, key)
        if not isinstance(content, dict) or len({"event", "order"} & content.keys()) != 1:
            return self.wrong(at, "must be {event: NAME} or {order: valid}, or not: with one of them")
        self._only(content, ("event", "order", "where"), at)
        fact = self._fact(content, at)
        return Step(fact, is_absent) if fact is not None else None

    def _reference(self, document: dict[str, Any], key: str, depth: int) -> Node | None:
        self._only(document, ("audience",), key)
        name = document["audience"]
        if not isinstance(name, str) or not AUDIENCE_ID.fullmatch(name):
            return self.wrong(f"{key}.audience", f"{name!r} is not an audience's id, such as aud_new7d_no_order")
        return Reference(name)

    def _sample(self, document: dict[str, Any], key: str, depth: int) -> Node | None:
        self._only(document, ("sample",), key)
        content = document["sample"]
        if not isinstance(content, dict):
            return self.wrong(f"{key}.sample", "must be a mapping such as {percent: 10, seed: spring}")
        self._only(content, ("percent", "seed"), f"{key}.sample")
        percent = self._percent(content.get("percent"), f"{key}.sample.percent")
        seed = content.get("seed")
        if isinstance(seed, bool) or not isinstance(seed, str | int) or seed == "":
            return self.wrong(
                f"{key}.sample.seed", "must be a text or a whole number: another seed draws other members"
            )
        return Sample(percent, str(seed)) if percent is not None else None

    # ---- parts of leaves ----

    def _only(self, document: Mapping[str, Any], allowed: tuple[str, ...], key: str) -> None:
        for name in document:
            if name not in allowed:
                self.wrong(f"{key}.{name}", f"is not known here; {suggest(str(name), allowed)}")

    def _days(self, value: Any, key: str) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_DAYS:
            return self.wrong(key, f"{value!r} must be whole days from 1 to {MAX_DAYS}")
        return value

    def _percent(self, value: Any, key: str) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
            return self.wrong(key, f"{value!r} must be a number above 0 and up to 100")
        return float(value)

    def _tests(
        self, document: Mapping[str, Any], key: str, allowed: tuple[str, ...], *, numbers: bool = False
    ) -> tuple[Test, ...]:
        self._only(document, allowed, key)
        found = [self._test(name, document[name], f"{key}.{name}", numbers) for name in allowed if name in document]
        if not document:
            self.wrong(key, f"says nothing of the value; add one of {', '.join(allowed)}")
        return tuple(test for test in found if test is not None)

    def _test(self, operator: str, value: Any, key: str, numbers: bool) -> Test | None:
        if operator in KNOWING:
            return (
                Test(operator, True)
                if value is True
                else self.wrong(key, "can only be true; for the opposite take the other")
            )
        if operator in DATED:
            days = self._days(value, key)
            return Test(operator, days) if days is not None else None
        if operator in ("in", "not_in", "contains_any", "between"):
            if not isinstance(value, list) or not value or not all(_is_scalar(item) for item in value):
                return self.wrong(key, f"{value!r} must be a list of values")
            if operator == "between" and len(value) != 2:
                return self.wrong(key, f"{value!r} must be two values, both of which are within")
            items = tuple(value)
        elif not _is_scalar(value):
            return self.wrong(key, f"{value!r} must be one value")
        else:
            items = (value,)
        if numbers and not all(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
            return self.wrong(key, f"{value!r} must be a number")
        if operator in ("in", "not_in", "contains_any"):
            items = tuple(sorted(set(items), key=lambda item: (type(item).__name__, item)))
        return Test(operator, items if operator in ("in", "not_in", "contains_any", "between") else items[0])


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int | date)
