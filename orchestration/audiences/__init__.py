"""Audiences as code: a rule in YAML, compiled to one SQL query, its members kept by date, compared and exported.

`grammar` reads rules, `catalogue` says what a brand's warehouse has to speak of, `definitions` finds a brand's audiences,
`compile` makes SQL, `membership` keeps who was in when, `overlap` compares, `export` writes files. Nothing here knows Dagster;
the asset is in `orchestration.defs.activation`, past days are rebuilt by `orchestration.audience_history`.
"""
