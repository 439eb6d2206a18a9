"""Orders, payments, refunds and the ledger of a simulated brand against what really happened, and a ledger that a lost refund breaks.

The simulator books in whole fen and writes its truth apart (docs/simulator.md); nothing of it is read by the warehouse.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipeline import land_and_build

from orchestration import warehouse
from orchestration.dbt import dbt_environment, run_dbt
from orchestration.settings import PROJECT_ROOT, Settings, load_settings
from simulator import MessRates, SimulatorConfig, write_brand

pytestmark = pytest.mark.slow

# Nothing is dirty but refunds above what was paid: whatever differs from the truth is our own doing.
CLEAN = MessRates(**{field.name: 0 for field in fields(MessRates)})
CONFIG = SimulatorConfig(
    members=300, days=170, seed=5, events_per_member=2, products=120, mess=replace(CLEAN, over_refund=0.2)
)
MODELS = ("path:models/staging", "path:models/reference", "path:models/intermediate", "path:models/marts")
SALES = ("agg_daily_sales", "agg_daily_sales_slices", "unmatched_references", "reconciliation")
LEDGER_TESTS = ("assert_ledger_balances", "assert_ledger_equals_facts")
MONEY_TESTS = (
    *LEDGER_TESTS,
    "assert_orders_equal_lines_and_refunds",
    "assert_daily_sales_equal_orders",
    "assert_sales_slices_add_up",
    "assert_points_are_conserved",
)


@dataclass(frozen=True)
class Simulated:
    settings: Settings
    query: Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    root = tmp_path_factory.mktemp("money")
    source, brand = PROJECT_ROOT / "brands" / "demo", root / "brands" / "demo"
    brand.mkdir(parents=True)
    for name in ("sources", "tracking_plan.yml"):
        (brand / name).symlink_to(source / name)
    document = yaml.safe_load((source / "brand.yml").read_text(encoding="utf-8"))
    (brand / "brand.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    settings = load_settings("demo", {"TESSERA_HOME": str(root / "home"), "TESSERA_BRANDS": str(root / "brands")})
    write_brand(CONFIG, settings.generated_sources, settings.truth_dir)
    land_and_build(settings, *MODELS, *SALES)

    def query(sql: str) -> list[tuple[Any, ...]]:
        with warehouse.read_only(settings.build_file) as connection:
            return connection.execute(sql.replace("{t}", str(settings.truth_dir))).fetchall()

    return Simulated(settings, query)


def failures(settings: Settings, *tests: str) -> dict[str, int]:
    """Failing rows of each dbt test."""
    home = settings.brand_home
    done = run_dbt(
        ["test", "--select", *tests], dbt_environment(settings), target=home / "dbt", logs=home / "logs", tell=print
    )
    return {node.name: node.failures for node in done.nodes}


def test_every_order_was_paid_and_refunded_as_it_was(simulated: Simulated) -> None:
    compared = """
        from (select *, source_system || ':' || order_key as order_id from '{t}/orders.parquet') as truth
        full outer join marts.fct_orders as orders on truth.order_id = orders.order_id
    """
    assert simulated.query(f"select count(*) > 300, count(refunded_amount) > 300 {compared}") == [(True, True)]
    # Orders that were never paid have no lines in most systems; what has lines and was not paid is void.
    differing = f"""
        select coalesce(truth.order_id, orders.order_id)
        {compared}
        where
            truth.order_id is null
            or (truth.paid_at is not null and orders.order_id is null)
            or (orders.order_id is not null and (
                orders.is_paid <> (truth.paid_at is not null)
                or orders.is_void <> (truth.paid_at is null)
                or orders.gross_amount <> truth.goods_amount
                or orders.payable_amount <> truth.payable_amount
                or orders.paid_amount <> truth.paid_amount
                or orders.returned_amount <> truth.refunded_amount
            ))
    """
    assert simulated.query(differing) == []


def test_money_that_came_and_went_is_all_there(simulated: Simulated) -> None:
    cash = """
        select
            (select sum(payment_amount) from marts.fct_payments),
            (select sum(refund_amount) from marts.fct_refund_lines),
            (select sum(debit_amount - credit_amount) from marts.fct_ledger_entries where ledger_account = 'cash'),
            (select sum(credit_amount - debit_amount) from marts.fct_ledger_entries where ledger_account = 'forfeited_deposits')
    """
    ((paid, refunded, cash_balance, forfeited),) = simulated.query(cash)
    truth = """
        select sum(paid_amount), sum(refunded_amount), sum(paid_amount - refunded_amount),
            coalesce(sum(paid_amount) filter (where paid_at is null), 0)
        from '{t}/orders.parquet'
    """
    ((true_paid, true_refunded, true_cash, true_forfeited),) = simulated.query(truth)
    assert (paid, refunded, cash_balance) == (true_paid, true_refunded, true_cash)
    # A deposit that is waiting for its balance at the end of the period is not lost yet.
    waiting = "select coalesce(sum(payment_amount), 0) from marts.fct_payments where payment_status = 'deposit_paid'"
    assert forfeited + simulated.query(waiting)[0][0] == true_forfeited
    open_accounts = """
        select order_id from marts.fct_ledger_entries where ledger_account = 'receivable'
        group by order_id having sum(debit_amount) <> sum(credit_amount)
    """
    assert simulated.query(open_accounts) == []


def test_refunds_above_what_was_paid_are_those_that_were_planted(simulated: Simulated) -> None:
    planted = "select row_key from '{t}/mess.parquet' where kind = 'refund_above_paid'"
    flagged = "select substr(refund_id, length(source_system) + 2) from marts.fct_refunds where is_over_refund"
    assert sorted(simulated.query(flagged)) == sorted(simulated.query(planted)) != []


def test_points_run_to_the_balances_of_the_source(simulated: Simulated) -> None:
    counted = "select count(*) > 0, count(balance_difference) > 0, coalesce(sum(abs(balance_difference)), 0) from marts.fct_points"
    assert simulated.query(counted) == [(True, True, 0)]
    assert simulated.query("select sum(unmatched_row_count) from ops.unmatched_references") == [(0,)]


def test_gross_less_refunds_is_net_on_every_slice(simulated: Simulated) -> None:
    assert failures(simulated.settings, *MONEY_TESTS) == dict.fromkeys(MONEY_TESTS, 0)
    assert simulated.query("select check_code from ops.reconciliation where difference <> 0") == []
    net = """
        select (select sum(gmv_net_amount) from marts.fct_orders), (select sum(gmv_net_amount) from metrics.agg_daily_sales_slices),
            (select sum(cash_net_amount) from metrics.agg_daily_sales_slices)
    """
    ((of_orders, restated, cash),) = simulated.query(net)
    assert of_orders == restated == cash  # every refund is known and its order too: only the dates differ


@pytest.mark.parametrize(
    ("defect", "failing"),
    [
        (
            "delete from marts.fct_refunds where refund_id = (select min(refund_id) from marts.fct_refunds)",
            {"assert_ledger_balances": 0, "assert_ledger_equals_facts": 1},
        ),
        (
            "delete from marts.fct_ledger_entries where ledger_entry_id = "
            "(select min(ledger_entry_id) from marts.fct_ledger_entries where ledger_account = 'refunds')",
            {"assert_ledger_balances": 1, "assert_ledger_equals_facts": 1},
        ),
        (
            "update marts.fct_payments set payment_amount = payment_amount + 0.01 where payment_id = "
            "(select min(payment_id) from marts.fct_payments)",
            {"assert_ledger_balances": 0, "assert_ledger_equals_facts": 1},
        ),
    ],
    ids=["a refund is lost", "an entry is lost", "a cent is paid more"],
)
def test_the_ledger_does_not_agree_with_a_defect(
    simulated: Simulated, tmp_path: Path, defect: str, failing: dict[str, int]
) -> None:
    settings = replace(simulated.settings, home=tmp_path / "home")
    settings.build_file.parent.mkdir(parents=True)
    shutil.copyfile(simulated.settings.build_file, settings.build_file)
    with warehouse.writer(settings.build_file) as connection:
        connection.execute(defect)
    assert failures(settings, *LEDGER_TESTS) == failing
