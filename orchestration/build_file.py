"""The private DuckDB file in which a brand's warehouse is built: what must stand in it before dbt can start.

Views over the lake (schema raw), the brand's configuration (config), and the tables that Python writes (ml, ops).
Whatever dbt builds belongs in dbt_project; opening the file belongs in `orchestration.warehouse`.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from orchestration import identity, reference_tables, tracking, warehouse
from orchestration.audiences.tables import TABLES as AUDIENCE_TABLES
from orchestration.brands import Brand
from orchestration.landing.contract import load_contract
from orchestration.landing.contract_tables import write_contract_tables
from orchestration.settings import Settings

SCORES = {
    "member_id": "varchar",
    "model_version": "varchar",
    "tier": "varchar",
    "horizon_days": "integer",
    "score": "double",
    "percentile": "double",
    "as_of_date": "date",
}
EVALUATIONS = {
    "model_name": "varchar",
    "model_version": "varchar",
    "candidate": "varchar",
    "split": "varchar",
    "verdict": "varchar",
    "horizon_days": "integer",
    "population_count": "bigint",
    "positive_count": "bigint",
    "base_rate": "double",
    "auc": "double",
    "auc_ci_low": "double",
    "auc_ci_high": "double",
    "average_precision": "double",
    "brier": "double",
    "brier_skill": "double",
    "log_loss": "double",
    "ece_10_equal_count": "double",
    "lift_at_10_percent": "double",
    "mean_score_over_base": "double",
    "is_champion": "boolean",
    "is_rule_beaten": "boolean",
    "is_leak_suspected": "boolean",
    "as_of_date": "date",
}
# Decisions about model versions: orchestration/model_registry.py.
REGISTRY = {
    "model_name": "varchar",
    "model_version": "varchar",
    "status": "varchar",
    "promoted_by": "varchar",
    "reason": "varchar",
    "data_hash": "varchar",
    "metrics": "varchar",
    "artifact_path": "varchar",
    "as_of_date": "date",
    "promoted_at": "timestamptz",
}
# ml.common.checks.CHECK_COLUMNS.
MONITORING = {
    "model_name": "varchar",
    "model_version": "varchar",
    "check_name": "varchar",
    "subject": "varchar",
    "value": "double",
    "threshold": "double",
    "is_ok": "boolean",
    "as_of_date": "date",
}
# What ml.segments gives, table by table (ml/segments/pipeline.py has the same names).
SEGMENT_MEMBERS = {
    "scheme": "varchar",
    "member_id": "varchar",
    "model_version": "varchar",
    "cluster_code": "varchar",
    "distance": "double",
    "as_of_date": "date",
}
SEGMENT_CARDS = {
    "scheme": "varchar",
    "model_version": "varchar",
    "cluster_code": "varchar",
    "label_zh": "varchar",
    "label_en": "varchar",
    "verdict": "varchar",
    "distinguished_by": "varchar",
    "member_count": "bigint",
    "cluster_count": "integer",
    "member_rate": "double",
    "silhouette": "double",
    "stability": "double",
    "is_published": "boolean",
    "as_of_date": "date",
}
SEGMENT_PROFILES = {
    "scheme": "varchar",
    "model_version": "varchar",
    "cluster_code": "varchar",
    "feature": "varchar",
    "cluster_mean": "double",
    "population_mean": "double",
    "z_score": "double",
    "as_of_date": "date",
}
GATE_RESULTS = {
    "run_id": "varchar",
    "gate": "varchar",
    "check_name": "varchar",
    "subject": "varchar",
    "severity": "varchar",
    "is_passed": "boolean",
    "observed": "varchar",
    "checked_at": "timestamptz",
}
# Tables that Python writes; created empty so that dbt and the first run find them.
PYTHON_TABLES = {
    "ml.churn_scores": SCORES,
    "ml.propensity_scores": SCORES,
    "ml.model_evaluations": EVALUATIONS,
    "ml.model_registry": REGISTRY,
    "ml.model_monitoring": MONITORING,
    "ml.segment_members": SEGMENT_MEMBERS,
    "ml.segment_cards": SEGMENT_CARDS,
    "ml.segment_profiles": SEGMENT_PROFILES,
    "ops.gate_results": GATE_RESULTS,
    **AUDIENCE_TABLES,
}

# Tables that grow run by run and that no lake can give again.
HISTORY = re.compile(
    r"tags\.(tags_[a-z]+_history|tag_versions|tag_distributions)|segments\.(fct_audience_members|agg_audience_days)"
    r"|ml\.(model_(registry|monitoring|evaluations)|[a-z]+_scores)"
)

_BATCH_COLUMNS = {
    "batch_id": "VARCHAR",
    "entity": "VARCHAR",
    "source_system": "VARCHAR",
    "source_file": "VARCHAR",
    "source_business_date": "DATE",
    "content_hash": "VARCHAR",
    "loaded_at": "TIMESTAMPTZ",
    "rows_in": "BIGINT",
    "rows_landed": "BIGINT",
    "rows_quarantined": "BIGINT",
    "cleaning_rule_hits": "MAP(VARCHAR, BIGINT)",
    "mode": "VARCHAR",
    "source_name": "VARCHAR",
    "snapshot_at": "TIMESTAMPTZ",
    "based_on": "VARCHAR",
    "rows_tombstoned": "BIGINT",
    "rows_carried": "BIGINT",
    "rows_unchanged": "BIGINT",
    "rows_not_of_entity": "BIGINT",
    "columns": "MAP(VARCHAR, VARCHAR)",
    "extra_columns": "VARCHAR[]",
    "drift": "JSON",
    "quarantine_reasons": "MAP(VARCHAR, BIGINT)",
    "max_event_at": "TIMESTAMPTZ",
    "arrived_at": "TIMESTAMPTZ",
    "replay_of": "VARCHAR",
}
# Columns that a manifest has in another form.
_BATCH_READ = {"arrived_at": ("file_mtime_ns", "BIGINT", "make_timestamptz(file_mtime_ns // 1000)")}
# What a manifest of the first version, which lacks these, stands for.
_BATCH_DEFAULTS = {
    "mode": "'incremental'",
    "source_name": "''",
    "rows_tombstoned": "0",
    "rows_carried": "0",
    "rows_unchanged": "0",
    "rows_not_of_entity": "0",
    "columns": "map([]::varchar[], []::varchar[])",
    "extra_columns": "[]",
    "drift": "'[]'",
    "quarantine_reasons": "map([]::varchar[], []::bigint[])",
}


# Batches whose rows count now; dbt's stg_load_batches says the same for any known_at. A file's newest batch counts, of a
# source that delivers snapshots the newest of each; of whole snapshots (mode full) the newest one. Rows that were replayed
# count until their file is landed again.
_CURRENT_BATCHES = """
    create or replace view raw.current_batches as
    with ranked as (
        select batch_id, entity, mode, replay_of, snapshot_at, loaded_at,
            row_number() over (
                partition by entity, source_system, source_file, snapshot_at order by loaded_at desc, batch_id desc
            ) = 1 as is_newest,
            first_value(snapshot_at is null) over (
                partition by entity, source_system, source_file order by loaded_at desc, batch_id desc
            ) as is_without_snapshot,
            row_number() over (
                partition by entity, source_system, source_name, mode
                order by snapshot_at desc nulls last, source_file desc, loaded_at desc, batch_id desc
            ) = 1 as is_newest_snapshot,
            max(case when replay_of is null then loaded_at end) over (
                partition by entity, source_system, split_part(source_file, '#replay-', 1)
            ) as file_loaded_at
        from raw.load_batches
    )
    select batch_id, entity from ranked
    where is_newest
        and (snapshot_at is null) = is_without_snapshot
        and (mode <> 'full' or is_newest_snapshot)
        and (replay_of is null or file_loaded_at is null or loaded_at > file_loaded_at)
