"""Every claim of the truth against the written files: identities, planted faults, randomised effects, tastes; and that none leaks."""

from __future__ import annotations

import gzip
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from simulated import CONFIG, Written, csv, events

from simulator import SimulatorConfig
from simulator.block import World, join_cohorts, make_cohort
from simulator.campaigns import CAMPAIGNS, EXPERIMENTS
from simulator.catalogue import build_catalogue
from simulator.population import NEVER
from simulator.seasons import build_seasons
from simulator.truth import future_orders

MEMBER_KEYS = {
    "crm": csv("crm/bindings.csv"),
    "loyalty": csv("loyalty/accounts.csv"),
    "marketing": csv("marketing/contacts.csv"),
    "consent": csv("consent/decisions.csv"),
    "external": csv("external/profiles.csv"),
    "miniprogram": csv("miniprogram/orders.csv"),
    "app": csv("app/members/*.csv"),
    "tmall": "'{s}/tmall/orders/*.parquet'",
    "pos": csv("pos/sales/*.psv", delimiter="|"),
}
KEY_COLUMNS = {
    "crm": "id", "loyalty": "account_no", "marketing": "contact_id", "consent": "member_no", "external": "member_no",
    "miniprogram": "buyer_id", "app": "user_id", "tmall": "buyer_ouid", "pos": "card_no",
}  # fmt: skip


@pytest.mark.parametrize("system", sorted(MEMBER_KEYS))
def test_every_member_key_belongs_to_one_person(brand: Written, system: str) -> None:
    key = KEY_COLUMNS[system]
    found, unknown = brand.query(
        f"""with known as (
            select identifier_value, count(distinct person_id) as persons from '{{t}}/identifiers.parquet'
            where source_system = '{system}' and identifier_type = 'member_key' group by 1
        )
        select count(distinct f.{key}), count(*) filter (where k.persons is distinct from 1)
        from {MEMBER_KEYS[system]} f left join known k on k.identifier_value = f.{key} where f.{key} is not null"""
    )[0]
    assert found > 50 and unknown == 0


def test_phones_of_bindings_belong_to_the_member_at_that_time(brand: Written) -> None:
    bound, wrong = brand.query(
        f"""with bound as (
            select id, bound_at::timestamp as at,
                right(regexp_replace(regexp_replace(translate(id_value, '０１２３４５６７８９', '0123456789'),
                    '[.]0$', ''), '[^0-9]', '', 'g'), 11) as phone
            from {csv("crm/bindings.csv")} where id_type = 'phone'
        ),
        members as (select * from '{{t}}/identifiers.parquet' where source_system = 'crm' and identifier_type = 'member_key'),
        phones as (select * from '{{t}}/identifiers.parquet' where identifier_type = 'phone')
        select count(*), count(*) filter (where not exists (
            select 1 from phones p where p.identifier_value = b.phone and p.person_id = m.person_id
                and p.valid_from <= b.at and coalesce(p.valid_to, timestamp '2100-01-01') >= b.at))
        from bound b join members m on m.identifier_value = b.id"""
    )[0]
    assert bound > 500 and wrong == 0


def test_recycled_phones_pass_from_one_person_to_another(brand: Written) -> None:
    owners = brand.query(
        """select identifier_value, list({'f': valid_from, 't': valid_to} order by valid_from) from '{t}/identifiers.parquet'
        where identifier_type = 'phone' group by 1 having count(distinct person_id) > 1"""
    )
    assert len(owners) >= 1
    for _, spans in owners:
        assert len(spans) == 2 and spans[0]["t"] is not None and spans[0]["t"] < spans[1]["f"]


