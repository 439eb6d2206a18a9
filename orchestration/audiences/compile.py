"""Rules to one SQL query: every audience of a brand in one pass over members, events and orders.

Each condition becomes one boolean column that is never NULL, each audience an expression over these columns. Values that a
rule's author wrote go in as parameters, never as text; names of columns come from the catalogue. What a rule means is in
docs/audiences.md; reading it belongs in `grammar`, keeping what comes of it in `membership`.
"""

# ruff: noqa: S608 (names are this module's own or the catalogue's, quoted; every value is a parameter)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.audiences import grammar
from orchestration.audiences.catalogue import INSTANT, SCORES, Catalogue
from orchestration.warehouse import quoted

SAMPLE_BUCKETS = 2**32  # the first 32 bits of md5(seed:member_id) say where a member stands in a sample


@dataclass(frozen=True)
class Clock:
    """The exclusive cut: the first business date that is not known, in the brand's zone."""

    as_of_date: date
    zone: str = "Asia/Shanghai"
    day_start_minutes: int = 0

    def starts_at(self, day: date) -> datetime:
        """The instant a business date begins."""
        return datetime.combine(day, time(), ZoneInfo(self.zone)) + timedelta(minutes=self.day_start_minutes)

    def days_before(self, days: int) -> date:
        return self.as_of_date - timedelta(days=days)


@dataclass(frozen=True)
class Query:
    sql: str
    parameters: dict[str, Any]


def membership_query(rules: Mapping[str, grammar.Node], catalogue: Catalogue, clock: Clock) -> Query:
    """(audience_id, member_id) of every audience. `rules` are resolved: they name no other audience."""
    compiler = _Compiler(catalogue, clock)
    columns = {audience: compiler.condition(rule) for audience, rule in rules.items()}
    items = [f"case when {sql} then {compiler.parameter(audience)} end" for audience, sql in columns.items()]
    # NULLs of audiences a member is not in are dropped after unnesting: one pass, however many audiences there are.
    body = (
        "select audience_id, member_id from (\n"
        f"    select member_id, unnest([{', '.join(items) or 'cast(null as varchar)'}]) as audience_id from conditions\n"
        ") where audience_id is not null"
    )
    return compiler.query(body)


def population_query(clock: Clock) -> Query:
    """How many members there are to choose from."""
    compiler = _Compiler(None, clock)
    return compiler.query("select count(*) from conditions")


def condition_query(nodes: list[grammar.Node], catalogue: Catalogue, clock: Clock, member_id: str) -> Query:
    """For one member: a boolean per node, then the value of each value that the nodes compare (see `shown_values`)."""
    compiler = _Compiler(catalogue, clock)
    columns = [compiler.condition(node) for node in nodes]
    columns += [f"cast({compiler.value(value)} as varchar)" for value in shown_values(nodes)]
    body = f"select {', '.join(columns)} from conditions where member_id = {compiler.parameter(member_id)}"
    return compiler.query(body)


def shown_values(nodes: list[grammar.Node]) -> list[grammar.Value]:
    return list(dict.fromkeys(value for node in nodes for value, _ in grammar.values(node)))