"""


def _literal(path: Path) -> str:
    """A path as a SQL literal. Views and read functions take no parameters, so quotes are doubled here."""
    return "'" + str(path).replace("'", "''") + "'"


def _columns_sql(columns: dict[str, str]) -> str:
    return ", ".join(f'"{name}" {type_}' for name, type_ in columns.items())


def _empty_select(columns: dict[str, str]) -> str:
    fields = ", ".join(f'cast(null as {type_}) as "{name}"' for name, type_ in columns.items())
    return f"select {fields} where false"


def _view_type(type_: str) -> str:
    """JSON is handed on as text: the other engine has no such type."""
    return "VARCHAR" if type_ == "JSON" else type_


def create_raw_views(connection: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """One view per contract entity over the lake's Parquet files, and four over the batch manifests.

    An entity without files becomes an empty view of the contract's columns, so that every model always compiles; a
    column that the files of an older contract lack is null in them.
    """
    connection.execute("create schema if not exists raw")
    for entity in load_contract().values():
        folder = lake / "raw" / entity.name
        columns = dict(entity.duckdb_columns())
        if any(folder.glob("*.parquet")):
            fields = ", ".join(
                'coalesce("is_deleted", false) as "is_deleted"' if name == "is_deleted" else f'"{name}"'
                for name in columns
            )
            files = f"select * from read_parquet({_literal(folder / '*.parquet')}, union_by_name = true)"  # noqa: S608
            body = f"select {fields} from ({_empty_select(columns)} union all by name {files})"  # noqa: S608
        else:
            body = _empty_select(columns)
        connection.execute(f'create or replace view raw."{entity.name}" as {body}')
    manifests = lake / "batches"
    if any(manifests.glob("*.json")):
        read = {name: (name, type_, f'"{name}"') for name, type_ in _BATCH_COLUMNS.items()} | _BATCH_READ
        spec = "{" + ", ".join(f"{name}: '{type_}'" for name, type_, _ in read.values()) + "}"
        fields = ", ".join(
            f'cast(coalesce("{name}", {_BATCH_DEFAULTS[name]}) as {_view_type(type_)}) as "{name}"'
            if name in _BATCH_DEFAULTS
            else f'{read[name][2]} as "{name}"'
            for name, type_ in _BATCH_COLUMNS.items()
        )
        batches = f"select {fields} from read_json({_literal(manifests / '*.json')}, columns = {spec})"  # noqa: S608
    else:
        batches = _empty_select({name: _view_type(type_) for name, type_ in _BATCH_COLUMNS.items()})
    connection.execute(f"create or replace view raw.load_batches as {batches}")
    connection.execute(_CURRENT_BATCHES)
    connection.execute(
        """
        create or replace view raw.cleaning_rule_hits as
        with hits as (
            select batch_id, entity, unnest(map_entries(cleaning_rule_hits)) as hit from raw.load_batches
        )
        select hits.batch_id, hits.entity, hits.hit.key as rule_code, hits.hit.value as rows_touched,
            rules.label_zh, rules.label_en
        from hits
        left join config.cleaning_rules as rules on rules.rule_code = hits.hit.key and rules.entity = hits.entity
        """
    )
    connection.execute(
        """
        create or replace view raw.quarantine_reasons as
        with reasons as (
            select batch_id, entity, unnest(map_entries(quarantine_reasons)) as counted from raw.load_batches
        )
        select batch_id, entity, split_part(counted.key, ':', 1) as field, counted.key as reason,
            counted.value as row_count
        from reasons
        """
    )


def write_config(connection: duckdb.DuckDBPyConnection, brand: Brand) -> None:
    """config.brand_parameters and config.cleaning_rules, as the brand's YAML says now."""
    parameters = pd.DataFrame(sorted(brand.flat_parameters().items()), columns=["parameter_name", "parameter_value"])
    rules = pd.DataFrame(
        [
            (rule.code, rule.entity, rule.label_zh, rule.label_en)
            for source in brand.sources
            for rule in source.cleaning_rules
        ],
        columns=["rule_code", "entity", "label_zh", "label_en"],
        dtype="str",
    )
    connection.execute("create schema if not exists config")
    for name, frame in (("brand_parameters", parameters), ("cleaning_rules", rules)):
        columns = ", ".join(f"cast({column} as varchar) as {column}" for column in frame.columns)
        connection.register("frame_to_write", frame)
        rows = f"select distinct {columns} from frame_to_write order by all"  # noqa: S608  constant names
        connection.execute(f"create or replace table config.{name} as {rows}")
        connection.unregister("frame_to_write")


