"""Segments' models as plain SQL: their own text and macros, without dbt and without a build file.

What dbt adds (contracts, tests, other models) is tested by dbt; this is for trying a model on thousands of histories.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment

from orchestration.dbt import PROJECT_DIR

MACRO_FILES = ("brand", "cross_db", "segments")
_MACRO = re.compile(r"{%-?\s*macro\s+(\w+)\(.*?endmacro\s*-?%}", re.DOTALL)


class _Returned(Exception):
    """What dbt's return() does: it leaves the macro with a value that is no text."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _return(value: Any) -> None:
    raise _Returned(value)


def _environment(parameters: dict[str, Any]) -> Environment:
    environment = Environment(autoescape=False, extensions=["jinja2.ext.do"])
    names: dict[str, Any] = {
        "return": _return,
        "ref": lambda name: name,
        "dbt": SimpleNamespace(
            dateadd=lambda part, count, date: f"({date} + to_days(cast({count} as integer)))",
            datediff=lambda first, second, part: f"date_diff('{part}', {first}, {second})",
            type_string=lambda: "varchar",
        ),
        "adapter": SimpleNamespace(dispatch=lambda name, package: environment.globals[f"default__{name}"]),
    }
    environment.globals.update(names)
    text = "".join(
        path.read_text(encoding="utf-8")
        for folder in MACRO_FILES
        for path in sorted((PROJECT_DIR / "macros" / folder).glob("*.sql"))
    ) + (PROJECT_DIR / "macros" / "tags" / "compile_tags.sql").read_text(encoding="utf-8")
    for match in _MACRO.finditer(text):
        environment.globals[match[1]] = _callable(environment, match[0], match[1])
    environment.globals.update({name: _constant(value) for name, value in parameters.items()})
    return environment


def _callable(environment: Environment, text: str, name: str) -> Callable[..., Any]:
    @cache
    def compiled() -> Callable[..., Any]:
        return getattr(environment.from_string(text).module, name)

    def call(*arguments: Any) -> Any:
        try:
            return str(compiled()(*arguments))
        except _Returned as returned:
            return returned.value

    return call


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def model_sql(path: str, **parameters: Any) -> str:
    """The SQL of `models/<path>.sql` over tables named like the models it reads; parameters are those of the brand."""
    text = (PROJECT_DIR / "models" / f"{path}.sql").read_text(encoding="utf-8")
    return _environment(parameters).from_string(text).render()
