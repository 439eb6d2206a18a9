"""Stand-ins for dbt's and the project's macros, so that sqlfluff can render models without dbt and without a database.

Each returns SQL of the same shape as its macro in `dbt_project/macros`; a new macro that models call gets a line here.
What a macro really does belongs there, and is tested by dbt's unit tests.
"""

from types import SimpleNamespace
from typing import Any

dbt = SimpleNamespace(
    type_string=lambda: "varchar",
    dateadd=lambda part, interval, start: f"{start} + {interval}",
    date_trunc=lambda part, value: f"date_trunc('{part}', {value})",
)


def _expression(name: str) -> Any:
    """A macro that becomes a function call on its first argument."""
    return lambda *args: f"{name}({args[0]})"


business_date = _expression("business_date")
business_day_start = _expression("business_day_start")
money = _expression("money")
entity_id = _expression("entity_id")
account_id = _expression("account_id")
newest_value = _expression("max")
money_per = _expression("money_per")


def ratio(numerator: str, denominator: str) -> str:
    return f"({numerator}) / ({denominator})"


def add_days(date_expression: str, days: object) -> str:
    return f"add_days({date_expression}, 1)"


def days_between(first_date: str, second_date: str) -> str:
    return f"days_between({first_date}, {second_date})"


def type_instant() -> str:
    return "timestamptz"


def integers(n: object) -> str:
    return "(select 0 as n)"


def text_literal(value: object) -> str:
    return "'text'"


def known_at() -> str:
    return "2024-01-01 00:00:00+00"


def requested_as_of_date() -> str:
    return ""


def brand_as_of_clock() -> str:
    return "latest_fact"


def brand_churn_horizon_days() -> int:
    return 60


def brand_purchase_horizon_days() -> int:
    return 30


def brand_has_orders() -> bool:
    return True


def is_within_calendar(date_expression: str) -> str:
    return f"coalesce({date_expression} >= cast('2024-01-01' as date), false)"


brand_bot_events_per_minute = brand_bot_events_per_day = brand_purchase_horizon_days
brand_rfm_window_days = brand_training_cut_count = brand_training_cut_step_days = brand_purchase_horizon_days


# macros/segments
brand_lifecycle_new_days = brand_lifecycle_active_days = brand_lifecycle_dormant_days = brand_purchase_horizon_days
brand_lifecycle_returned_days = brand_lifecycle_loyal_purchase_days = brand_purchase_horizon_days
brand_lifecycle_loyal_window_days = brand_lifecycle_category_min_gaps = brand_purchase_horizon_days
brand_rfm_high_score = brand_value_high_rate = brand_journey_window_days = brand_purchase_horizon_days
brand_aipl_aware_days = brand_aipl_interest_days = brand_aipl_purchase_days = brand_purchase_horizon_days
brand_aipl_loyal_window_days = brand_aipl_loyal_purchase_days = brand_aipl_positive_rating = brand_purchase_horizon_days
brand_aipl_flow_days = brand_fast_active_days = brand_purchase_horizon_days


def brand_rfm_migration_days() -> list[int]:
    return [30, 90]


brand_rfm_recency_limits = brand_rfm_frequency_limits = brand_rfm_monetary_limits = brand_rfm_migration_days


def score_from(expression: str, limits: list[int]) -> str:
    return f"score({expression})"


score_up_to = score_from


def rfm_tier_of(is_recent: str, is_frequent: str, is_high_spend: str) -> str:
    return f"case when {is_recent} and {is_frequent} and {is_high_spend} then 'champion' end"


def segment_label(scheme: str, expression: str, language: str) -> str:
    return f"label({expression})"


def segment_position(scheme: str, expression: str) -> str:
    return f"height({expression})"


def segment_codes(scheme: str) -> str:
    return "(select 'none' as code)"


def journey_steps() -> list[str]:
    return ["search", "view"]


journey_step = _expression("step")


def order_keyed_materialization() -> str:
    return "incremental"


def touched_orders(relation: object) -> str:
    return "select order_id from touched_orders"


touched_purchases = touched_orders


def changed_behaviour_dates(relation: object) -> str:
    return "select business_date from touched_dates"