def create_python_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables that Python writes, with the columns of this version; rows of an older version are carried over.

    A column that is new is NULL in old rows, one that is gone is dropped with its values.
    """
    for table, columns in PYTHON_TABLES.items():
        schema, _, name = table.partition(".")
        connection.execute(f"create schema if not exists {schema}")
        found = connection.execute(
            "select column_name from information_schema.columns where table_schema = ? and table_name = ? order by ordinal_position",
            [schema, name],
        ).fetchall()
        present = [row[0] for row in found]
        if not present:
            connection.execute(f"create table {table} ({_columns_sql(columns)})")
        elif present != list(columns):
            fields = ", ".join(
                f"cast({_quoted(column) if column in present else 'null'} as {type_}) as {_quoted(column)}"
                for column, type_ in columns.items()
            )
            rows = f"select {fields} from {table}"  # noqa: S608  names of this module
            connection.execute(f"create or replace table {table} as {rows}")


def _quoted(identifier: str) -> str:
    return f'"{identifier}"'


def restore_history(connection: duckdb.DuckDBPyConnection, published: Path) -> list[str]:
    """Bring into a new build file what only earlier runs knew and is published; the names of the tables brought."""
    if not published.exists() or connection.execute("select count(*) from duckdb_tables()").fetchone() != (0,):
        return []
    connection.execute(f"attach {_literal(published)} as published (read_only)")
    try:
        found = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'published' order by 1, 2"
        ).fetchall()
        kept = [(schema, name) for schema, name in found if HISTORY.fullmatch(f"{schema}.{name}")]
        for schema, name in kept:
            connection.execute(f"create schema if not exists {warehouse.quoted(schema)}")
            path = f"{warehouse.quoted(schema)}.{warehouse.quoted(name)}"
            connection.execute(f"create table {path} as select * from published.{path}")  # noqa: S608, quoted
    finally:
        connection.execute("detach published")
    return [f"{schema}.{name}" for schema, name in kept]


def prepare(settings: Settings, brand: Brand) -> None:
    """Make the build file ready for dbt: configuration, raw views, Python's tables. Repeating it changes nothing."""
    with warehouse.writer(settings.build_file) as connection:
        restore_history(connection, settings.published_file)
        write_config(connection, brand)
        write_contract_tables(connection, brand)
        tracking.write_tracking_config(connection, brand)
        identity.write_identity_config(connection, brand)
        create_raw_views(connection, settings.lake)
        create_python_tables(connection)
        reference_tables.create_tables(connection)


