"""dbt ignores YAML keys that it does not know, and with them the tests they were to be. Here they are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from dbt_files import read_yaml, relative, yaml_files

from orchestration.dbt import PROJECT_DIR

CONFIG = {
    "contract",
    "materialized",
    "meta",
    "severity",
    "tags",
    "where",
    "enabled",
    "error_if",
    "warn_if",
    "store_failures",
}
KEYS = {
    "file": {"version", "models", "sources", "unit_tests", "exposures"},
    "model": {"name", "description", "config", "columns", "data_tests", "constraints"},
    "column": {"name", "description", "data_type", "data_tests", "constraints", "config"},
    "constraint": {"type", "expression", "name", "columns", "to", "to_columns"},
    "data_test": {"arguments", "config", "name", "description"},
    "config": CONFIG,
    "source": {"name", "description", "tables", "config"},
    "table": {"name", "description", "columns", "data_tests", "config"},
    "unit_test": {"name", "description", "model", "given", "expect", "overrides", "config"},
    "given": {"input", "rows"},
    "expect": {"rows"},
    "overrides": {"macros"},
    "exposure": {"name", "label", "type", "maturity", "url", "description", "depends_on", "owner", "config"},
}
REQUIRED = {
    "model": {"name", "description"},
    "column": {"name", "description"},
    "constraint": {"type"},
    "source": {"name", "description", "tables"},
    "table": {"name", "description"},
    "unit_test": {"name", "description", "model", "given", "expect"},
    "given": {"input", "rows"},
    "expect": {"rows"},
    "data_test": {"arguments"},
}
BUILT_IN_TESTS = {
    "unique": set(),
    "not_null": set(),
    "accepted_values": {"values", "quote"},
    "relationships": {"to", "field"},
}


def generic_tests() -> dict[str, set[str]]:
    """Arguments of every generic test that the project knows, by name."""
    known = dict(BUILT_IN_TESTS)
    for path in sorted((PROJECT_DIR / "macros" / "generic_tests").glob("*.sql")):
        for name, arguments in re.findall(r"\{%-?\s*test\s+(\w+)\(([^)]*)\)", path.read_text(encoding="utf-8")):
            names = {argument.split("=")[0].strip() for argument in arguments.split(",")}
            known[name] = names - {"model", "column_name"}
    return known


def problems(document: dict[str, Any]) -> list[str]:
    """What dbt would pass over in silence, each with the place where it stands."""
    return list(_problems(document))


def _problems(document: dict[str, Any]) -> Iterator[str]:
    yield from _keys("file", document, "file")
    for model in document.get("models", []):
        yield from _described("model", model, f"model {model.get('name')}")
    for source in document.get("sources", []):
        place = f"source {source.get('name')}"
        yield from _keys("source", source, place)
        for table in source.get("tables", []):
            yield from _described("table", table, f"{place}.{table.get('name')}")
    for test in document.get("unit_tests", []):
        yield from _unit_test(test, f"unit test {test.get('name')}")
    for exposure in document.get("exposures", []):
        yield from _keys("exposure", exposure, f"exposure {exposure.get('name')}")


def _described(kind: str, node: dict[str, Any], place: str) -> Iterator[str]:
    yield from _keys(kind, node, place)
    yield from _keys("config", node.get("config", {}), f"{place}: config")
    for constraint in node.get("constraints", []):
        yield from _keys("constraint", constraint, f"{place}: constraint")
    for test in node.get("data_tests", []):
        yield from _data_test(test, place)
    for column in node.get("columns", []):
        yield from _described("column", column, f"{place}, column {column.get('name')}")


def _data_test(test: Any, place: str) -> Iterator[str]:
    known = generic_tests()
    name, body = (test, {}) if isinstance(test, str) else next(iter(test.items()))
    if isinstance(test, dict) and len(test) != 1:
        yield f"{place}: a test is one key with its body below it, here are {sorted(test)}"
        return
    if name not in known:
        yield f"{place}: no test is named '{name}'"
        return
    if known[name] - {"quote"} and not isinstance(test, dict):
        yield f"{place}: test {name} lacks its arguments"
        return
    if isinstance(test, dict):
        if known[name]:
            yield from _keys("data_test", body, f"{place}: test {name}")
        else:
            yield from (f"{place}: test {name}: unknown key '{key}'" for key in body if key not in KEYS["data_test"])
        yield from _keys("config", body.get("config", {}), f"{place}: test {name}: config")
        for argument in set(body.get("arguments", {})) - known[name]:
            yield f"{place}: test {name} has no argument '{argument}'"


def _unit_test(test: dict[str, Any], place: str) -> Iterator[str]:
    yield from _keys("unit_test", test, place)
    yield from _keys("expect", test.get("expect", {}), f"{place}: expect")
    yield from _keys("overrides", test.get("overrides", {}), f"{place}: overrides")
    for given in test.get("given", []):
        yield from _keys("given", given, f"{place}: given")


def _keys(kind: str, node: dict[str, Any], place: str) -> Iterator[str]:
    yield from (f"{place}: unknown key '{key}'" for key in node if key not in KEYS[kind])
    yield from (f"{place}: '{key}' is missing" for key in sorted(REQUIRED.get(kind, set()) - set(node)))


@pytest.mark.parametrize("path", yaml_files(), ids=relative)
def test_every_key_is_known(path: Any) -> None:
    assert problems(read_yaml(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "modles: []",
        "models: [{name: a, description: One row, tests: [unique]}]",
        "models: [{name: a, description: One row, columns: [{name: b, description: c, data_test: [unique]}]}]",
        "models: [{name: a, description: One row, columns: [{name: b, description: c, data_tests: [uniqe]}]}]",
        "models: [{name: a, description: One row, columns: [{name: b, data_type: int}]}]",
        "models: [{name: a, description: One row, data_tests: [{expression_is_true: {expression: b}}]}]",
        "models: [{name: a, description: One row, data_tests: [{expression_is_true: {arguments: {expresion: b}}}]}]",
        "models: [{name: a, description: One row, data_tests: [expression_is_true]}]",
        "models: [{name: a, description: One row, meta: {owner: b}}]",
        "models: [{name: a, description: One row, config: {contracts: {enforced: true}}}]",
        "models: [{name: a, description: One row, config: {meta: {}, severity: warn}, column: []}]",
        "unit_tests: [{name: a__b, description: c, model: a, given: [], expect: {row: []}}]",
        "unit_tests: [{name: a__b, description: c, model: a, given: [{inputs: x, rows: []}], expect: {rows: []}}]",
        "unit_tests: [{name: a__b, description: c, model: a, given: [], expect: {rows: []}, override: {macros: {}}}]",
    ],
)
def test_a_misspelt_key_is_refused(text: str) -> None:
    assert problems(read_yaml(text))


def test_a_repeated_key_is_refused() -> None:
    with pytest.raises(Exception, match="repeated keys"):
        read_yaml("models: []\nmodels: []")
