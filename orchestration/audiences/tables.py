"""Columns of the tables that audiences are kept in. Writing them belongs in `membership` and `overlap`."""

from __future__ import annotations

MEMBERS = "segments.fct_audience_members"
DAYS = "segments.agg_audience_days"
CATALOGUE = "segments.audience_catalogue"
OVERLAPS = "segments.audience_overlaps"
CONTACTS = "segments.audience_contacts"

TABLES = {
    MEMBERS: {
        "audience_id": "varchar",
        "member_id": "varchar",
        "rule_version": "varchar",
        "valid_from": "date",
        "valid_to": "date",
    },
    DAYS: {
        "audience_id": "varchar",
        "rule_version": "varchar",
        "status": "varchar",
        "member_count": "bigint",
        "entry_count": "bigint",
        "exit_count": "bigint",
        "population_count": "bigint",
        "is_rule_changed": "boolean",
        "as_of_date": "date",
    },
    CATALOGUE: {
        "audience_id": "varchar",
        "label_zh": "varchar",
        "label_en": "varchar",
        "goal": "varchar",
        "owner": "varchar",
        "allowed_uses": "varchar",
        "exclusive_group": "varchar",
        "origin": "varchar",
        "source": "varchar",
        "rule": "varchar",
        "rule_version": "varchar",
        "status": "varchar",
        "missing": "varchar",
        "priority": "integer",
        "member_count": "bigint",
        "population_count": "bigint",
        "entry_count": "bigint",
        "exit_count": "bigint",
        "member_rate": "double",
        "expires_date": "date",
        "as_of_date": "date",
    },
    OVERLAPS: {
        "audience_id": "varchar",
        "other_audience_id": "varchar",
        "member_count": "bigint",
        "other_member_count": "bigint",
        "both_member_count": "bigint",
        "jaccard_rate": "double",
        "contained_rate": "double",
        "as_of_date": "date",
    },
    CONTACTS: {
        "member_id": "varchar",
        "exclusive_group": "varchar",
        "audience_id": "varchar",
        "priority": "integer",
        "competing_audience_count": "integer",
        "as_of_date": "date",
    },
}

DESCRIPTIONS = {
    MEMBERS: "One row per audience, member and stay: in from valid_from until before valid_to; NULL is until now.",
    DAYS: "One row per audience and as_of_date that was worked out: members, entries and exits, counted in fct_audience_members.",
    CATALOGUE: "One row per audience: labels 中文/English, rule, state, and size as of as_of_date.",
    OVERLAPS: "One row per ordered pair of audiences with members: how many are in both, as of as_of_date.",
    CONTACTS: "One row per member and exclusive group: the one audience, the first by priority, that may address the member.",
}