def replace_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame, key: tuple[str, ...]) -> None:
    """Write `rows` to a Python table, in place of the rows that have one of the keys in them; all or nothing.

    Raises KeyError for a table that PYTHON_TABLES does not declare.
    """
    columns = PYTHON_TABLES[table]
    fields = ", ".join(f'cast("{name}" as {type_}) as "{name}"' for name, type_ in columns.items())
    match = " and ".join(f'{table}."{name}" is not distinct from incoming."{name}"' for name in key)
    connection.register("rows_to_write", rows)
    try:
        connection.execute("begin")
        connection.execute(f"create or replace temp table incoming as select {fields} from rows_to_write")  # noqa: S608
        connection.execute(f"delete from {table} where exists (select 1 from incoming where {match})")  # noqa: S608
        connection.execute(f"insert into {table} select * from incoming order by all")  # noqa: S608
        connection.execute("commit")
    except Exception:
        connection.execute("rollback")
        raise
    finally:
        connection.unregister("rows_to_write")


def replace_cut(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: pd.DataFrame,
    as_of_date: date,
    model_name: str | None = None,
) -> None:
    """Write `rows` to a Python table in place of all rows of this cut, also where there are none to write; all or nothing.

    With `model_name` the rows of other models stay. Raises KeyError for a table that PYTHON_TABLES does not declare.
    """
    fields = ", ".join(f'cast("{name}" as {type_}) as "{name}"' for name, type_ in PYTHON_TABLES[table].items())
    connection.register("rows_to_write", rows)
    try:
        connection.execute("begin")
        of_model, values = (
            ("", [as_of_date]) if model_name is None else (" and model_name = ?", [as_of_date, model_name])
        )
        connection.execute(f"delete from {table} where as_of_date = ?{of_model}", values)  # noqa: S608  names of this module
        connection.execute(f"insert into {table} select {fields} from rows_to_write order by all")  # noqa: S608
        connection.execute("commit")
    except Exception:
        connection.execute("rollback")
        raise
    finally:
        connection.unregister("rows_to_write")