def test_shared_devices_and_crawlers_are_in_the_truth(brand: Written) -> None:
    shared = brand.query(
        """select identifier_value from '{t}/identifiers.parquet' where identifier_type = 'device_id'
        group by 1 having count(distinct person_id) > 1"""
    )
    assert shared
    crawlers = brand.query("select distinct identifier_value from '{t}/identifiers.parquet' where person_id is null")
    rates = brand.query(
        f"""select max(n) from (
            select json_extract_string(doc, '$.device_id') as d, substr(json_extract_string(doc, '$.event_time'), 1, 16) as m, count(*) as n
            from {events("app")} where doc is not null group by all
        ) where d in (select identifier_value from '{{t}}/identifiers.parquet' where person_id is null)"""
    )
    assert len(crawlers) >= 1
    assert rates[0][0] > 120


def _mess(brand: Written, system: str) -> Counter[str]:
    rows = brand.query(
        f"select kind, count(*) from '{{t}}/mess.parquet' where source_system = '{system}' and file like '%events/%' group by 1"
    )
    return Counter(dict(rows))


@pytest.mark.parametrize(
    ("system", "key", "name", "time"),
    [("app", "event_id", "event", "event_time"), ("miniprogram", "uuid", "evt", "ts")],
)
def test_planted_faults_of_events_are_counted_exactly(
    brand: Written, system: str, key: str, name: str, time: str
) -> None:
    planted = _mess(brand, system)
    late_time = "'2037'" if system == "app" else "'2114'"  # unix seconds of 2037 begin with 2114
    valid = f"(select doc is not null as ok, doc, filename from {events(system)})"
    found = brand.query(
        f"""select count(*) filter (where not ok),
            count(*) filter (where ok and json_extract_string(doc, '$.{name}') is null),
            count(*) filter (where ok and json_extract_string(doc, '$.{time}') is null),
            count(*) filter (where ok and json_extract_string(doc, '$.{time}') >= {late_time}),
            count(*) filter (where ok and json_extract_string(doc, '$.{name}') in ('test_click_v2', 'undefined', 'pv_new_track'))
        from {valid}"""
    )[0]
    kinds = ("malformed_row", "null_required_name", "null_required_time", "future_event", "unknown_event")
    assert dict(zip(kinds, found, strict=True)) == {kind: planted[kind] for kind in kinds}
    assert all(planted[kind] > 0 for kind in kinds)
    inside, across = brand.query(
        f"""select sum(n - files), sum(files - 1) from (
            select json_extract_string(doc, '$.{key}') as k, count(*) as n, count(distinct filename) as files
            from {valid} where ok group by 1
        )"""
    )[0]
    assert inside == planted["duplicate_in_file"] > 0
    assert across == planted["duplicate_across_files"] > 0


def test_late_events_arrive_in_a_later_file(brand: Written) -> None:
    keys = f"""(select json_extract_string(doc, '$.event_id') as k, json_extract_string(doc, '$.event_time') as at, filename
        from {events("app")} where doc is not null)"""
    rows = brand.query(
        f"""select f.at, regexp_extract(f.filename, '\\d{{4}}-\\d{{2}}-\\d{{2}}'), m.file
        from '{{t}}/mess.parquet' m join {keys} f on f.k = m.row_key
        where m.kind = 'late_event' and m.source_system = 'app'"""
    )
    files = sorted(p.name[:10] for p in (brand.sources / "app/events").glob("*.gz"))
    assert len(rows) > 20
    for at, day, file in rows:
        assert day in file
        before = files[files.index(day) - 1]
        assert at[:10] <= before or at[:10] > day, f"{at} is not late in {day}"  # a skewed clock may claim anything


