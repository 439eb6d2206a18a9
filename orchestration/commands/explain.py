"""`tessera explain member`: what is published of one member, and why. The queries are in `orchestration.explain`."""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import Annotated

import typer

from orchestration.commands.common import FAILED, USAGE, BrandOption, command_group, exit_codes, fail
from orchestration.settings import load_settings

app = command_group("explain", "Why the warehouse says what it says.")


@app.command()
def member(
    given: Annotated[str, typer.Argument(metavar="ID", help="member_id, account_id, or <source system>:<member key>.")],
    brand: BrandOption = None,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First business date not told of."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a member's accounts and why they are one, profile with origins, orders, behaviour, tags and scores.

    Identity and the profile's origins are those of today's knowledge; tags and scores are told of the published cut alone.
    """
    with exit_codes():
        settings = load_settings(brand)
        if not settings.published_file.exists():
            raise fail(
                f"nothing is published for {settings.brand}. Run `tessera run --brand {settings.brand}` first", USAGE
            )
        from orchestration import console, publishing, warehouse
        from orchestration.explain import UnknownMember, explain, resolve

        with (
            exit_codes({warehouse.EngineError: FAILED, publishing.PublishError: FAILED, UnknownMember: USAGE}),
            warehouse.sealed_reader(settings.published_file) as connection,
        ):
            manifest = publishing.read_manifest(settings) or {}
            found = resolve(connection, given)
            cut = as_of.date() if as_of else None
            sections = explain(connection, found, cut, date.fromisoformat(manifest["as_of_date"]))
        if as_json:
            body = {
                "member_id": found,
                "as_of_date": str(cut or manifest["as_of_date"]),
                **{s.code: [dict(zip(s.columns, row, strict=True)) for row in s.rows] for s in sections},
            }
            typer.echo(console.to_json(body))
            return
        screen = console.result_console(sys.stdout)
        screen.print(f"{found} · {settings.brand} · as of {cut or manifest['as_of_date']}", style="bold")
        for section in sections:
            screen.print(f"\n{section.label_zh} · {section.label_en}", style="bold")
            if section.missing:
                screen.print(f"not in this version: {', '.join(section.missing)}")
            elif not section.rows:
                screen.print("无 · none")
            elif len(section.rows) == 1:
                console.print_table(
                    screen,
                    ["", ""],
                    [(n, v) for n, v in zip(section.columns, section.rows[0], strict=True) if v is not None],
                )
            else:
                console.print_table(screen, section.columns, section.rows)
