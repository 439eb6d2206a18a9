"""Run SQL statements on a Thrift server: a program for the Spark environment's Python, which has PyHive.

Standard input is a JSON list of statements, the argument is the server's port on loopback. It imports nothing of Tessera, which
that environment does not have; what the statements say belongs in `orchestration.spark.sources`.
"""

from __future__ import annotations

import json
import sys


def main() -> int:
    """Run the statements in order. Exit code 1 and the statement's beginning when one fails."""
    from pyhive import hive  # pyright: ignore[reportMissingImports]  only the other environment has it

    connection = hive.connect(host="127.0.0.1", port=int(sys.argv[1]))
    cursor = connection.cursor()
    for statement in json.load(sys.stdin):
        try:
            cursor.execute(statement)
        except hive.OperationalError as error:
            status = getattr(error.args[0], "status", None)
            reason = status.errorMessage if status else str(error)
            print(f"{statement[:200]}\n{reason.splitlines()[0]}", file=sys.stderr)
            return 1
    connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
