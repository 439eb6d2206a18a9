"""`tessera audience`: list, size, explain, export audiences, and work out past days.

Reading goes to the published file, which a run never blocks; exports and past days need the build file. The work is in
`orchestration.audiences` and `orchestration.audience_history`, what a rule means in docs/audiences.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.commands.common import (
    EPILOG,
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
from orchestration.settings import Settings, load_settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from orchestration.audiences.compile import Clock
    from orchestration.audiences.definitions import Audience
    from orchestration.audiences.lookalike import Lookalike

app = command_group("audience", "Audiences as code: rules, sizes, who is in and why, overlaps, exports and past days.")

_DAY = ["%Y-%m-%d"]
_HEADINGS = {
    "audience_id": "人群",
    "label_zh": "名称",
    "status": "状态",
    "missing": "缺少",
    "member_count": "人数",
    "member_rate": "占比",
    "entry_count": "进入",
    "exit_count": "退出",
    "priority": "优先级",
    "other_audience_id": "另一人群",
    "both_member_count": "重叠人数",
    "jaccard_rate": "Jaccard",
    "contained_rate": "重叠占比",
    "holds": "是否满足",
    "condition": "条件",
    "value": "取值",
    "member_id": "会员",
    "as_of_date": "截止日",
    "population_count": "全体会员",
    "tag_code": "标签",
    "value_zh": "取值",
    "value_en": "取值（英）",
    "group_members": "人群内",
    "base_members": "基准",
    "group_rate": "人群占比",
    "base_rate": "基准占比",
    "tgi": "TGI",
    "q_value": "q 值",
    "category_code": "品类",
    "category_name": "品类名称",
    "wanting_members": "有兴趣人数",
    "unmet_members": "未满足人数",
    "unmet_rate": "未满足率",
    "offer_count": "供给数",
    "demand_rate": "需求占比",
    "offer_rate": "供给占比",
    "gap_index": "缺口指数",
    "size_share": "规模占比",
    "size_count": "人数",
    "expected_hits": "预计命中",
    "model_precision": "模型精度",
    "spend_precision": "按消费精度",
    "random_precision": "随机精度",
    "model_recall": "模型召回",
    "spend_recall": "按消费召回",
}


class FileFormat(StrEnum):
    csv = "csv"
    parquet = "parquet"
    jsonl = "jsonl"


IdArgument = Annotated[str, typer.Argument(metavar="ID", help="An audience, such as aud_new7d_no_order.")]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=_DAY, metavar="YYYY-MM-DD", help="A day that was worked out. Default: the published one."
    ),
]


@contextmanager
def _codes() -> Iterator[None]:
    """What can be wrong with what was asked is a usage error, an engine's trouble a failure."""
    from orchestration import warehouse
    from orchestration.audience_history import AudienceHistoryError
    from orchestration.audiences.definitions import AudienceError
    from orchestration.audiences.export import ExportError
    from orchestration.audiences.membership import StaleTags
    from orchestration.brands import BrandConfigError

    usage = (AudienceError, AudienceHistoryError, BrandConfigError, ExportError, StaleTags)
    codes: dict[type[Exception], int] = {warehouse.EngineError: FAILED, FileNotFoundError: USAGE}
    codes |= dict.fromkeys(usage, USAGE)
    with exit_codes(codes):
        yield


@contextmanager
def _published(settings: Settings) -> Iterator[tuple[DuckDBPyConnection, date]]:
    """The published file and its as_of_date."""
    from orchestration import warehouse

    if not settings.published_file.exists():
        raise fail(
            f"nothing is published for {settings.brand}; run `tessera run --brand {settings.brand}` first", USAGE
        )
    with warehouse.read_only(settings.published_file) as connection:
        row = connection.execute("select as_of_date from ops.publication").fetchone()
        tables = connection.execute(
            "select count(*) from duckdb_tables() where schema_name = 'segments' and table_name = 'fct_audience_members'"
        ).fetchone()
        if not row or not tables or not tables[0]:
            raise fail(
                f"the published file of {settings.brand} has no audiences yet; run `tessera run --brand {settings.brand}`",
                USAGE,
            )
        yield connection, row[0]


