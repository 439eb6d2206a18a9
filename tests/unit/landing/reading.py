"""Reading a lake as staging does: which batches are current, and which row of a key counts.

The same rule stands in dbt (stg_load_batches, macros/staging/versions.sql); tests/integration/test_modes.py compares the
two on the same lake.
"""

from __future__ import annotations

import pandas as pd

from orchestration.build_file import create_raw_views
from orchestration.settings import Settings
from orchestration.warehouse import scratch

TRUTH = """
    select landed.*
    from raw.{entity} as landed
    where batch_id in (select batch_id from raw.current_batches)
    qualify row_number() over (
        partition by source_system, {key}
        order by changed_at desc nulls last, change_sequence desc nulls last,
            loaded_at asc, batch_id asc, source_row_number asc nulls last
    ) = 1
"""


def staged(settings: Settings, entity: str, key: list[str], columns: list[str]) -> pd.DataFrame:
    """The rows of an entity that count, sorted by key: the key, `columns`, is_deleted and deleted_at."""
    with scratch() as connection:
        connection.execute("create schema config")
        connection.execute(
            "create table config.cleaning_rules (rule_code text, entity text, label_zh text, label_en text)"
        )
        create_raw_views(connection, settings.lake)
        listed = ", ".join([*key, *columns])
        found = connection.execute(
            f"""select {listed}, is_deleted, case when is_deleted then coalesce(changed_at, loaded_at) end as deleted_at
            from ({TRUTH.format(entity=entity, key=", ".join(key))}) order by {", ".join(key)}"""
        )
        names = [column[0] for column in found.description or []]
        return pd.DataFrame(found.fetchall(), columns=names)
