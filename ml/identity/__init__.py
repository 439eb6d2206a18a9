"""Who is probably one person: records to scored pairs, pairs to groups, and how right they are. Frames in, frames out.

What is certain is decided in dbt (`int_accounts_tier_*`); reading and writing belong in `orchestration.identity_candidates`.
"""
