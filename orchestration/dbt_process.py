"""dbt's command line, but for one thing: where the build file lies does not make it parse the project again.

dbt keeps a hash of everything about the connection that Jinja may read, the file's path among it, and parses all anew when it
changes: eight seconds at the first run of every brand, of every rebuild of the past, of every home. No model or macro reads the path.
Run as `python -m orchestration.dbt_process <arguments of dbt>`.
"""

from __future__ import annotations

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.cli.main import cli

_ALL_KEYS = DuckDBCredentials._connection_keys


def _keys_but_path(credentials: DuckDBCredentials) -> tuple[str, ...]:
    return tuple(key for key in _ALL_KEYS(credentials) if key != "path")


if __name__ == "__main__":
    DuckDBCredentials._connection_keys = _keys_but_path  # pyright: ignore[reportAttributeAccessIssue]
    cli()