def _audience(settings: Settings, name: str) -> Audience:
    """An audience by its id, or of a file that is not saved yet."""
    from orchestration.audiences.definitions import AudienceError, load_audiences, load_file
    from orchestration.brands import suggest

    if name.endswith((".yml", ".yaml")):
        path = Path(name)
        if not path.is_file():
            raise AudienceError([f"{name}: there is no such file"])
        return load_file(path, settings)
    audiences = load_audiences(settings)
    if name not in audiences:
        raise AudienceError([f"no audience {name!r}; {suggest(name, sorted(audiences))}"])
    return audiences[name]


def _clock(settings: Settings, as_of_date: date) -> Clock:
    from orchestration.audiences.run import clock_of
    from orchestration.brands import load_brand

    return clock_of(load_brand(settings), as_of_date)


@app.command("list", epilog=EPILOG)
def list_(brand: BrandOption = None, output: FormatOption = Format.table) -> None:
    """Every audience of the brand: its size, entries and exits, or what it lacks."""
    with exit_codes():
        settings = load_settings(brand)
        with _codes(), _published(settings) as (connection, _):
            names = ["audience_id", "label_zh", "label_en", "priority", "status", "member_count", "member_rate"]
            names += ["entry_count", "exit_count", "missing"]
            rows = connection.execute(
                f"select {', '.join(names)} from segments.audience_catalogue order by priority, audience_id"  # noqa: S608  fixed names
            ).fetchall()
            print_rows(output, names, [_rounded(row) for row in rows], _HEADINGS)


@app.command(epilog=EPILOG)
def size(
    audience: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="An audience's id, or a YAML file that is not saved yet.")
    ],
    brand: BrandOption = None,
    output: FormatOption = Format.table,
) -> None:
    """How many members a rule takes in as of the published day; counted, and nothing is written."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.audiences.catalogue import read_catalogue
        from orchestration.audiences.definitions import check_against
        from orchestration.audiences.membership import work_out

        with _codes():
            found = _audience(settings, audience)
            with _published(settings) as (connection, as_of_date):
                check_against({found.audience_id: found}, read_catalogue(connection, as_of_date))
                day = work_out(connection, {found.audience_id: found}, _clock(settings, as_of_date))
        state = day.states[found.audience_id]
        share = len(day.members) / day.population_count if day.population_count else None
        names = ["audience_id", "status", "member_count", "population_count", "member_rate", "as_of_date", "missing"]
        row = (
            found.audience_id,
            state.status,
            len(day.members),
            day.population_count,
            share,
            as_of_date,
            "; ".join(state.missing),
        )
        print_rows(output, names, [_rounded(row)], _HEADINGS)


@app.command(epilog=EPILOG)
def explain(
    audience: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="An audience's id, or a YAML file that is not saved yet.")
    ],
    brand: BrandOption = None,
    member: Annotated[
        str | None, typer.Option("--member", metavar="MEMBER", help="Say of each condition whether it holds.")
    ] = None,
    as_of: AsOfOption = None,
    output: FormatOption = Format.table,
) -> None:
    """What a rule says; with --member which of its conditions hold, with --as-of whether the member was in on that day."""
    with exit_codes():
        settings = load_settings(brand)
        with _codes():
            found = _audience(settings, audience)
            if member is None:
                typer.echo(f"{found.audience_id}  {found.label_zh} / {found.label_en}\n{found.goal}")
                typer.echo(f"{found.file}, rule version {found.rule_version}\n\n{found.text}".rstrip())
                return
            with _published(settings) as (connection, as_of_date):
                day = as_of.date() if as_of else as_of_date
                if day != as_of_date:
                    _tell_stay(connection, found.audience_id, member, day)
                    return
                names, rows = _conditions(connection, settings, found, member, as_of_date)
        print_rows(output, names, rows, _HEADINGS)


def _tell_stay(connection: DuckDBPyConnection, audience_id: str, member: str, day: date) -> None:
    from orchestration.audiences.membership import members_on

    days = {
        d
        for (d,) in connection.execute(
            "select as_of_date from segments.agg_audience_days where audience_id = ?", [audience_id]
        ).fetchall()
    }
    if day not in days:
        raise fail(
            f"{audience_id} was not worked out as of {day}; `tessera audience backfill --from {day} --to {day}` does it",
            USAGE,
        )
    is_in = member in members_on(connection, audience_id, day)
    typer.echo(
        f"as of {day}: {'in' if is_in else 'not in'} {audience_id} (values of a past day: `tessera rebuild --as-of {day}`)"
    )


def _conditions(
    connection: DuckDBPyConnection, settings: Settings, found: Audience, member: str, as_of_date: date
) -> tuple[list[str], list[tuple[Any, ...]]]:
    from orchestration.audiences import explain as explaining
    from orchestration.audiences.catalogue import read_catalogue

    catalogue = read_catalogue(connection, as_of_date)
    told = explaining.explain_member(connection, found, catalogue, _clock(settings, as_of_date), member)
    if told is None:
        raise fail(f"no member {member} as of {as_of_date} (testers and colleagues are in no audience)", USAGE)
    return ["holds", "condition", "value"], [
        (line.holds, "  " * line.depth + line.condition, line.value) for line in told
    ]


@app.command(epilog=EPILOG)
def members(
    audience: IdArgument, brand: BrandOption = None, as_of: AsOfOption = None, output: FormatOption = Format.csv
) -> None:
    """Members of an audience on a day, by their ids."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.audiences.membership import members_on

        with _codes():
            found = _audience(settings, audience)
            with _published(settings) as (connection, as_of_date):
                day = as_of.date() if as_of else as_of_date
                rows = [(member,) for member in members_on(connection, found.audience_id, day)]
        print_rows(output, ["member_id"], rows, _HEADINGS)