def has_reflagged_members(relation: object) -> bool:
    return True


def touched_business_dates(relation: object) -> str:
    return "select business_date from touched_dates"


def _family(code: str) -> Any:
    return lambda: SimpleNamespace(code=code, label_zh="标签", label_en="label", source="facts", subject="member")


tag_family_base = _family("base")
tag_family_transaction = _family("transaction")
tag_family_rhythm = _family("rhythm")
tag_family_category = _family("category")
tag_family_behaviour = _family("behaviour")
tag_family_content = _family("content")
tag_family_social = _family("social")
tag_family_channel = _family("channel")
tag_family_promotion = _family("promotion")
tag_family_loyalty = _family("loyalty")
tag_family_service = _family("service")
tag_family_lifecycle = _family("lifecycle")
tag_family_prediction = _family("prediction")


def tag_families() -> list[Any]:
    return [tag_family_transaction(), tag_family_lifecycle()]


class _Tag(dict[str, Any]):
    """A tag as the models read it: `tag.code` and `tag['values']`."""

    __getattr__ = dict.__getitem__


def compile_tags(family: Any) -> list[_Tag]:
    value = _Tag(code="high", label_zh="高", label_en="high")
    names = (
        "label_zh",
        "label_en",
        "kind",
        "type",
        "unit",
        "goal",
        "sql",
        "owner",
        "pii_class",
        "refresh",
        "drift",
        "declaration",
    )
    rest = {name: name for name in names} | {
        "window_days": None, "half_life_days": None, "item": None, "expires": None, "version": 1, "values": [value],
        "allowed_uses": ["analysis"], "is_supplied": True, "family": family.code,
    }  # fmt: skip
    return [_Tag(code=f"{family.code}_{number}", **rest) for number in ("first", "second")]


def all_tags() -> list[_Tag]:
    return [tag for family in tag_families() for tag in compile_tags(family)]


def tag_expressions(tags: list[_Tag]) -> str:
    return "".join(f"\n        max({tag.code}) as {tag.code}," for tag in tags)


def tag_columns(tags: list[_Tag], relation: str) -> str:
    return "".join(f"\n        {relation}.{tag.code}," for tag in tags)


def tag_source_columns(family: Any, tag: _Tag, tags: list[_Tag]) -> list[str]:
    return ["fct_orders.order_id"]


def tag_rule(tag: _Tag) -> str:
    return tag.sql


def tag_text(tag: _Tag, relation: str) -> str:
    return f"cast({relation}.{tag.code} as varchar)"


def tag_bin_kind(tag: _Tag) -> str:
    return "number"


def tag_binned_number(tag: _Tag) -> str:
    return f"cast({tag.code} as double)"


def tag_binned_word(tag: _Tag) -> str:
    return "cast(null as varchar)"


def value_bin(bin_kind: str, number: str, word: str) -> str:
    return f"coalesce({word}, cast({number} as varchar))"


def tag_number(tag: _Tag) -> str:
    return f"cast({tag.code} as double)"


def tags_differ(tags: list[_Tag], current_tags: str, kept: str, known_columns: list[str]) -> str:
    return f"{current_tags}.{tags[0].code} is distinct from {kept}.{tags[0].code}"


def kept_columns() -> list[str]:
    return []


def local_md5(text: str) -> str:
    return "d41d8cd98f00b204e9800998ecf8427e"


daypart = _expression("daypart")
client_of = _expression("client_of")
local_hour = _expression("local_hour")
weekday_number = _expression("weekday_number")
window_edge = _expression("window_edge")


def is_product_interaction(events: str) -> str:
    return f"{events}.product_id is not null"


# ---- staging: each step of standardising is a macro that becomes a call


def newest_versions(entity: str, key: list[str], is_large: bool = False) -> str:
    return "select * from raw.landed"


def newest_first(rows: str) -> str:
    return f"order by {rows}.changed_at desc nulls last"


def tombstone_key(row: str, key: str) -> str:
    return f"case when {row}.source_row_number is null then {key} else '' end"


def cuts_asked_for() -> list[str]:
    return []


def has_open_rows(relation: object, entity: str) -> bool:
    return True