class _Compiler:
    """Gathers what the conditions need, so that each table is read once however many rules ask it."""

    def __init__(self, catalogue: Catalogue | None, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._parameters: dict[str, Any] = {}
        self._parameter_of: dict[tuple[str, Any], str] = {}
        self._values: dict[grammar.Value, str] = {}  # -> column of `members`
        self._measures: dict[tuple[str, str], tuple[str, str]] = {}  # (scan, aggregate) -> (scan, column)
        self._scan_filters: dict[str, dict[str, None]] = {}
        self._sequences: list[str] = []
        self._leaves: dict[grammar.Node, str] = {}  # -> column of `asked`
        self._leaf_sql: dict[str, str] = {}
        self._ranked: dict[grammar.TopPercent, str] = {}  # -> column of `conditions`
        self._ranked_sql: dict[str, str] = {}
        self._names = 0

    # ---- conditions ----

    def condition(self, node: grammar.Node) -> str:
        """A boolean over the columns of `conditions`."""
        if isinstance(node, grammar.AllOf):
            return "(" + " and ".join(self.condition(part) for part in node.parts) + ")"
        if isinstance(node, grammar.AnyOf):
            return "(" + " or ".join(self.condition(part) for part in node.parts) + ")"
        if isinstance(node, grammar.Not):
            return f"(not {self.condition(node.part)})"
        if isinstance(node, grammar.TopPercent):
            return self._top_percent(node)
        if isinstance(node, grammar.Reference):
            raise ValueError(f"{node.audience_id} is not resolved")
        if node not in self._leaves:
            sql = self._leaf(node)
            self._leaves[node] = self._name("leaf")
            self._leaf_sql[self._leaves[node]] = sql
        return self._leaves[node]

    def _leaf(self, node: grammar.Node) -> str:
        if isinstance(node, grammar.Compared):
            column = self.value(node.value)
            kind = self._kind(node.value)
            return " and ".join(f"coalesce({self._test(column, test, kind)}, false)" for test in node.tests)
        if isinstance(node, grammar.Counted):
            return self._counted(node)
        if isinstance(node, grammar.Sequence):
            return self._sequence(node)
        if isinstance(node, grammar.Sample):
            threshold = self.parameter(round(node.percent / 100 * SAMPLE_BUCKETS))
            text = f"{self.parameter(node.seed)} || ':' || member_id"
            return f"cast('0x' || substr(md5({text}), 1, 8) as ubigint) < {threshold}"
        raise TypeError(type(node).__name__)

    def _kind(self, value: grammar.Value) -> str:
        column = self._catalogue.column_of(value) if self._catalogue else None
        if column is None:
            raise ValueError(f"{value.source} {value.name} is not in the catalogue; check the rule first")
        return column.kind

    def _test(self, column: str, test: grammar.Test, kind: str) -> str:
        operator, value = test.operator, test.value
        if operator == "is_known":
            return f"{column} is not null"
        if operator == "is_unknown":
            return f"{column} is null"
        if isinstance(value, tuple):
            items = [self.parameter(item) for item in value]
            if operator == "between":
                return f"{column} between {items[0]} and {items[1]}"
            if operator == "contains_any":
                return f"list_has_any({column}, [{', '.join(items)}])"
            return f"{column} {'in' if operator == 'in' else 'not in'} ({', '.join(items)})"
        if operator in grammar.DATED:
            days = value if isinstance(value, int) else 0
            start = self._moment(self._clock.days_before(days), kind)
            if operator == "in_last_days":
                return f"{column} >= {start} and {column} < {self._moment(self._clock.as_of_date, kind)}"
            return f"{column} < {start}"
        if operator == "contains":
            return f"list_contains({column}, {self.parameter(value)})"
        signs = {"is": "=", "is_not": "<>", "at_least": ">=", "at_most": "<=", "more_than": ">", "less_than": "<"}
        return f"{column} {signs[operator]} {self.parameter(value)}"

    def _moment(self, day: date, kind: str) -> str:
        return self.parameter(self._clock.starts_at(day) if kind == INSTANT else day)

    def _top_percent(self, node: grammar.TopPercent) -> str:
        if node not in self._ranked:
            column = self.value(node.value)
            base = f"({column} is not null" + (f" and {self.condition(node.among)}" if node.among else "") + ")"
            # ceil in whole numbers: 10 % of 30 are 3, though 30 * 0.1 is a little more as a double.
            parts = self.parameter(round(node.percent * 10_000))
            places = f"((count(*) over (partition by {base}) * {parts} + 999999) // 1000000)"
            window = f"over (partition by {base} order by {column} desc nulls last"
            place = {
                "in": f"rank() {window})",
                # The last of those who share a value decides: all of them fit, or none is in.
                "out": f"count(*) {window} range between unbounded preceding and current row)",
                "by_member_id": f"row_number() {window}, member_id asc nulls last)",
            }[node.ties]
            self._ranked[node] = self._name("top")
            self._ranked_sql[self._ranked[node]] = f"{base} and {place} <= {places}"
        return self._ranked[node]

    # ---- facts ----

    def _counted(self, node: grammar.Counted) -> str:
        by_line = any(name in grammar.LINE_FILTERS for name, _ in node.fact.filters) and node.fact.kind == "order"
        scan = "events_counted" if node.fact.kind == "event" else "lines_counted" if by_line else "orders_counted"
        matches = self._matches(node.fact, node.window)
        self._scan_filters.setdefault(scan, {})[matches] = None
        tests = []
        for measure, measure_tests in node.measures:
            aggregate = {
                "count": "count(distinct facts.order_id)" if by_line else "count(*)",
                "days": "count(distinct facts.business_date)",
                "amount": "sum(facts.gross_amount)",
            }[measure]
            column = self._measure(scan, f"{aggregate} filter (where {matches})")
            tests += [self._test(f"coalesce({column}, 0)", test, "number") for test in measure_tests]
        return " and ".join(f"({test})" for test in tests)

    def _measure(self, scan: str, aggregate: str) -> str:
        key = (scan, aggregate)
        if key not in self._measures:
            self._measures[key] = (scan, self._name("measure"))
        return self._measures[key][1]

    def _matches(self, fact: grammar.Fact, window: grammar.Window) -> str:
        parts = []
        if fact.kind == "event":
            is_any = fact.name == grammar.ANY_EVENT
            parts.append("facts.is_behaviour" if is_any else f"facts.event_name = {self.parameter(fact.name)}")
        if window.newest > 1:
            parts.append(f"facts.business_date <= {self.parameter(self._clock.days_before(window.newest))}")
        if window.oldest is not None:
            parts.append(f"facts.business_date >= {self.parameter(self._clock.days_before(window.oldest))}")
        for name, items in fact.filters:
            parts.append(self._filter(name, items, fact.kind))
        # Never NULL: a product without a launch date must not make a condition unknown.
        return " and ".join(f"coalesce({part}, false)" for part in parts) or "true"

    def _filter(self, name: str, items: tuple[grammar.Scalar, ...], kind: str) -> str:
        if name == "launched_within_days":
            age = "date_diff('day', products.launch_date, facts.business_date)"
            return f"{age} >= 0 and {age} < {self.parameter(items[0])}"
        if name == "has_coupon":
            return f"facts.has_coupon = {self.parameter(items[0])}"
        among = "(" + ", ".join(self.parameter(item) for item in items) + ")"
        if name == "category":
            columns = [f"products.category_l{level}_{part}" for level in (1, 2, 3) for part in ("code", "name")]
            columns += ["facts.category_code"] if kind == "event" else []
            return "(" + " or ".join(f"coalesce({column} in {among}, false)" for column in columns) + ")"
        column = {
            "product": "products.product_code",
            "channel": "facts.channel",
            "platform": "facts.platform",
            "page": "facts.page_name",
            "store": "facts.store_code",
            "system": "facts.source_system",
        }[name]
        return f"{column} in {among}"

    def _facts(self, scan: str) -> str:
        """Facts of members before the cut; robots and colleagues are nobody's behaviour."""
        cut = self.parameter(self._clock.as_of_date)
        product = "left join marts.dim_products as products on facts.product_id = products.product_id"
        if scan == "events_counted":
            return (
                f"from marts.fct_events as facts {product} where facts.member_id is not null "
                "and not coalesce(facts.is_bot, false) and not coalesce(facts.is_internal, false) "
                f"and facts.business_date < {cut}"
            )
        valid = f"where facts.member_id is not null and facts.is_valid and facts.business_date < {cut}"
        if scan == "orders_counted":
            return f"from marts.fct_orders as facts {valid}"
        # An order's lines with what the order says: void lines and lines that are no sale bring nobody into an audience.
        return (
            "from (select orders.order_id, orders.member_id, orders.business_date, orders.ordered_at, orders.channel, "
            "orders.source_system, orders.store_code, orders.has_coupon, orders.is_valid, lines.product_id, lines.gross_amount "
            "from marts.fct_order_lines as lines inner join marts.fct_orders as orders on lines.order_id = orders.order_id "
            f"where lines.line_kind = 'sale' and not lines.is_void) as facts {product} {valid}"
        )

    # ---- sequences ----

    def _sequence(self, node: grammar.Sequence) -> str:
        name = self._name("sequence")
        seconds = f"to_seconds({self.parameter(node.within_seconds)})"
        steps = [
            self._step_facts(step, node.window if i == 0 else grammar.Window()) for i, step in enumerate(node.steps)
        ]
        reached, absent = f"{name}_0", []
        self._sequences.append(
            f"{reached} as (select distinct member_id, happened_at as started_at, happened_at as reached_at from ({steps[0]}))"
        )
        for i, step in enumerate(node.steps[1:], start=1):
            if step.is_absent:
                absent.append(steps[i])
                continue
            # What may not come between lies strictly between two steps that did come.
            between = self._absent(absent, "later.happened_at", is_until_included=False)
            self._sequences.append(
                f"{name}_{i} as (select distinct earlier.member_id, earlier.started_at, later.happened_at as reached_at "
                f"from {reached} as earlier inner join ({steps[i]}) as later on earlier.member_id = later.member_id "
                "and later.happened_at > earlier.reached_at and later.happened_at <= earlier.started_at + "
                f"{seconds}{' where ' + between if between else ''})"
            )
            reached, absent = f"{name}_{i}", []
        ending = ""
        if absent:
            # Nobody has failed to do something while there is time left to do it.
            cut = self.parameter(self._clock.starts_at(self._clock.as_of_date))
            ending = f" where earlier.started_at + {seconds} <= {cut} and " + self._absent(
                absent, f"earlier.started_at + {seconds}", is_until_included=True
            )
        self._sequences.append(f"{name} as (select distinct earlier.member_id from {reached} as earlier{ending})")
        return f"member_id in (select member_id from {name})"

    def _step_facts(self, step: grammar.Step, window: grammar.Window) -> str:
        by_line = any(name in grammar.LINE_FILTERS for name, _ in step.fact.filters)
        scan = "events_counted" if step.fact.kind == "event" else "lines_counted" if by_line else "orders_counted"
        moment = "facts.event_at" if step.fact.kind == "event" else "facts.ordered_at"
        return (
            f"select distinct facts.member_id, {moment} as happened_at {self._facts(scan)} "
            f"and {self._matches(step.fact, window)} and {moment} is not null"
        )

    def _absent(self, absent: list[str], until: str, *, is_until_included: bool) -> str:
        sign = "<=" if is_until_included else "<"
        return " and ".join(
            f"not exists (select 1 from ({facts}) as missed where missed.member_id = earlier.member_id "
            f"and missed.happened_at > earlier.reached_at and missed.happened_at {sign} {until})"
            for facts in absent
        )

    # ---- values and parameters ----

    def value(self, value: grammar.Value) -> str:
        """A column of `members` that holds a value."""
        if value not in self._values:
            self._values[value] = self._name("value")
        return self._values[value]

    def parameter(self, value: Any) -> str:
        key = (type(value).__name__, value)
        if key not in self._parameter_of:
            name = f"p{len(self._parameters)}"
            self._parameters[name] = value
            self._parameter_of[key] = f"${name}"
        return self._parameter_of[key]

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}_{self._names}"

    # ---- the query ----

    def query(self, body: str) -> Query:
        ctes = [self._members_sql(), *self._counted_sql(), *self._sequences]
        scans = dict.fromkeys(scan for scan, _ in self._measures.values())
        columns = [
            "members.*",
            *(f"{scan}.{column}" for scan, column in self._measures.values()),
        ]
        joins = "".join(f" left join {scan} on members.member_id = {scan}.member_id" for scan in scans)
        ctes.append(f"gathered as (select {', '.join(columns)} from members{joins})")
        leaves = "".join(f", {sql} as {name}" for name, sql in self._leaf_sql.items())
        ctes.append(f"asked as (select *{leaves} from gathered)")
        ranks = "".join(f", {sql} as {name}" for name, sql in self._ranked_sql.items())
        ctes.append(f"conditions as (select *{ranks} from asked)")
        text = "with\n" + ",\n".join(ctes) + "\n" + body
        return Query(text, dict(self._parameters))

    def _members_sql(self) -> str:
        cut = self.parameter(self._clock.as_of_date)
        columns, joins = ["dim_members.member_id"], {}
        for value, name in self._values.items():
            if value.source == "tag":
                columns.append(f"member_tags.{quoted(value.name)} as {name}")
                joins["member_tags"] = (
                    "left join tags.member_tags as member_tags on dim_members.member_id = member_tags.member_id"
                )
            elif value.source == "member":
                columns.append(f"dim_members.{quoted(value.name)} as {name}")
            elif value.source == "score":
                table = SCORES[value.name]
                columns.append(f"{table}.score as {name}")
                joins[table] = (
                    f"left join ml.{table} as {table} on dim_members.member_id = {table}.member_id "
                    f"and {table}.as_of_date = {cut}"
                )
            else:
                segment = quoted(value.name)
                column = self._catalogue.segment_column(value) if self._catalogue else ""
                columns.append(f"{segment}.{quoted(column)} as {name}")
                joins[value.name] = (
                    f"left join segments.{segment} as {segment} on dim_members.member_id = {segment}.member_id"
                )
        # Members first seen on or after the cut do not exist yet; testers, colleagues and robots are nobody's audience.
        return (
            f"members as (select {', '.join(columns)} from marts.dim_members as dim_members {' '.join(joins.values())} "
            f"where coalesce(dim_members.first_seen_date < {cut}, true) "
            "and coalesce(dim_members.account_flag, 'normal') = 'normal')"
        )

    def _counted_sql(self) -> list[str]:
        found = []
        for scan, filters in self._scan_filters.items():
            columns = ", ".join(f"{sql} as {name}" for (s, sql), (_, name) in self._measures.items() if s == scan)
            wanted = " or ".join(f"({item})" for item in filters)
            found.append(
                f"{scan} as (select facts.member_id, {columns} {self._facts(scan)} and ({wanted}) group by facts.member_id)"
            )
        return found
