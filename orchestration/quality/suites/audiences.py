"""gate_audiences: dated membership is whole and agrees with what is counted of it, before anybody is addressed."""

from __future__ import annotations

from orchestration.quality.suite import Suite
from orchestration.quality.suites.expect import equal_columns, not_null, row_count, zero

GATE = "gate_audiences"

MEMBERS = Suite(
    gate=GATE,
    subject=("segments", "fct_audience_members"),
    name="stays",
    description="Stays run forwards, do not meet or overlap, and begin and end on days that were worked out.",
    sql="""
        with stays as (
            select *, lead(valid_from) over (partition by audience_id, member_id order by valid_from nulls last) as next_from,
                lead(rule_version) over (partition by audience_id, member_id order by valid_from nulls last) as next_version
            from segments.fct_audience_members
        )
        select
            (select count(*) from stays where valid_to <= valid_from) as backward_stay_count,
            (select count(*) from stays where next_from < coalesce(valid_to, date '9999-12-31')) as overlapping_stay_count,
            (select count(*) from stays where next_from = valid_to and next_version = rule_version) as unjoined_stay_count,
            (select count(*) from stays where not exists (select 1 from segments.agg_audience_days as days
                where days.audience_id = stays.audience_id and days.as_of_date = stays.valid_from)) as undated_stay_count,
            (select count(*) from stays where valid_to is null and member_id not in (select member_id from marts.dim_members))
                as unknown_member_count
    """,
    expectations=(
        zero("backward_stay_count", "a stay ends after it began"),
        zero("overlapping_stay_count", "nobody is in an audience twice at once"),
        zero("unjoined_stay_count", "a stay under one rule is one row"),
        zero("undated_stay_count", "a stay begins on a day that was worked out"),
        zero("unknown_member_count", "whoever is in is a member"),
    ),
)

DAYS = Suite(
    gate=GATE,
    subject=("segments", "agg_audience_days"),
    name="agreement",
    description="Counts of every day are counts of the dated table, and stock = stock before + entries - exits.",
    sql="""
        with days as (
            select *, lag(member_count, 1, 0) over (partition by audience_id order by as_of_date nulls last) as count_before
            from segments.agg_audience_days
        ),
        events as (
            select audience_id, valid_from as as_of_date, 1 as change from segments.fct_audience_members
            union all
            select audience_id, valid_to, -1 from segments.fct_audience_members where valid_to is not null
        ),
        stocks as (
            select days.audience_id, days.as_of_date, coalesce(sum(events.change), 0) as member_count
            from days left join events on days.audience_id = events.audience_id and events.as_of_date <= days.as_of_date
            group by days.audience_id, days.as_of_date
        )
        select
            count(*) filter (where days.member_count <> stocks.member_count) as miscounted_day_count,
            count(*) filter (where days.member_count <> days.count_before + days.entry_count - days.exit_count) as unbalanced_day_count,
            count(*) filter (where days.member_count > days.population_count) as overfull_day_count,
            count(*) filter (where days.status <> 'ready' and days.member_count > 0) as unfounded_day_count
        from days inner join stocks on days.audience_id = stocks.audience_id and days.as_of_date = stocks.as_of_date
    """,
    expectations=(
        zero("miscounted_day_count", "the members of a day are those of the dated table"),
        zero("unbalanced_day_count", "members = members before + entries - exits"),
        zero("overfull_day_count", "an audience holds no more members than there are"),
        zero("unfounded_day_count", "nobody is in an audience that was not worked out"),
    ),
)

CATALOGUE = Suite(
    gate=GATE,
    subject=("segments", "audience_catalogue"),
    name="agreement",
    description="Every audience is labelled in both languages, and its size is that of the dated table on that day.",
    sql="""
        select told.audience_id, told.label_zh, told.label_en, told.member_count,
            count(stays.member_id) as dated_member_count
        from segments.audience_catalogue as told
        left join segments.fct_audience_members as stays
            on told.audience_id = stays.audience_id and stays.valid_from <= told.as_of_date
            and (stays.valid_to is null or stays.valid_to > told.as_of_date)
        group by all
    """,
    expectations=(
        row_count(1, None, "the pack is there"),
        not_null("label_zh", "a Chinese label"),
        not_null("label_en", "an English label"),
        equal_columns("member_count", "dated_member_count", "the catalogue's size = members of the dated table"),
    ),
)

CONTACTS = Suite(
    gate=GATE,
    subject=("segments", "audience_contacts"),
    name="exclusive",
    description="A member has one audience of a group at most, and is in it.",
    sql="""
        select
            (select count(*) - count(distinct (member_id, exclusive_group)) from segments.audience_contacts) as repeated_contact_count,
            (select count(*) from segments.audience_contacts as contacts where not exists (
                select 1 from segments.fct_audience_members as stays
                where stays.audience_id = contacts.audience_id and stays.member_id = contacts.member_id
                    and stays.valid_from <= contacts.as_of_date
                    and (stays.valid_to is null or stays.valid_to > contacts.as_of_date))) as unfounded_contact_count
    """,
    expectations=(
        zero("repeated_contact_count", "one audience a member and group"),
        zero("unfounded_contact_count", "the audience that may address a member has the member"),
    ),
)

SUITES = (MEMBERS, DAYS, CATALOGUE, CONTACTS)
