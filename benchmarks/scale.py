"""Behaviour at scale: `python -m benchmarks.scale [--events 100000000]`, on generated events with the columns of Taobao's file.

CSV to member days by the product (land, staging, fct_events, visits, member days) and by bare SQL written for these five columns
alone, in one run, and the results of both compared; then one more day by the product. Generated events are spread over nine days,
a tenth as many members as days of theirs, with a popularity curve like the real file's (docs/simulator.md). What the numbers
said is in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from orchestration import build_file, warehouse
from orchestration.brands import load_brand
from orchestration.dbt import build_arguments, dbt_environment, run_dbt
from orchestration.landing.land import land
from orchestration.settings import Settings

BRAND = "scale"
FIRST = date(2017, 11, 25)
DAYS = 9
EVENTS_PER_MEMBER = 100
REPEATED = 0.001  # rows that come twice
MODELS = ("+agg_member_days",)
MEMORY = "9GB"
COLUMNS = ("user_id", "item_id", "category_id", "behaviour", "unix_seconds")


@dataclass(frozen=True)
class Step:
    """Seconds of one step by the product and by bare SQL; a step that only one of them has is 0 for the other."""

    name: str
    ours: float
    bare: float


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def generate(folder: Path, events: int) -> list[Path]:
    """Ten files, one a day, without a header: seeded, sessions of a few minutes, some rows twice. The tenth is for the day after."""
    members = max(1, events // EVENTS_PER_MEMBER)
    per_day = events // DAYS
    files = []
    folder.mkdir(parents=True)
    with warehouse.scratch() as connection:
        connection.execute(f"set memory_limit = '{MEMORY}'")
        for day in range(DAYS + 1):
            start = 1_511_539_200 + 86_400 * day  # midnight in Shanghai
            file = folder / f"{FIRST + timedelta(days=day)}.csv"
            # A visit has 8 events half a minute apart. Items follow a power law; 89 % of events are views.
            connection.execute(
                f"""
                copy (
                    with drawn as (
                        select
                            hash(n // 8, {day}, 1) % {members} as user_id,
                            cast(power(hash(n, {day}, 2) / 18446744073709551616.0, 3) * 4000000 as bigint) as item_id,
                            hash(n, {day}, 3) % 1000 as chance,
                            {start} + least(86399, hash(n // 8, {day}, 4) % 86000 + (n % 8) * (hash(n, {day}, 5) % 60)) as unix_seconds
                        from range({per_day}) as numbers(n)
                    )
                    select
                        user_id, item_id, item_id % 9439 as category_id,
                        case when chance < 895 then 'pv' when chance < 950 then 'cart'
                            when chance < 980 then 'fav' else 'buy' end as behaviour,
                        unix_seconds
                    from drawn cross join range(case when chance < {int(1000 * REPEATED)} then 2 else 1 end)
                ) to '{file}' (format csv, header false)
                """
            )
            files.append(file)
    return files


def new_home(root: Path) -> Settings:
    """A brand with one source of events; the mapping is that of brands/taobao without the rules that count its traps."""
    folder = root / "brands" / BRAND / "sources"
    folder.mkdir(parents=True)
    (folder.parent / "brand.yml").write_text(
        f"brand: {BRAND}\nlabel_zh: 规模\nlabel_en: Scale\ncurrency: CNY\nclock: {{as_of: latest_fact}}\n"
        f"calendar_start: {FIRST}\ncalendar_end: {FIRST + timedelta(days=DAYS)}\n",
        encoding="utf-8",
    )
    fields = {
        "event_key": "md5(concat_ws(',', user_id, item_id, category_id, behaviour, unix_seconds))",
        "event_name": "case behaviour when 'pv' then 'view' when 'fav' then 'favourite' when 'buy' then 'purchase' else behaviour end",
        "occurred_at": "to_timestamp(cast(unix_seconds as bigint))",
        "member_key": "user_id",
        "product_code": "item_id",
        "category_code": "category_id",
    }
    source = {
        "source_system": "taobao",
        "reader": {"kind": "csv", "path": "days/*.csv", "header": False, "columns": list(COLUMNS)},
        "timestamps_in": "Asia/Shanghai",
        "entities": {"events": {"fields": fields}},
    }
    (folder / "events.yml").write_text(yaml.safe_dump(source), encoding="utf-8")
    return Settings(BRAND, root / "home", root / "brands", root / "sources")


def build(settings: Settings) -> float:
    """Seconds of the dbt run up to member days, its start-up included, its tests left out."""
    arguments = [*build_arguments(list(MODELS)), "--exclude-resource-type", "test"]
    home = settings.brand_home
    started = time.perf_counter()
    done = run_dbt(arguments, dbt_environment(settings), target=home / "dbt", logs=home / "logs", tell=lambda _: None)
    if done.return_code != 0:
        broken = [node.name for node in done.nodes if not node.is_good]
        raise RuntimeError(f"dbt failed: {', '.join(broken) or done.complaint}; see {home / 'logs'}")
    for node in sorted(done.nodes, key=lambda node: -node.seconds)[:6]:
        print(f"    {node.name} {node.seconds:.1f} s", file=sys.stderr)
    return time.perf_counter() - started


def ours(settings: Settings) -> tuple[float, float]:
    brand = load_brand(settings)
    landing = timed(lambda: land(settings, brand, "events"))
    build_file.prepare(settings, brand)
    return landing, build(settings)


BARE_STAGED = f"""
    create table staged as
    select distinct
        {", ".join(COLUMNS[:4])}, unix_seconds,
        cast(timezone('Asia/Shanghai', to_timestamp(unix_seconds)) as date) as business_date
    from read_parquet(?)
"""
# Events of one second are peers, and have one number: the frame is the default one, of ranges. Counted row by row, an event could
# be given to the session before, because the two windows may put the peers in different orders.
BARE_SESSIONS = """
    create table sessions as
    with compared as (
        select *, lag(unix_seconds) over (partition by user_id order by unix_seconds) as earlier from staged
    ),
    numbered as (
        select *, sum(case when unix_seconds - earlier <= 1800 then 0 else 1 end) over (
            partition by user_id order by unix_seconds) as number
        from compared
    )
    select
        user_id, number, min(business_date) as business_date, min(unix_seconds) as started_at, max(unix_seconds) as ended_at,
        count(*) as event_count, count(*) filter (behaviour = 'pv') as page_view_count,
        count(distinct item_id) filter (behaviour = 'pv') as product_count
    from numbered group by user_id, number
"""
BARE_DAYS = """
    create table days as
    select
        user_id, business_date, count(*) as event_count, count(*) filter (behaviour = 'pv') as page_view_count,
        count(distinct item_id) filter (behaviour = 'pv') as viewed_product_count, count(*) filter (behaviour = 'cart') as cart_count
    from staged group by user_id, business_date
"""


def bare(files: list[Path], folder: Path) -> tuple[list[float], Path]:
    """Seconds of reading, staging, sessions and member days, by bare SQL in one file."""
    folder.mkdir(parents=True)
    file = folder / "bare.duckdb"
    with warehouse.writer(file) as connection:
        connection.execute(f"set memory_limit = '{MEMORY}'")
        types = {name: "varchar" if name == "behaviour" else "bigint" for name in COLUMNS}
        read = f"read_csv({[str(f) for f in files]}, header = false, columns = {types})"
        parquet = str(folder / "events.parquet")
        seconds = [timed(lambda: connection.execute(f"copy (from {read}) to '{parquet}' (format parquet)"))]
        seconds.append(timed(lambda: connection.execute(BARE_STAGED, [parquet])))
        seconds.append(timed(lambda: connection.execute(BARE_SESSIONS)))
        seconds.append(timed(lambda: connection.execute(BARE_DAYS)))
    return seconds, file


def figures(file: Path, statements: list[str]) -> list[tuple[object, ...]]:
    with warehouse.read_only(file) as connection:
        return [connection.execute(statement).fetchone() or () for statement in statements]


OUR_FIGURES = [
    "select count(*) from marts.fct_events",
    "select count(*), sum(event_count), sum(page_view_count), sum(product_count), sum(duration_seconds)::bigint from marts.fct_sessions",
    "select count(*), sum(event_count), sum(page_view_count), sum(viewed_product_count), sum(cart_count) from metrics.agg_member_days",
]
BARE_FIGURES = [
    "select count(*) from staged",
    "select count(*), sum(event_count), sum(page_view_count), sum(product_count), sum(ended_at - started_at) from sessions",
    "select count(*), sum(event_count), sum(page_view_count), sum(viewed_product_count), sum(cart_count) from days",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--events", type=int, default=10_000_000, help="events of the first nine days (default: ten million)"
    )
    parser.add_argument("--folder", default=None, help="where to work (default: a temporary folder)")
    options = parser.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="tessera-scale-", dir=options.folder) as name:
        root = Path(name)
        settings = new_home(root)
        *files, tenth = generate(root / "generated", options.events)
        days = root / "sources" / "days"
        days.mkdir(parents=True)
        for file in files:
            (days / file.name).hardlink_to(file)
        build_file.prepare(settings, load_brand(settings))
        build(settings)  # of nothing: dbt parses everything for a build file that it has not seen
        landing, warehousing = ours(settings)
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e6
        bare_seconds, bare_file = bare(files, root / "bare")
        equal = figures(settings.build_file, OUR_FIGURES) == figures(bare_file, BARE_FIGURES)
        (days / tenth.name).hardlink_to(tenth)
        day = sum(ours(settings))
    table = Table(title=f"{options.events:,} events", title_justify="left")
    for heading in ("step", "ours, s", "bare, s", "ratio"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    steps = [
        Step("CSV to the lake", landing, bare_seconds[0]),
        Step("staging to member days", warehousing, sum(bare_seconds[1:])),
    ]
    steps.append(Step("all", landing + warehousing, sum(bare_seconds)))
    steps.append(Step("the tenth day, beside a ninth of ours", day, (landing + warehousing) / DAYS))
    for step in steps:
        table.add_row(step.name, f"{step.ours:.1f}", f"{step.bare:.1f}", f"{step.ours / step.bare:.2f}")
    console.print(table)
    console.print(
        f"bare: {', '.join(f'{s:.1f}' for s in bare_seconds)} s; results equal: {equal}; largest process {peak:.1f} GB",
        highlight=False,
    )
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
