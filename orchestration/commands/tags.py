"""`tessera tags`: the catalogue of tags, a tag's values on any day that was run, and what ought to be put in order.

What is read and compared belongs in `orchestration.tagging`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any

import typer

from orchestration.commands.common import (
    FAILED,
    USAGE,
    BrandOption,
    Format,
    FormatOption,
    command_group,
    exit_codes,
    fail,
    print_rows,
)
from orchestration.settings import load_settings

app = command_group("tags", "What is known of members, tag by tag.")

HEADINGS = {
    "family_code": "标签族",
    "tag_code": "标签",
    "label_zh": "名称",
    "label_en": "名称（英）",
    "kind": "类型",
    "value_type": "值类型",
    "unit": "单位",
    "window_days": "窗口（天）",
    "coverage_rate": "覆盖率",
    "mean_value": "均值",
    "population_stability_index": "PSI",
    "owner": "负责人",
    "value_bin": "取值",
    "member_count": "会员数",
    "member_rate": "占比",
    "rule": "规则",
    "other_tag_code": "另一标签",
    "detail": "说明",
    "tag_value": "值",
    "valid_from": "起",
    "what": "对象",
    "code": "代码",
    "change": "变化",
    "entry_count": "进入",
    "exit_count": "退出",
}


@contextmanager
def _published(brand: str | None) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The published file, read-only, and its manifest."""
    settings = load_settings(brand)
    if not settings.published_file.exists():
        raise fail(
            f"nothing is published for {settings.brand}. Run `tessera run --brand {settings.brand}` first", USAGE
        )
    from orchestration import publishing, warehouse
    from orchestration.tagging import UnknownTag

    with (
        exit_codes({warehouse.EngineError: FAILED, publishing.PublishError: FAILED, UnknownTag: USAGE}),
        warehouse.sealed_reader(settings.published_file) as connection,
    ):
        yield connection, publishing.read_manifest(settings) or {}


@app.command(name="list")
def list_(
    word: Annotated[str | None, typer.Argument(help="Part of a code or a label, in either language.")] = None,
    brand: BrandOption = None,
    family: Annotated[str | None, typer.Option("--family", help="Tags of one family.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Tags of one kind: count, ratio, tier, list …")] = None,
    output: FormatOption = Format.table,
) -> None:
    """List tags with their labels, coverage and stability."""
    from orchestration.tagging import catalogue

    with exit_codes(), _published(brand) as (connection, _):
        names, rows = catalogue(connection, family, kind, word)
        print_rows(output, names, rows, HEADINGS)


@app.command()
def show(
    code: Annotated[str, typer.Argument(metavar="TAG", help="Code of the tag.")],
    brand: BrandOption = None,
) -> None:
    """Show all that is known of one tag: rule, sources, figures, and how its values are spread."""
    from orchestration.tagging import check_code

    with exit_codes(), _published(brand) as (connection, _):
        check_code(connection, code)
        cursor = connection.execute("select * from tags.tag_catalogue where tag_code = ?", [code])
        names = [column[0] for column in cursor.description or ()]
        row = cursor.fetchone() or ()
        said = [(name, value) for name, value in zip(names, row, strict=True) if value is not None and value != ""]
        print_rows(Format.table, ["", code], said, {})
        cursor = connection.execute(
            """
            select spread.value_bin, named.label_zh, named.label_en, spread.member_count,
                round(spread.member_count / sum(spread.member_count) over (), 4) as member_rate
            from tags.tag_distributions as spread
            left join tags.tag_values as named on spread.tag_code = named.tag_code and spread.value_bin = named.value_code
            where spread.tag_code = $code
                and spread.as_of_date = (select max(as_of_date) from tags.tag_distributions where tag_code = $code)
            order by spread.member_count desc, spread.value_bin
            limit 25
            """,
            {"code": code},
        )
        print_rows(Format.table, [column[0] for column in cursor.description or ()], cursor.fetchall(), HEADINGS)


@app.command()
def history(
    code: Annotated[str, typer.Argument(metavar="TAG", help="Code of the tag.")],
    as_of: Annotated[
        datetime,
        typer.Option("--as-of", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First business date not known."),
    ],
    brand: BrandOption = None,
    member: Annotated[str | None, typer.Option("--member", help="Of one member only.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most rows to print.")] = 20,
    output: FormatOption = Format.table,
) -> None:
    """Print a tag's values as they were on a past day."""
    from orchestration.tagging import days_kept, value_on

    with exit_codes(), _published(brand) as (connection, _):
        day: date = as_of.date()
        relation = value_on(connection, code, day)
        kept = days_kept(connection)
        if kept is None or day < kept[0]:
            raise fail(
                f"tags are kept from {kept[0] if kept else 'no day'} on. "
                f"`tessera rebuild --as-of {day}` computes those of {day} from the facts",
                USAGE,
            )
        if member is not None:
            relation = relation.filter(f"member_id = '{member.replace(chr(39), chr(39) * 2)}'")
        rows = relation.order("member_id").limit(limit)
        print_rows(output, rows.columns, rows.fetchall(), HEADINGS)


@app.command()
def check(
    brand: BrandOption = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Findings of one rule only.")] = None,
    output: FormatOption = Format.table,
) -> None:
    """Find tags that say the same, say nothing, are out of date, are not used or share a label."""
    from orchestration.tagging import findings

    with exit_codes(), _published(brand) as (connection, manifest):
        found = findings(connection, _used(connection), date.fromisoformat(manifest["as_of_date"]))
        rows = [(f.rule, f.tag_code, f.other_tag_code, f.detail) for f in found if rule in (None, f.rule)]
        print_rows(output, ["rule", "tag_code", "other_tag_code", "detail"], rows, HEADINGS)


@app.command()
def diff(brand: BrandOption = None, output: FormatOption = Format.table) -> None:
    """Say what the declarations as they stand would change: tags by members, audiences by who comes in and goes out.

    The build file stays as it is; tags are built on a copy. Run it before an edited declaration is merged.
    """
    from orchestration.audience_history import AudienceHistoryError
    from orchestration.brands import BrandConfigError, load_brand
    from orchestration.tag_preview import preview

    with exit_codes({AudienceHistoryError: FAILED, BrandConfigError: USAGE}):
        settings = load_settings(brand)
        tags, audiences = preview(settings, load_brand(settings))
        rows: list[tuple[Any, ...]] = [
            ("tag", t.tag_code, t.kind, t.member_count, round(t.member_rate, 4), None, None) for t in tags
        ]
        rows += [
            ("audience", a.audience_id, a.status, a.member_count_after, None, a.entry_count, a.exit_count)
            for a in audiences
        ]
        names = ["what", "code", "change", "member_count", "member_rate", "entry_count", "exit_count"]
        print_rows(output, names, rows, HEADINGS)


def _used(connection: Any) -> set[str]:
    """Codes that the rules of audiences speak of."""
    there = connection.execute(
        "select count(*) from information_schema.tables where table_schema = 'segments' and table_name = 'audience_catalogue'"
    ).fetchone()
    if not there or not there[0]:
        return set()
    rules = " ".join(text for (text,) in connection.execute("select rule from segments.audience_catalogue").fetchall())
    return {
        code for (code,) in connection.execute("select tag_code from tags.tag_catalogue").fetchall() if code in rules
    }