def is_in_window(business_date: str) -> str:
    return f"{business_date} = current_date"


def is_deleted_flag() -> str:
    return "coalesce(is_deleted, false) as is_deleted"


def deleted_at() -> str:
    return "changed_at as deleted_at"


def composite_id(parts: list[str]) -> str:
    return f"md5({parts[0]})"


def identifier_hash(standard_type: str, standard_value: str) -> str:
    return f"sha256({standard_value})"


def standardising_rules_relation() -> str:
    return "(select 'missing' as rule_code, 'missing' as outcome, '' as label_zh, '' as label_en)"


def province_words() -> str:
    return "(select '11' as region_word, '110000' as province_code, '北京市' as province_name)"


anonymous_id = _expression("anonymous_id")
instant_microseconds = _expression("instant_microseconds")
is_bot = _expression("is_bot")
phone_text = _expression("phone_text")
phone_rule = _expression("phone_rule")
standard_phone = _expression("standard_phone")
email_text = _expression("email_text")
email_rule = _expression("email_rule")
standard_email = _expression("standard_email")
word_text = _expression("word_text")
gender_rule = _expression("gender_rule")
standard_gender = _expression("standard_gender")
birthday_text = _expression("birthday_text")
birthday_iso = _expression("birthday_iso")
birthday_rule = _expression("birthday_rule")
standard_birthday = _expression("standard_birthday")
account_flag = _expression("account_flag")
account_rule = _expression("account_rule")
region_text = _expression("region_text")
region_rule = _expression("region_rule")
region_word = _expression("region_word")
identifier_text = _expression("identifier_text")
identifier_rule = _expression("identifier_rule")
standard_identifier = _expression("standard_identifier")
standard_identifier_type = _expression("standard_identifier_type")


def planned_property_names() -> list[SimpleNamespace]:
    return [SimpleNamespace(name="scene", is_contract_field=False)]


def event_property(item: object) -> str:
    return "properties"


def brand_tracking_window_days() -> int:
    return 90


# macros/money
cents = _expression("cents")
money_of_cents = _expression("money_of_cents")
share_floor = share_remainder = _expression("share")


def applied_rate(currency_code: str, exchange_rate: str) -> str:
    return f"coalesce({exchange_rate}, {currency_code})"


def signed_share() -> str:
    return "floor_cents"


def ledger_order_id() -> str:
    return "original_order_id"


def brand_currency_code() -> str:
    return "CNY"


def rates_of(relation: str, date: str) -> str:
    return "select currency_code, rated_date, exchange_rate, rate_date from dated_rates"


def matched_orders(relation: str) -> str:
    return "select order_id, matched_order_id from known_orders"


def matched_products(relation: str) -> str:
    return "select product_id, matched_product_id from known_products"


key_of_id = _expression("key_of_id")
sha256_hex = _expression("sha256")
origin_of = _expression("origin_of")
last_known = _expression("last_known")


def identity_tiers() -> list[int]:
    return [1, 2]


def identity_rounds() -> int:
    return 2


def identity_tier(tier: int, clusters: str) -> str:
    return "select account_id, cluster_id, is_settled from int_accounts_numbered"


def brand_identity_lookback_days() -> int:
    return 365


def column_watermark(relation: str, column: str) -> str:
    return "1970-01-01 00:00:00+00"


def is_visit_of(events: str, visitors: str, instant: str = "event_at") -> str:
    return f"{events}.anonymous_id = {visitors}.anonymous_id"


# macros/incremental/visits.sql
visit_id = _expression("visit_id")
seconds_of = _expression("seconds_of")


def brand_session_gap_minutes() -> int:
    return 30


def session_gap_microseconds() -> int:
    return 1_800_000_000


def visitor_id(events: str) -> str:
    return f"coalesce({events}.anonymous_id, {events}.account_id)"


def is_of_a_visit(events: str) -> str:
    return f"{events}.is_behaviour"


def visits_of_sessions() -> str:
    return "select visit_id, session_id from int_visits_dated"


def counts_for_a_member(facts: str) -> str:
    return f"{facts}.member_id is not null"


def is_missing_member_day(facts: str) -> str:
    return f"{facts}.business_date is not null"
