"""Why a member is in an audience or not: each condition of the rule, whether it holds, and the value it was asked of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.audiences import grammar
from orchestration.audiences.catalogue import Catalogue
from orchestration.audiences.compile import Clock, condition_query, shown_values
from orchestration.audiences.definitions import Audience

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Line:
    holds: bool
    condition: str
    value: str | None
    depth: int


def explain_member(
    connection: DuckDBPyConnection, audience: Audience, catalogue: Catalogue, clock: Clock, member_id: str
) -> list[Line] | None:
    """The rule's conditions from the outside in; None for somebody who is no member as of the clock's day."""
    parts = list(_outlined(audience.rule, 0))
    nodes = [node for node, _ in parts]
    query = condition_query(nodes, catalogue, clock, member_id)
    row = connection.execute(query.sql, query.parameters).fetchone()
    if row is None:
        return None
    values = dict(zip(shown_values(nodes), row[len(nodes) :], strict=True))
    return [
        Line(
            bool(holds),
            describe(node),
            values.get(node.value) if isinstance(node, grammar.Compared | grammar.TopPercent) else None,
            depth,
        )
        for (node, depth), holds in zip(parts, row, strict=False)
    ]


def _outlined(node: grammar.Node, depth: int):
    yield node, depth
    for child in grammar.children(node):
        yield from _outlined(child, depth + 1)


def describe(node: grammar.Node) -> str:
    """One line for a person; the whole rule is in its file."""
    if isinstance(node, grammar.AllOf):
        return "all of"
    if isinstance(node, grammar.AnyOf):
        return "any of"
    if isinstance(node, grammar.Not):
        return "not"
    if isinstance(node, grammar.Reference):
        return f"in {node.audience_id}"
    if isinstance(node, grammar.Sample):
        return f"in a sample of {node.percent:g} % (seed {node.seed})"
    if isinstance(node, grammar.TopPercent):
        return f"{_value(node.value)} among the highest {node.percent:g} % (ties: {node.ties})"
    if isinstance(node, grammar.Compared):
        return f"{_value(node.value)} " + " and ".join(_test(test) for test in node.tests)
    if isinstance(node, grammar.Counted):
        measures = " and ".join(f"{name} {_test(test)}" for name, tests in node.measures for test in tests)
        return f"{_fact(node.fact)}, {_window(node.window)}: {measures}"
    steps = " then ".join(("no " if step.is_absent else "") + _fact(step.fact) for step in node.steps)
    return f"{steps} within {node.within_seconds / 3600:g} hours, {_window(node.window)}"


def _value(value: grammar.Value) -> str:
    return f"{value.source} {value.name}" + (f".{value.column}" if value.column else "")


def _test(test: grammar.Test) -> str:
    if test.operator in grammar.KNOWING:
        return test.operator.replace("_", " ")
    items = test.value if isinstance(test.value, tuple) else (test.value,)
    return f"{test.operator.replace('_', ' ')} {', '.join(map(str, items))}"


def _fact(fact: grammar.Fact) -> str:
    filters = ", ".join(f"{name} {'/'.join(map(str, items))}" for name, items in fact.filters)
    return (f"event {fact.name}" if fact.kind == "event" else "valid order") + (f" ({filters})" if filters else "")


def _window(window: grammar.Window) -> str:
    if window.oldest is None:
        return "ever"
    return f"in the last {window.oldest} days" if window.newest == 1 else f"{window.newest} to {window.oldest} days ago"
