"""One run of a brand from a terminal: lock, decide whether anything is to do, run Dagster's job.

The job itself is `build_brand_job`; its steps belong in `orchestration.defs`, saying what came of it in
`orchestration.report`.
"""

import os
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestration import build_state, dbt_server, publishing, report, simulated
from orchestration.audiences.definitions import load_audiences
from orchestration.brands import Brand, load_brand
from orchestration.landing import land as landing
from orchestration.landing.extract.run import extract_once
from orchestration.landing.mapping import check_mappings
from orchestration.locking import brand_lock
from orchestration.settings import Settings

RUN_FAILED = 1


def run_brand(
    settings: Settings,
    *,
    as_of: date | None = None,
    full_refresh: bool = False,
    force: bool = False,
    console: Console,
) -> int:
    """Build and publish `settings.brand`. Returns 0 when everything is published, 1 when a stage or a gate failed.

    Does nothing when no source file is new and code, configuration and cut are those of the current publication,
    unless `force` or `full_refresh` is set. Raises BrandConfigError, LandingError, RunLocked.
    """
    started = time.monotonic()
    brand = load_brand(settings)
    check_mappings(brand)
    load_audiences(settings)
    if brand.identity.probabilistic.enabled:
        from orchestration.identity_measured import refuse_unmeasured

        refuse_unmeasured(brand, settings.brand_home)
    if as_of is None and os.environ.get("TESSERA_AS_OF_DATE"):
        as_of = date.fromisoformat(os.environ["TESSERA_AS_OF_DATE"])
    with brand_lock(settings, lend=True), ThreadPoolExecutor(1) as beside:
        manifest = _published(settings)
        # A brand's first run: dbt reads its project in a process of its own, while sources are simulated and read.
        parse = beside.submit(parse_problem) if manifest is None else None
        simulated.ensure_sources(settings, brand, console.print)
        run_id = str(uuid.uuid4())
        extract_once(settings, brand, run_id, log=lambda line: console.print(line, markup=False, highlight=False))
        pending = landing.pending(settings, brand)
        fingerprint = build_state.input_fingerprint(settings, brand, as_of_date=as_of.isoformat() if as_of else "")
        if not (force or full_refresh or pending) and manifest and manifest.get("input_fingerprint") == fingerprint:
            console.print(
                f"[bold]{settings.brand}[/]: nothing new. No source file has changed, and the code and configuration are those of "
                f"version [bold]{manifest['version']}[/] (as of {manifest['as_of_date']})."
            )
            console.print(
                f"Published: {settings.published_file}\nTo build it again all the same: tessera run --brand {settings.brand} --force"
            )
            return 0
        console.print(
            f"[bold]{settings.brand}[/]: {_what_is_new(pending, manifest)}; building in {settings.brand_home}"
        )
        import_module("orchestration.dbt")  # Dagster with it: two seconds that need not wait for the parse
        dbt_server.start()  # it imports dbt while files land
        parsing = time.monotonic()
        broken = parse.result() if parse else parse_problem()
        parsed = time.monotonic() - parsing
        if broken:
            console.print(broken, markup=False, highlight=False, soft_wrap=True)
            return RUN_FAILED
        result, seconds = execute(
            settings,
            tags=lambda: range_tags_of(brand, pending),
            options={"as_of_date": as_of.isoformat() if as_of else "", "full_refresh": full_refresh},
            run_id=run_id,  # by which the raw assets know that databases and APIs have been read for this run
        )
        if not result.success:
            report.failure(settings, result, _published(settings), console)
            return RUN_FAILED
        report.success(settings, result, parsed + seconds, time.monotonic() - started, console)
        return 0


def parse_problem() -> str | None:
    """dbt's message when its project cannot be parsed: an engineer's slip is told before anything runs."""
    from orchestration.dbt import ParseError, ensure_manifest

    try:
        ensure_manifest()
    except ParseError as error:
        return str(error)
    return None


def _published(settings: Settings) -> dict[str, Any] | None:
    """The manifest of the current publication. One that cannot be read counts as none: the run will publish a good one."""
    try:
        return publishing.heal(settings)
    except publishing.PublishError:
        return None


def _what_is_new(pending: list[landing.PendingFile], manifest: dict[str, Any] | None) -> str:
    if pending:
        return f"{len(pending)} new or changed source files"
    return "code, configuration or cut has changed" if manifest else "nothing is published yet"


def dagster_instance(settings: Settings):
    """The brand's Dagster instance, kept under its home so that the UI shows runs of the command line too."""
    import dagster as dg

    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("dagster.yaml"), home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return dg.DagsterInstance.get()


def prepare_environment(settings: Settings) -> None:
    """Make this process, and those it starts, speak of one brand and send nothing home."""
    os.environ.update(
        TESSERA_BRAND=settings.brand,
        TESSERA_HOME=str(settings.home),
        TESSERA_BRANDS=str(settings.brands_dir),
        DAGSTER_DISABLE_TELEMETRY="1",
        DAGSTER_EVENT_BATCH_SIZE="1000",
        GX_ANALYTICS_ENABLED="false",
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
        RUNTIME__DLTHUB_TELEMETRY="false",
    )


def range_tags_of(brand: Brand, files: list[landing.PendingFile]) -> dict[str, str]:
    from orchestration.defs.automation.jobs import range_tags

    return range_tags(brand, files)


def execute(
    settings: Settings,
    *,
    tags: Callable[[], dict[str, str]],
    options: dict[str, Any],
    run_id: str | None = None,
    select: Callable[[Any], set[Any]] | None = None,
):
    """Run the job in this process. Returns (result, seconds it took to load the definitions).

    `tags` say for which business dates; `options` are those of `orchestration.runtime.RunOptions`; `select` is given the graph
    of assets and gives the keys of those to build, where it is not all of them.
    """
    prepare_environment(settings)
    clock = time.monotonic()

    from orchestration.definitions import defs

    definitions = defs()
    job = definitions.resolve_job_def("build_brand_job")
    chosen = sorted(select(definitions.resolve_asset_graph())) if select else None
    loaded = time.monotonic() - clock
    threading.Thread(target=_import_ahead, daemon=True).start()
    with dagster_instance(settings) as instance:
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            tags=tags(),
            asset_selection=chosen,
            run_config={"resources": {"run_options": {"config": options}}, "loggers": {"terminal": {}}},
            raise_on_error=False,
        )
    return result, loaded


def _import_ahead() -> None:
    """Import what the gates and the models need, which takes six seconds, while files land. What fails here fails there and is told."""
    with suppress(Exception):
        from orchestration.quality import suite

        suite.prepare()
        import_module("ml.common.pipeline")


def open_ui(settings: Settings, port: int) -> None:
    """Replace this process by Dagster's UI and daemon for the brand, on loopback only. Does not return."""
    prepare_environment(settings)
    from orchestration.dbt import ensure_manifest

    load_brand(settings)
    ensure_manifest()
    dagster_instance(settings).dispose()
    dagster = Path(sys.executable).with_name("dagster")
    workspace = settings.project_root / "workspace.yaml"
    os.chdir(settings.project_root)
    arguments = [str(dagster), "dev", "--workspace", str(workspace), "--host", "127.0.0.1", "--port", str(port)]
    os.execv(dagster, arguments)  # noqa: S606  our own executable and fixed arguments
