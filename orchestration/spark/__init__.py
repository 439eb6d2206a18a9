"""The same dbt models on Spark: a local cluster (`cluster`), what it reads (`sources`), and how it compares with DuckDB (`parity`)."""
