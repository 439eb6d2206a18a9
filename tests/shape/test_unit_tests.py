"""Every rule has a dbt unit test, and a unit test tests what it seems to."""

from __future__ import annotations

import re

import pytest
from dbt_files import MODELS_DIR, Project, UnitTest, read_yaml

# The histories of tags are one model under thirteen names (test_every_history_of_tags_is_the_same_model); this one is tested.
HISTORY = re.compile(r"tags_[a-z]+_history")
TESTED_HISTORY = "tags_loyalty_history"

# A date, a window, a branch: in the model itself or in the macros it calls.
RULES = {
    "case": r"\bcase\b",
    "window": r"\bover\s*\(|\bqualify\b",
    "date": r"\b(business_date|business_day_start|days_between|add_days|dateadd|date_trunc|datediff)\s*\(",
    "branch": r"\bis_incremental\(\)|\{%-?\s*if\b",
    "tags": r"\b(tag_expressions|compile_tags)\s*\(",
}
BRAND_MACROS = re.compile(
    r"\b(brand_[a-z_]+|known_at|requested_as_of_date|business_date|business_day_start|is_within_calendar|tag_columns"
    r"|has_reflagged_members)\("
)
# What a model that calls the macro needs to be told, so that no build file decides.
NEEDS = {
    "business_date": "brand_zone",
    "business_day_start": "brand_zone",
    "is_within_calendar": "brand_calendar_start",
    "tag_columns": "brand_entities",
}


def rules_in(code: str) -> list[str]:
    return [name for name, pattern in RULES.items() if re.search(pattern, code, re.IGNORECASE)]


def unit_tests_of(project: Project, model: str) -> list[UnitTest]:
    return [test for test in project.unit_tests if test.model == model]


def is_a_twin(model: str) -> bool:
    """Whether another model with the same text is tested in its place."""
    return HISTORY.fullmatch(model) is not None and model != TESTED_HISTORY


def test_every_model_with_a_rule_has_a_unit_test(project: Project) -> None:
    ruled = {model.name: rules_in(model.code) for model in project.models.values()}
    missing = {
        name: rules
        for name, rules in ruled.items()
        if rules and not unit_tests_of(project, name) and not is_a_twin(name)
    }
    assert missing == {}


@pytest.mark.parametrize(
    "code",
    [
        "case when a then b end",
        "sum(a) over (partition by b)",
        "qualify x = 1",
        "{{ business_date('a') }}",
        "{% if x %}",
    ],
)
def test_rules_are_seen(code: str) -> None:
    assert rules_in(code)
    assert not rules_in("select a, sum(b) as cased from final group by a")


def test_both_branches_of_incremental_models_are_tested(project: Project) -> None:
    incremental = [
        model.name
        for model in project.models.values()
        if "is_incremental()" in model.code and not is_a_twin(model.name)
    ]
    assert incremental
    tested = {
        name: {test.overridden.get("is_incremental") for test in unit_tests_of(project, name)} for name in incremental
    }
    assert {name: branches for name, branches in tested.items() if branches != {True, False}} == {}


def test_unit_tests_are_named_after_their_model_and_behaviour(project: Project) -> None:
    names = [test.name for test in project.unit_tests]
    assert len(names) == len(set(names)) >= 60
    wrong = [t.name for t in project.unit_tests if not re.fullmatch(rf"{t.model}__[a-z0-9_]+", t.name)]
    assert wrong == []


def test_overridden_macros_exist(project: Project) -> None:
    """dbt ignores an override of a macro that it does not know."""
    wrong = [f"{t.name}: {name}" for t in project.unit_tests for name in t.overridden if name not in project.macros]
    assert wrong == []


def test_no_build_file_decides_a_unit_test(project: Project) -> None:
    """A model that asks for parameters of the brand is told them by each of its tests."""
    undecided = []
    for test in project.unit_tests:
        code = project.models[test.model].code
        asked: set[str] = {NEEDS.get(name, name) for name in map(str, BRAND_MACROS.findall(code))}
        decided = set(test.overridden) | ({"brand_zone"} if "business_date" in test.overridden else set())
        # The clock that is not asked for, because the test asks for a date, needs no answer.
        if test.overridden.get("requested_as_of_date"):
            asked -= {"brand_as_of_clock", "brand_zone"}
        if test.overridden.get("brand_as_of_clock") == "latest_fact":
            asked -= {"brand_zone"}
        undecided += [f"{test.name}: {name}" for name in sorted(asked - decided)]
    assert undecided == []


def test_expected_rows_name_the_same_columns() -> None:
    """dbt compares the columns of the first expected row only."""
    uneven = []
    for path in sorted(MODELS_DIR.rglob("_*__unit_tests.yml")):
        for test in read_yaml(path.read_text(encoding="utf-8"))["unit_tests"]:
            rows = test["expect"]["rows"]
            if not rows or len({frozenset(row) for row in rows}) != 1:
                uneven.append(test["name"])
    assert uneven == []


def test_every_history_of_tags_is_the_same_model(project: Project) -> None:
    """One of them is unit tested for all: they differ in the family's name and in nothing else."""
    texts = {
        re.sub(rf"(tags_|tag_family_|close_tag_history\('){model.name[5:-8]}", r"\1<family>", model.code)
        for model in project.models.values()
        if HISTORY.fullmatch(model.name)
    }
    assert len(texts) == 1
