"""The cost of a day beside its history: `python -m benchmarks.day [--members 10000]`, on simulated brands of 36, 108 and 365 days.

The last day's event files come in after everything else is built: landed, staged, modelled and measured, dbt's start-up included. Then the
same with nothing new. Both would be flat if nothing read history; what the numbers said is in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from orchestration import build_file, warehouse
from orchestration.brands import load_brand
from orchestration.dbt import build_arguments, dbt_environment, run_dbt
from orchestration.landing.land import entities, land
from orchestration.settings import PROJECT_ROOT, Settings, load_settings
from simulator import SimulatorConfig, write_brand

LENGTHS = (36, 108, 365)
MODELS = (
    "path:models/staging",
    "path:models/reference",
    "path:models/intermediate",
    "path:models/marts",
    "seg_rfm_history",  # what metrics of segments are made of
    "seg_aipl",
    "path:models/metrics",
)
SCORES = ("stg_churn_scores", "stg_propensity_scores")


def new_home(root: Path, members: int, days: int) -> Settings:
    source, brand = PROJECT_ROOT / "brands" / "demo", root / "brands" / "demo"
    brand.mkdir(parents=True)
    for name in ("sources", "tracking_plan.yml", "identity.yml"):
        (brand / name).symlink_to(source / name)
    document = yaml.safe_load((source / "brand.yml").read_text(encoding="utf-8"))
    (brand / "brand.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    settings = load_settings("demo", {"TESSERA_HOME": str(root / "home"), "TESSERA_BRANDS": str(root / "brands")})
    write_brand(SimulatorConfig(members=members, days=days, seed=7), settings.generated_sources, settings.truth_dir)
    return settings


def run(settings: Settings) -> tuple[float, list[tuple[float, str]]]:
    """Seconds of landing and of dbt, and the dearest models."""
    started = time.perf_counter()
    brand = load_brand(settings)
    for entity in entities(brand):
        land(settings, brand, entity)
    build_file.prepare(settings, brand)
    home = settings.brand_home
    arguments = [*build_arguments(list(MODELS), SCORES), "--exclude-resource-type", "test"]
    done = run_dbt(arguments, dbt_environment(settings), target=home / "dbt", logs=home / "logs", tell=lambda _: None)
    if done.return_code != 0:
        broken = [node.name for node in done.nodes if not node.is_good]
        raise RuntimeError(f"dbt failed: {', '.join(broken) or done.complaint}; see {home / 'logs'}")
    dearest = sorted(((node.seconds, node.name) for node in done.nodes), reverse=True)[:8]
    return time.perf_counter() - started, dearest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=10_000)
    members = parser.parse_args().members
    table = Table(title=f"One more day, {members:,} members", title_justify="left")
    for name in ("days", "events", "first build, s", "the day, s", "of the shortest", "nothing new, s"):
        table.add_column(name, justify="right")
    shortest = None
    for days in LENGTHS:
        with tempfile.TemporaryDirectory(prefix="tessera-day-") as folder:
            settings = new_home(Path(folder), members, days)
            events = sorted(settings.generated_sources.glob("*/events/*"))
            last = max(path.name[:10] for path in events)
            held = {path: path.read_bytes() for path in events if path.name.startswith(last)}
            for path in held:
                path.unlink()
            first, _ = run(settings)
            for path, content in held.items():
                path.write_bytes(content)
            day, dearest = run(settings)
            for seconds, name in dearest:
                print(f"    {days} days: {name} {seconds:.1f} s", file=sys.stderr)
            nothing, _ = run(settings)
            with warehouse.read_only(settings.build_file) as connection:
                (count,) = connection.execute("select count(*) from marts.fct_events").fetchone() or (0,)
        shortest = shortest or day
        table.add_row(str(days), f"{count:,}", f"{first:.1f}", f"{day:.1f}", f"{day / shortest:.2f}", f"{nothing:.1f}")
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
