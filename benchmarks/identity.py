"""One-ID against the simulator's truth: `python -m benchmarks.identity [--home DIR]`, on a built demo brand.

Pairs of accounts are counted: those that are rightly one member, wrongly one, or wrongly apart; beside networkx' connected
components of the same links, without tiers or guards, beside splink alone on what accounts say of themselves, and beside
One-ID with splink's pairs of what One-ID leaves apart. A pair that no chain of shared identifiers connects cannot be found
by anybody: such pairs are told apart. How accounts are joined belongs in dbt (`int_accounts_tier_*`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import duckdb
import networkx as nx
from rich.console import Console
from rich.table import Table

from ml.identity.grouping import group_pairs
from ml.identity.linking import LinkPlan, score_pairs
from orchestration.identity_candidates import PLAN, Group, read_groups, read_records
from orchestration.settings import load_settings

# Accounts by themselves know no member numbers that keep them apart.
ALONE = replace(PLAN, apart=None)

_ACCOUNTS = """
    select sighted.account_id, truth.person_id, resolved.member_id
    from intermediate.int_accounts_sighted as sighted
    inner join read_parquet($truth) as truth
        on truth.identifier_type = 'member_key'
        and truth.source_system = sighted.source_system and truth.identifier_value = sighted.member_key
    inner join intermediate.int_accounts_resolved as resolved on sighted.account_id = resolved.account_id
    where truth.person_id is not null
"""


def pairs(groups: Iterable[Hashable]) -> int:
    """Pairs of accounts within the same group."""
    return sum(count * (count - 1) // 2 for count in Counter(groups).values())


def scores(person: Mapping[str, str], group: Mapping[str, Hashable]) -> tuple[float, float]:
    """Precision and recall of pairs: of those that are one group, and of those that are one person."""
    right = pairs((person[account], group[account]) for account in person)
    return right / max(pairs(group[a] for a in person), 1), right / max(pairs(person.values()), 1)


def components(accounts: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Connected component of every account, by networkx."""
    graph = nx.Graph()
    graph.add_nodes_from(accounts)
    graph.add_edges_from((account, ("node", node)) for account, node in links)
    return {
        node: number
        for number, component in enumerate(nx.connected_components(graph))
        for node in component
        if isinstance(node, str)
    }


def probable(
    connection: duckdb.DuckDBPyConnection,
    groups: Sequence[Group],
    plan: LinkPlan,
    threshold: float = 0.95,
) -> dict[str, str]:
    """Group of every account that is nobody's test, once probable pairs of `groups` are joined too."""
    pairs = score_pairs(read_records(connection, groups), plan, threshold=threshold)
    grouping = group_pairs(
        pairs,
        threshold,
        max_size=40,
        sizes={group.group_id: len(group.account_ids) for group in groups},
        apart={group.group_id: group.member_number for group in groups if group.member_number},
    )
    return {a: grouping.group_of.get(g.group_id, g.group_id) for g in groups for a in g.account_ids}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", default=None, help="TESSERA_HOME of a built demo brand (default: the usual one)")
    home = parser.parse_args().home
    settings = load_settings("demo", {"TESSERA_HOME": home} if home else None)
    truth = settings.truth_dir / "identifiers.parquet"
    if not settings.build_file.exists() or not truth.exists():
        print(f"no built demo brand in {settings.brand_home}; run `make run` first")
        return 0
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        rows = connection.execute(_ACCOUNTS, {"truth": str(truth)}).fetchall()
        links = connection.execute("select account_id, node_id from intermediate.int_identifiers_linked").fetchall()
        groups = read_groups(connection)
        alone = [replace(g, group_id=a, member_number=None, account_ids=(a,)) for g in groups for a in g.account_ids]
        clock = time.perf_counter()
        by_splink = probable(connection, sorted(alone, key=lambda group: group.group_id), ALONE)
        on_top = {threshold: probable(connection, groups, PLAN, threshold) for threshold in (0.95, 0.999)}
        seconds = time.perf_counter() - clock
    person = {account: who for account, who, _ in rows}
    links = [(account, node) for account, node in links if account in person]
    found = {account: member for account, _, member in rows}

    def by_member(account: str, joined: Mapping[str, str]) -> str:
        first = first_of[found[account]]
        return joined.get(first, first)

    first_of: dict[str, str] = {}
    for account in sorted(found, key=lambda account: account not in by_splink):
        first_of.setdefault(found[account], account)
    # Whom the identifiers of one person connect: what is not connected so leaves no trace in any source.
    reachable = components(person, ((account, f"{node}|{person[account]}") for account, node in links))
    table = Table("accounts joined by", "precision", "recall, all pairs", "recall, linkable pairs")
    for name, groups in (
        ("One-ID by tiers", found),
        ("networkx, same links", components(person, links)),
        ("splink alone, from 0.95", {a: by_splink.get(a, a) for a in person}),
        *((f"One-ID, then splink from {t}", {a: by_member(a, joined) for a in person}) for t, joined in on_top.items()),
    ):
        precision, recall = scores(person, groups)
        linkable = scores({a: f"{person[a]}|{reachable[a]}" for a in person}, groups)[1]
        table.add_row(name, f"{precision:.5f}", f"{recall:.4f}", f"{linkable:.4f}")
    console = Console(width=120)
    console.print(
        f"{len(person):,} accounts of {len(set(person.values())):,} people; {len(set(found.values())):,} members"
    )
    console.print(table)
    console.print(f"splink: {seconds:.0f} s, three models")
    return 0


if __name__ == "__main__":
    sys.exit(main())
