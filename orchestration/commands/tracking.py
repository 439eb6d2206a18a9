"""`tessera tracking schema`: the tracking plan as JSON Schemas, for the teams whose code sends the events.

What arrived of the plan is shown by `tessera coverage --of events`; the schemas are made in `orchestration.tracking`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.brands import load_brand, suggest
from orchestration.commands.common import EPILOG, USAGE, BrandOption, command_group, exit_codes, fail
from orchestration.settings import load_settings

app = command_group("tracking", "The tracking plan: which events should come, with which properties.")


@app.command(epilog=EPILOG)
def schema(
    brand: BrandOption = None,
    event: Annotated[
        str | None,
        typer.Option("--event", metavar="NAME", help="One planned event; default: an object with all of them."),
    ] = None,
) -> None:
    """Print the JSON Schema (2020-12) of planned events: a flat object of event_name and the planned properties."""
    with exit_codes():
        settings = load_settings(brand)
        plan = load_brand(settings).tracking_plan
        if plan is None:
            raise fail(f"{settings.brand} has no tracking plan; write brands/{settings.brand}/tracking_plan.yml", USAGE)
        if event is not None and event not in plan.events:
            raise fail(f"no planned event {event!r}; {suggest(event, sorted(plan.events))}", USAGE)
        from orchestration import console
        from orchestration.tracking import json_schema

        schemas = {name: json_schema(name, planned) for name, planned in plan.events.items()}
        typer.echo(console.to_json(schemas if event is None else schemas[event]))