def test_rows_of_tables_are_dirtied_as_listed(brand: Written) -> None:
    planted = Counter(
        dict(
            brand.query(
                "select source_system || ':' || kind, count(*) from '{t}/mess.parquet' where file not like '%events/%' group by 1"
            )
        )
    )
    repeats = brand.one("select count(*) - count(distinct tid) from '{s}/tmall/orders/*.parquet'")
    assert repeats == planted["tmall:duplicate_in_file"] + planted["tmall:duplicate_across_files"] > 0
    assert (
        brand.one("select count(*) from '{s}/tmall/orders/*.parquet' where created is null")
        >= planted["tmall:null_required"]
        > 0
    )
    for system in ("miniprogram", "app"):
        assert (
            brand.one(f"select count(*) from {csv(system + '/orders.csv')} where created_at is null")
            == planted[f"{system}:null_required"]
        )
    lines = [
        line
        for path in sorted((brand.sources / "pos/sales").glob("*.psv"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert sum(line.count("|") == 1 for line in lines) == planted["pos:malformed_row"]


def test_typos_and_odd_forms_of_contacts_are_where_the_truth_says(brand: Written) -> None:
    snapshots = sorted((brand.sources / "crm/members").glob("*.csv"))
    frame = pd.concat([pd.read_csv(path, encoding="gbk", dtype=str) for path in snapshots]).drop_duplicates("会员号")
    mess = pd.DataFrame(
        brand.query("select kind, row_key from '{t}/mess.parquet' where source_system = 'crm'"), columns=["kind", "key"]
    )
    phones = frame.set_index("会员号")["手机号"]
    plain = phones.str.fullmatch(r"1\d{10}")
    odd = set(mess.loc[mess["kind"].isin(["contact_typo_phone", "contact_odd_form_phone"]), "key"])
    assert set(plain.index[~plain]) == odd & set(plain.index)
    assert len(odd) > 50
    mails = frame.dropna(subset="邮箱").set_index("会员号")["邮箱"]
    broken = set(mess.loc[mess["kind"] == "contact_typo_email", "key"])
    assert {key for key, mail in mails.items() if "@" not in mail and "＠" not in mail} == broken & set(mails.index)
    kinds = frame.set_index("会员号")["账号类型"]
    assert set(kinds.index[kinds == "test"]) == set(mess.loc[mess["kind"] == "test_account", "key"]) & set(kinds.index)
    assert (kinds == "test").any() and (kinds == "internal").any()


def test_clean_configuration_plants_nothing(tmp_path: Path) -> None:
    from simulated import write

    from simulator import MessRates

    clean = MessRates(**dict.fromkeys(MessRates.__dataclass_fields__, 0.0))
    written = write(
        SimulatorConfig(members=300, days=60, seed=5, events_per_member=20, products=120, mess=clean), tmp_path
    )
    assert written.one("select count(*) from '{t}/mess.parquet'") == 0
    assert written.one(f"select count(*) from {events('app')} where not json_valid(line)") == 0


def test_holdouts_are_planned_and_never_contacted(brand: Written) -> None:
    touched = brand.query(
        """select e.is_holdout, bool_and(t.is_holdout) filter (where t.status = 'planned'), count(*) filter (where t.status <> 'planned')
        from '{s}/marketing/touches/*.parquet' t
        join '{t}/identifiers.parquet' i on i.source_system = 'marketing' and i.identifier_value = t.contact_id
        join '{t}/campaign_effects.parquet' e on e.person_id = i.person_id and e.campaign_code = t.campaign
        group by 1 order by 1"""
    )
    assert [row[:2] for row in touched] == [(False, False), (True, True)]
    assert touched[0][2] > 500 and touched[1][2] == 0
    assert brand.one("select count(distinct campaign_code) from '{t}/campaign_effects.parquet'") == len(CAMPAIGNS) >= 12


def test_nobody_is_written_to_without_consent(brand: Written) -> None:
    sent, without = brand.query(
        f"""with decisions as (
            select i.person_id, d.channel, d.decided_at::timestamp as at, d.granted from {csv("consent/decisions.csv")} d
            join '{{t}}/identifiers.parquet' i on i.source_system = 'consent' and i.identifier_value = d.member_no
        ),
        sent as (
            select i.person_id, t.channel, c.starts_at::timestamp as at from '{{s}}/marketing/touches/*.parquet' t
            join {csv("marketing/campaigns.csv")} c using (campaign)
            join '{{t}}/identifiers.parquet' i on i.source_system = 'marketing' and i.identifier_value = t.contact_id
            where t.status = 'sent'
        )
        select count(*), count(*) filter (where d.granted is distinct from 'Y')
        from sent s asof left join decisions d on d.person_id = s.person_id and d.channel = s.channel and d.at <= s.at"""
    )[0]
    assert sent > 500 and without == 0


def test_messages_fare_in_order(brand: Written) -> None:
    frame = pd.DataFrame(
        brand.query("select campaign, contact_id, status, status_at from '{s}/marketing/touches/*.parquet'"),
        columns=["campaign", "contact", "status", "at"],
    )
    wide = frame.pivot_table(index=["campaign", "contact"], columns="status", values="at", aggfunc="min")
    stages = ["planned", "sent", "delivered", "opened", "clicked"]
    for earlier, later in itertools.pairwise(stages):
        reached = wide.dropna(subset=later)
        assert len(reached) > 5
        assert (reached[earlier] <= reached[later]).all()
    assert not (wide["failed"].notna() & wide["delivered"].notna()).any()


def test_a_product_is_viewed_before_it_is_put_into_the_cart(brand: Written) -> None:
    rows = brand.query(
        f"""select json_extract_string(doc, '$.session_id') as s, json_extract_string(doc, '$.event') as e,
            json_extract_string(doc, '$.event_time') as at,
            json_extract_string(doc, '$.properties.product_id') as p
        from {events("app")} where doc is not null and json_extract_string(doc, '$.event') in ('view', 'cart', 'checkout', 'purchase')"""
    )
    frame = pd.DataFrame(rows, columns=["session", "event", "at", "product"])
    views = frame[frame["event"] == "view"].groupby(["session", "product"])["at"].min()
    carts = frame[frame["event"] == "cart"].groupby(["session", "product"])["at"].min()
    both = carts.to_frame("cart").join(views.to_frame("view"), how="left")
    # A view may be missing where its own line was broken on purpose or came with a wrong year.
    assert both["view"].notna().mean() > 0.97
    assert (both.dropna()["view"] <= both.dropna()["cart"]).mean() > 0.99
    sessions = frame.groupby(["session", "event"])["at"].min().unstack()
    paid = sessions.dropna(subset=["purchase", "checkout"])
    assert len(paid) > 20 and (paid["checkout"] <= paid["purchase"]).mean() > 0.98


def test_no_source_shows_the_truth(brand: Written) -> None:
    shared = {
        "source_system",
        "product_code",
        "campaign_code",
        "kind",
        "file",
        "channel",
        "position",
        "arm",
        "exposed_at",
    }
    shared |= {
        "valid_from",
        "valid_to",
        "starts_at",
        "holdout_share",
        "has_kids",
        "is_holdout",
        "paid_at",
        "goods_amount",
        "payable_amount",
        "paid_amount",
        "refunded_amount",
        "lasts_days",
    }  # words that both may use
    hidden = {name for path in brand.truth.glob("*.parquet") for name in pq.read_schema(path).names} - shared
    secrets = {"person_id", "hazard_monthly", "effect_orders", "affinity", "price_sensitivity", "cause", "multiplier"}
    assert secrets <= hidden
    for path in sorted(brand.sources.rglob("*.*")):
        if path.suffix == ".parquet":
            names = set(pq.read_schema(path).names)
        elif path.name.endswith(".jsonl.gz"):
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                line = next(line for line in stream if line.endswith("}\n"))
            names = set(json.loads(line)) | set(json.loads(line).get("properties", {}))
        elif path.suffix in (".csv", ".psv"):
            with path.open(
                encoding="gb18030" if path.parts[-2] in ("crm", "members", "jd", "refunds") else "utf-8",
                errors="replace",
            ) as stream:
                names = set(stream.readline().strip().replace("|", ",").split(","))
        else:
            continue
        assert not names & hidden, path.name
    text = b"".join(path.read_bytes() for path in sorted(brand.sources.rglob("*.csv"))[:40])
    person = brand.one("select person_id from '{t}/persons.parquet' limit 1").encode()
    assert person not in text


def test_truth_of_persons_is_complete_and_in_range(brand: Written) -> None:
    people, hazards, tastes = (
        brand.one(f"select count(*) from '{{t}}/{name}.parquet'") for name in ("persons", "hazards", "affinities")
    )
    categories = len(build_catalogue(CONFIG).categories.l2)
    assert (people, hazards, tastes) == (CONFIG.members, CONFIG.members, CONFIG.members * categories)
    assert (
        brand.one(
            "select max(abs(s - 1)) from (select sum(affinity) as s from '{t}/affinities.parquet' group by person_id)"
        )
        < 1e-9
    )
    low, high, alive, future, dead = brand.query(
        """select min(hazard_monthly), max(hazard_monthly), avg(is_alive_at_end::int),
            avg(expected_orders_90d) filter (where is_alive_at_end),
            max(expected_orders_90d) filter (where not is_alive_at_end) from '{t}/hazards.parquet'"""
    )[0]
    assert 0 < low < high < 1
    assert 0.3 < alive < 0.95 and future > 0 and dead == 0
    assert brand.one("select count(*) from '{t}/seasonality.parquet'") == CONFIG.days
    assert brand.one("select count(*) from '{t}/response_by_hour.parquet'") == 24 * CONFIG.members
    assert brand.one("select count(*) from '{t}/product_affinity.parquet'") == 3 * CONFIG.products


def test_every_order_has_a_person_and_a_cause(brand: Written) -> None:
    causes = dict(brand.query("select cause, count(*) from '{t}/orders.parquet' group by 1"))
    assert set(causes) == {"natural", "replenishment", "campaign", "experiment"}
    missing = brand.one(
        f"""select count(*) from {csv("miniprogram/orders.csv")} o anti join '{{t}}/orders.parquet' t
        on t.source_system = 'miniprogram' and t.order_key = o.order_no"""
    )
    assert missing == 0
    responded = brand.one(
        "select count(*) from '{t}/campaign_effects.parquet' where has_responded and effect_orders > 0"
    )
    assert causes["campaign"] == responded
    assert brand.one("select count(*) from '{t}/campaign_effects.parquet' where is_holdout and has_responded") == 0


def test_lapsed_members_order_only_where_a_win_back_moved_them(brand: Written) -> None:
    late = dict(
        brand.query(
            """select o.cause || ':' || coalesce(o.cause_code, ''), count(*)
            from '{t}/orders.parquet' o join '{t}/hazards.parquet' h using (person_id)
            where o.ordered_at > h.lapsed_at + interval 1 day group by 1"""
        )
    )
    assert all(cause.startswith(("campaign:", "experiment:")) for cause in late)


def test_what_goes_together_is_bought_together(brand: Written) -> None:
    lines = f"""(select order_no, sku from {csv("miniprogram/order_items.csv")}
        union all select tid, outer_sku_id from '{{s}}/tmall/order_lines/*.parquet')"""
    pairs = brand.query(
        f"""with l as {lines}, p as (
            select a.sku as a, b.sku as b, count(distinct order_no) as n
            from l a join l b using (order_no) where a.sku <> b.sku group by all
        )
        select avg(n) filter (where g.goes_with is not null), avg(n) filter (where g.goes_with is null), count(g.goes_with)
        from p left join (select distinct product_code, goes_with from '{{t}}/product_affinity.parquet') g
        on g.product_code = p.a and g.goes_with = p.b"""
    )[0]
    assert pairs[2] > 50 and pairs[0] > 1.5 * pairs[1]


def test_future_orders_follow_the_formula() -> None:
    people = {
        "lapsed": np.array([NEVER, 0, NEVER]),
        "purchase_rate": np.array([3.65, 3.65, 3.65]),
        "replenishes": np.zeros(3),
        "hazard_monthly": np.array([1e-9, 0.1, 0.5]),
    }
    expected = future_orders(people, 10, 100)
    assert expected[0] == pytest.approx(1.0, rel=1e-4)  # one order in a hundred days
    assert expected[1] == 0
    assert 0.3 < expected[2] < 0.5


@pytest.fixture(scope="module")
def large() -> dict[str, dict[str, np.ndarray]]:
    config = SimulatorConfig(events_per_member=1)
    world = World(config, build_catalogue(config), build_seasons(config))
    return join_cohorts([make_cohort(world, cohort) for cohort in range(20)])


@pytest.mark.slow
def test_the_effect_of_every_campaign_is_found_by_comparing_with_its_holdout(
    large: dict[str, dict[str, np.ndarray]],
) -> None:
    """At 20,000 members the 95 % interval of treated minus held-out orders holds the planted mean effect."""
    orders, assigned = large["orders"], large["assignments"]
    misses, found = [], 0
    for number, campaign in enumerate(CAMPAIGNS):
        mine = assigned["campaign"] == number
        person, holdout = assigned["person"][mine], assigned["is_holdout"][mine]
        since, until = assigned["at"][mine][0], assigned["until"][mine][0]
        inside = (orders["at"] >= since) & (orders["at"] < until)
        count = np.bincount(orders["person"][inside], minlength=len(large["people"]["person"]))[person]
        treated, control = count[~holdout], count[holdout]
        difference = treated.mean() - control.mean()
        error = np.sqrt(treated.var(ddof=1) / len(treated) + control.var(ddof=1) / len(control))
        # What contact would have changed in the treated: below 0 it is a share of the orders they would have placed.
        truth = campaign.effect * control.mean() if campaign.effect < 0 else assigned["effect"][mine][~holdout].mean()
        assert abs(difference - truth) < 3.3 * error, campaign.code
        misses += [campaign.code] if abs(difference - truth) > 1.96 * error else []
        found += campaign.effect > 0 and difference > 1.96 * error
        assert abs(holdout.mean() - campaign.holdout) < 4 * np.sqrt(
            campaign.holdout * (1 - campaign.holdout) / len(holdout)
        )
    assert len(misses) <= 2
    assert found >= 8  # most of the effects that are there can be seen


@pytest.mark.slow
def test_experiments_are_one_positive_one_null_and_one_with_a_broken_split(
    large: dict[str, dict[str, np.ndarray]],
) -> None:
    orders, units = large["orders"], large["units"]
    balance, effects = {}, {}
    for number, experiment in enumerate(EXPERIMENTS):
        mine = (units["experiment"] == number) & units["is_logged"]
        person, arm, at = units["person"][mine], units["arm"][mine], units["at"][mine]
        n = np.array([(arm == 0).sum(), (arm == 1).sum()])
        balance[experiment.code] = abs(n[1] - n[0]) / np.sqrt(n.sum())  # standard errors from half and half
        start = np.full(len(large["people"]["person"]), NEVER)
        start[person] = at
        inside = (orders["at"] >= start[orders["person"]]) & (
            orders["at"] < start[orders["person"]] + experiment.outcome_days * 86_400
        )
        count = np.bincount(orders["person"][inside], minlength=len(start))[person]
        difference = count[arm == 1].mean() - count[arm == 0].mean()
        error = np.sqrt(sum(count[arm == k].var(ddof=1) / n[k] for k in (0, 1)))
        effects[experiment.code] = difference / error
        truth = units["effect"][mine].mean()
        assert abs(difference - truth) < 3.3 * error, experiment.code
    assert effects["E01"] > 1.96 and abs(effects["E02"]) < 1.96
    assert balance["E03"] > 4 and balance["E01"] < 3.3 and balance["E02"] < 3.3


@pytest.mark.slow
def test_sizes_are_those_of_the_demo(large: dict[str, dict[str, np.ndarray]]) -> None:
    members = len(large["people"]["person"])
    assert 60_000 <= len(large["orders"]["at"]) <= 95_000
    accounts = (large["people"]["accounts"] < NEVER).any(axis=1)
    assert members == 20_000 and accounts.all()
    paid = large["orders"]["paid_at"] < NEVER
    buyers = np.bincount(large["orders"]["person"][paid], minlength=members)
    assert 0.4 < (buyers > 1).sum() / (buyers > 0).sum() < 0.8  # repurchase
