"""`tessera tracking schema`: a sender can test samples against what it prints; a wrong name gets a remedy."""

from __future__ import annotations

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from orchestration import cli


@pytest.fixture(autouse=True)
def _no_brand_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TESSERA_BRAND", raising=False)


def test_one_event_is_a_schema_that_judges_samples() -> None:
    result = CliRunner().invoke(cli.app, ["tracking", "schema", "--brand", "demo", "--event", "view"])
    assert result.exit_code == 0
    judge = jsonschema.Draft202012Validator(json.loads(result.stdout))
    assert judge.is_valid({"event_name": "view", "product_code": "A1", "duration_seconds": 3.5})
    assert not judge.is_valid({"event_name": "view", "duration_seconds": 3.5})
    assert not judge.is_valid({"event_name": "cart", "product_code": "A1"})


def test_without_a_name_every_planned_event_comes() -> None:
    result = CliRunner().invoke(cli.app, ["tracking", "schema", "--brand", "demo"])
    schemas = json.loads(result.stdout)
    assert {"view", "cart", "purchase", "search"} <= schemas.keys()
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--brand", "demo", "--event", "vew"], "did you mean view?"),
        (["--brand", "cdnow"], "brands/cdnow/tracking_plan.yml"),
    ],
)
def test_what_is_not_planned_is_refused_with_a_remedy(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(cli.app, ["tracking", "schema", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