@app.command(epilog=EPILOG)
def overlap(
    audience: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One audience beside all others. Default: all pairs.")
    ] = None,
    brand: BrandOption = None,
    output: FormatOption = Format.table,
) -> None:
    """How many members two audiences share, of which share of the first that is."""
    with exit_codes():
        settings = load_settings(brand)
        with _codes():
            wanted = _audience(settings, audience).audience_id if audience else None
            with _published(settings) as (connection, _):
                names = ["audience_id", "other_audience_id", "member_count", "other_member_count", "both_member_count"]
                names += ["jaccard_rate", "contained_rate"]
                rows = connection.execute(
                    f"select {', '.join(names)} from segments.audience_overlaps where audience_id = coalesce($1, audience_id) "  # noqa: S608
                    "and ($1 is not null or audience_id < other_audience_id) "
                    "order by both_member_count desc, audience_id, other_audience_id",
                    [wanted],
                ).fetchall()
        print_rows(output, names, [_rounded(row) for row in rows], _HEADINGS)


@app.command(epilog=EPILOG)
def insight(
    audience: IdArgument,
    base: Annotated[
        str | None, typer.Option("--base", metavar="ID", help="Compare with another audience. Default: all members.")
    ] = None,
    brand: BrandOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is not significant.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """What the members have more (TGI above 100) or less often than the base, with false discoveries held at 5 %."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.audiences.insight import InsightError
        from orchestration.audiences.insight import insight as compare

        with _codes(), _published(settings) as (connection, _):
            wanted = _audience(settings, audience).audience_id
            try:
                found = compare(connection, wanted, base)
            except InsightError as error:
                raise fail(error, USAGE) from error
        if not everything:
            found = found[found["is_significant"]]
        names = ["tag_code", "label_zh", "value_zh", "value_en", "group_members", "base_members"]
        names += ["group_rate", "base_rate", "tgi", "q_value"]
        found = found.assign(tgi=found["tgi"].round(1), q_value=[float(f"{q:.2g}") for q in found["q_value"]])
        rows = list(found[names].round(4).itertuples(index=False, name=None))
        print_rows(output, names, rows, _HEADINGS)


class _Offer(StrEnum):
    goods = "goods"
    content = "content"


@app.command(epilog=EPILOG)
def gaps(
    audience: IdArgument,
    offer: Annotated[_Offer, typer.Option("--of", help="What is offered.")] = _Offer.goods,
    base: Annotated[
        str | None, typer.Option("--base", metavar="ID", help="Compare with another audience. Default: all members.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=730, help="Days that count as wanting.")] = 90,
    brand: BrandOption = None,
    output: FormatOption = Format.table,
) -> None:
    """What the members want, category by category, beside what is offered and what they have not taken up."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.audiences.gaps import gaps as find_gaps
        from orchestration.audiences.insight import InsightError

        with _codes(), _published(settings) as (connection, _):
            wanted = _audience(settings, audience).audience_id
            try:
                found = find_gaps(connection, wanted, offer.value, base, days)
            except InsightError as error:
                raise fail(error, USAGE) from error
        names = ["category_code", "category_name", "wanting_members", "unmet_members", "unmet_rate", "offer_count"]
        names += ["demand_rate", "offer_rate", "gap_index", "tgi", "q_value"]
        found = found.assign(
            gap_index=found["gap_index"].round(0),
            tgi=found["tgi"].round(1),
            q_value=[float(f"{q:.2g}") for q in found["q_value"]],
        )
        rows = [
            tuple(None if value != value else value for value in row)
            for row in found[names].round(4).itertuples(index=False, name=None)
        ]
        print_rows(output, names, rows, _HEADINGS)


@app.command(epilog=EPILOG)
def lookalike(
    audience: IdArgument,
    pool: Annotated[
        str | None, typer.Option("--pool", metavar="ID", help="Look among another audience. Default: all members.")
    ] = None,
    destination: Annotated[
        str | None,
        typer.Option(
            "--destination", "-d", metavar="NAME", help="Only who agreed to it. Default: who refused nothing."
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Write member_id, score and rank as CSV.", dir_okay=False),
    ] = None,
    size: Annotated[int | None, typer.Option("--size", min=1, metavar="N", help="Save the first N only.")] = None,
    brand: BrandOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Who outside the audience resembles it: precision by size beside spend rank and chance, reasons, a ranked list."""
    if size and save is None:
        raise fail("--size says how many members are saved: name a file with --save", USAGE)
    with exit_codes():
        settings = load_settings(brand)
        from ml.lookalike.measuring import TooFew
        from orchestration.audiences.destinations import load_destinations
        from orchestration.audiences.export import destination_of
        from orchestration.audiences.insight import InsightError
        from orchestration.audiences.lookalike import lookalike as find

        with _codes():
            seed = _audience(settings, audience)
            chosen = destination_of(load_destinations(settings), destination) if destination else None
            with _published(settings) as (connection, _):
                try:
                    found = find(connection, seed, pool, chosen)
                except (InsightError, TooFew) as error:
                    raise fail(error, USAGE) from error
        if output is Format.table:
            typer.echo(_told(found, seed.audience_id))
        curve = found.recovery.curve
        curve = curve.assign(
            size_count=(curve["size_share"] * found.pool_count).round().astype(int),
            expected_hits=(curve["size_share"] * found.pool_count * curve[f"{found.ranked_by}_precision"]).round(),
        )
        names = ["size_share", "size_count", "expected_hits", "model_precision", "spend_precision", "random_precision"]
        names += ["model_recall", "spend_recall"]
        print_rows(output, names, [_rounded(row) for row in curve[names].itertuples(index=False, name=None)], _HEADINGS)
        if save is not None:
            saved = found.members.head(size) if size else found.members
            try:
                saved.to_csv(save, index=False)
            except OSError as error:
                raise fail(f"{save} cannot be written: {error.strerror or error}", USAGE) from error
            typer.echo(f"{len(saved):,} members written to {save}", err=True)


def _told(found: Lookalike, audience_id: str) -> str:
    """What a marketer should know before the figures."""
    recovery = found.recovery
    families = ", ".join(found.left_out_families)
    without = f", without those of {families}: the rule speaks of them" if families else ""
    lines = [
        f"{audience_id}: {found.seed_count:,} members looked for among {found.pool_count:,} others; {found.refused_count:,} left "
        "out who may not be contacted",
        f"{found.feature_count} tags{without}",
        f"hidden members found again (AUC): model {recovery.model_auc:.3f}, spend rank {recovery.spend_auc:.3f}; "
        f"ranked by {found.ranked_by}",
    ]
    if not recovery.is_model_better:
        lines.append("the model finds no more than ranking by spend does, so members are ranked by spend")
    if found.counts_facts:
        lines.append(
            "the rule counts orders or events itself, and tags of them are learnt from: part of the AUC is the rule found again"
        )
    columns = ["weight", "label_zh", "label_en"]
    reasons = [
        f"{'+' if weight > 0 else '-'} {label_zh} / {label_en}"
        for weight, label_zh, label_en in found.reasons[columns].itertuples(index=False, name=None)
    ]
    return "\n".join([*lines, "what tells them apart:", *(f"  {reason}" for reason in reasons)])


@app.command(epilog=EPILOG)
def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, metavar="YYYY-MM-DD", help="First as_of_date.")],
    last: Annotated[
        datetime, typer.Option("--to", formats=_DAY, metavar="YYYY-MM-DD", help="Last as_of_date, included.")
    ],
    brand: BrandOption = None,
    again: Annotated[bool, typer.Option("--again", help="Work out days that are there already, too.")] = False,
) -> None:
    """Work out past days: tags of each day are rebuilt apart. The published file has them after the next run."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration.audience_history import Worked
        from orchestration.audience_history import backfill as work_out_days
        from orchestration.brands import load_brand

        def tell(worked: Worked) -> None:
            typer.echo(f"{worked.as_of_date}: {worked.ready_count} audiences, {worked.member_count:,} memberships")

        with _codes():
            days = work_out_days(settings, load_brand(settings), first.date(), last.date(), again=again, tell=tell)
        typer.echo(f"{settings.brand}: {len(days)} day(s) worked out; `tessera run --force` publishes them")


@app.command(epilog=EPILOG)
def export(
    audience: IdArgument,
    destination: Annotated[
        str, typer.Option("--destination", "-d", metavar="NAME", help="sms, email, app_push, wechat, ad_platform …")
    ],
    brand: BrandOption = None,
    output: Annotated[FileFormat, typer.Option("--format", "-f", help="Format of the files.")] = FileFormat.csv,
    as_of: AsOfOption = None,
    holdout: Annotated[
        float,
        typer.Option(
            "--holdout", min=0, max=50, metavar="PERCENT", help="Members who agreed and stay behind, to compare with."
        ),
    ] = 0.0,
    seed: Annotated[str, typer.Option("--seed", help="Draws the holdout; another one draws others.")] = "holdout",
) -> None:
    """Write hashed identifiers of the members who agreed, with adds and removes since the last export and a manifest."""
    with exit_codes():
        settings = load_settings(brand)
        from orchestration import warehouse
        from orchestration.audiences.destinations import load_destinations
        from orchestration.audiences.export import Request, destination_of, export_audience
        from orchestration.locking import brand_lock

        with _codes():
            found = _audience(settings, audience)
            chosen = destination_of(load_destinations(settings), destination)
            request = Request(found, destination, chosen, output.value, holdout, seed)
            with brand_lock(settings), warehouse.read_only(settings.build_file) as connection:
                exported = export_audience(connection, settings, request, as_of.date() if as_of else None)
        counts = exported.manifest["counts"]
        typer.echo(
            f"{found.audience_id} as of {exported.manifest['as_of_date']} to {destination}: {counts['exported']:,} of "
            f"{counts['members']:,} members; {counts['without_consent']:,} without consent ({chosen.channel}, {chosen.purpose}), "
            f"{counts['held_out']:,} held out, {counts['without_identifier']:,} without an identifier; "
            f"{counts['adds']:,} added and {counts['removes']:,} removed since the last export"
        )
        typer.echo(
            f"{'written' if exported.is_new else 'as before'}: export {exported.manifest['export_id']} in {exported.folder}"
        )


def _rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(round(value, 4) if isinstance(value, float) else value for value in row)
