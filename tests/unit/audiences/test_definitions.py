"""Files of audiences: the pack and what a brand makes of it, and mistakes that name file, key and remedy."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.audiences import grammar
from orchestration.audiences.catalogue import BOOLEAN, DATE, LIST, NUMBER, TEXT, Catalogue, Column
from orchestration.audiences.definitions import AudienceError, availability, check_against, load_audiences, load_file
from orchestration.settings import Settings, load_settings

CATALOGUE = Catalogue(
    tags={
        "order_count_30d": Column(NUMBER),
        "order_count_90d": Column(NUMBER),
        "level": Column(TEXT, frozenset({"high", "low"})),
        "is_coupon_user": Column(BOOLEAN),
        "last_order_date": Column(DATE),
        "likes": Column(LIST),
        "empty": Column(NUMBER, is_filled=False),
    },
    profile={"gender": Column(TEXT)},
    scores={"churn": Column(NUMBER, is_filled=False)},
    segments={"seg_rfm": {"rfm_tier": Column(TEXT)}},
    known_events=frozenset({"view", "cart"}),
    present_events=frozenset({"view"}),
    categories=frozenset({"护肤"}),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "brands" / "shop" / "audiences").mkdir(parents=True)
    (tmp_path / "brands" / "shop" / "brand.yml").touch()
    return load_settings("shop", {"TESSERA_BRANDS": str(tmp_path / "brands"), "TESSERA_HOME": str(tmp_path / "home")})


def write(settings: Settings, audience_id: str, where: Any, **changes: Any) -> Path:
    document = {
        "audience": audience_id,
        "label_zh": "甲",
        "label_en": "A",
        "goal": "g",
        "owner": "o",
        "allowed_uses": ["sms"],
        "priority": 1,
        "where": where,
    } | changes
    path = settings.brand_dir / "audiences" / f"{audience_id}.yml"
    path.write_text(
        yaml.safe_dump({k: v for k, v in document.items() if v is not None}, allow_unicode=True), encoding="utf-8"
    )
    return path


GOOD = {"tag": "order_count_30d", "at_least": 2}


def problems(settings: Settings) -> list[str]:
    with pytest.raises(AudienceError) as caught:
        load_audiences(settings)
    return caught.value.problems


def test_a_brand_overrides_leaves_out_and_adds(settings: Settings) -> None:
    shared = load_audiences(settings)
    assert len(shared) == 18 and {a.origin for a in shared.values()} == {"pack"}
    write(settings, "aud_frequent_buyers", GOOD)
    write(
        settings,
        "aud_mine",
        {"all": [{"audience": "aud_frequent_buyers"}, {"not": {"audience": "aud_new7d_no_order"}}]},
    )
    (settings.brand_dir / "audiences" / "pack.yml").write_text("leave_out: [aud_low_potential]")
    own = load_audiences(settings)
    assert len(own) == 18 and "aud_low_potential" not in own
    assert own["aud_frequent_buyers"].origin == "brand"
    assert own["aud_mine"].rule == grammar.AllOf(
        (grammar.parse_rule(GOOD), grammar.Not(shared["aud_new7d_no_order"].rule))
    )


def test_a_rule_version_follows_the_audiences_it_names(settings: Settings) -> None:
    write(settings, "aud_inner", GOOD)
    write(settings, "aud_outer", {"not": {"audience": "aud_inner"}})
    before = load_audiences(settings)["aud_outer"].rule_version
    write(settings, "aud_inner", GOOD | {"at_least": 3})
    after = load_audiences(settings)["aud_outer"].rule_version
    write(settings, "aud_inner", {"tag": "order_count_30d", "at_least": 2.0}, label_en="Another label")
    assert load_audiences(settings)["aud_outer"].rule_version == before != after


def test_circles_are_refused(settings: Settings) -> None:
    write(settings, "aud_a", {"audience": "aud_b"})
    write(settings, "aud_b", {"not": {"audience": "aud_c"}})
    write(settings, "aud_c", {"any": [{"audience": "aud_a"}]})
    assert "aud_a -> aud_b -> aud_c -> aud_a" in problems(settings)[0]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"audience": "aud_frequent_buyer"}, "did you mean aud_frequent_buyers"),
        ({"tagg": "x"}, "'tagg' begins no condition; did you mean tag"),
        ({"tag": "x", "at_leats": 2}, "where.at_leats: is not known here; did you mean at_least"),
        ({"tag": "x"}, "says nothing of the value"),
        ({"all": []}, "where.all: must be a list of at least one condition"),
        ({"all": [GOOD], "tag": "x"}, "all stands alone"),
        ({"all": [{"event": "view", "in_last_days": 0}]}, "where.all[0].in_last_days: 0 must be whole days"),
        ({"event": "view", "in_last_days": True}, "must be whole days"),
        ({"event": "view", "days_ago": [9, 3]}, "runs backwards"),
        ({"event": "view", "where": {"categry": "x"}}, "did you mean category"),
        ({"event": "view", "count": {"at_least": "2"}}, "'2' must be a number"),
        ({"event": "view", "amount": {"at_least": 2}}, "where.amount: is not known here"),
        ({"order": "paid"}, "write order: valid"),
        ({"sequence": [{"event": "cart"}], "within_hours": 1}, "a list of two steps or more"),
        (
            {"sequence": [{"not": {"event": "cart"}}, {"order": "valid"}], "within_hours": 1},
            "begins with something that happened",
        ),
        ({"sequence": [{"event": "cart"}, {"order": "valid"}]}, "needs one of within_hours and within_days"),
        ({"tag": "x", "top_percent": 0}, "above 0 and up to 100"),
        ({"tag": "x", "top_percent": 10, "ties": "inn"}, "did you mean in"),
        ({"tag": "x", "top_percent": 10, "among": {"tag": "y", "top_percent": 5}}, "a share of a share"),
        ({"sample": {"percent": 10}}, "sample.seed"),
        ({"tag": "x", "in": "high"}, "must be a list"),
        ({"tag": "x", "at_least": float("nan")}, "must be one value"),
        ({"tag": "x", "is_known": False}, "can only be true"),
        ({"tag": "drop table", "is": 1}, "is not a name"),
        ("x", "must be a mapping"),
    ],
)
def test_a_rule_that_cannot_be_read_says_where_and_what_to_do(settings: Settings, where: Any, told: str) -> None:
    write(settings, "aud_x", where)
    (problem,) = problems(settings)
    assert problem.startswith("shop/audiences/aud_x.yml: where") and told in problem


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"label_zh": None}, "label_zh: is missing"),
        ({"gaol": "x"}, "gaol: is not known; did you mean goal"),
        ({"priority": 0}, "priority: 0 must be a whole number from 1"),
        ({"allowed_uses": ["smss"]}, "did you mean sms"),
        ({"expires": "soon"}, "expires: 'soon' must be a date"),
        ({"audience": "vip"}, "audience: 'vip' must be aud_"),
        ({"audience": "aud_y"}, "call it aud_y.yml"),
    ],
)
def test_a_file_that_lacks_something_says_so(settings: Settings, changes: dict[str, Any], told: str) -> None:
    write(settings, "aud_x", GOOD, **changes)
    assert any(told in problem for problem in problems(settings))


def test_a_key_written_twice_is_refused(settings: Settings) -> None:
    path = write(settings, "aud_x", GOOD)
    path.write_text(path.read_text(encoding="utf-8") + "\nlabel_zh: 乙\n", encoding="utf-8")
    assert "aud_x.yml" in problems(settings)[0]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"tag": "order_count_30", "at_least": 2}, "no tag 'order_count_30'; did you mean order_count_30d"),
        ({"event": "veiw"}, "no event 'veiw'; did you mean view"),
        ({"tag": "level", "is": "hihg"}, "no value 'hihg'; did you mean high"),
        ({"tag": "level", "at_least": 2}, "at_least does not fit a text"),
        ({"tag": "order_count_30d", "is": "2"}, "'2' is not 2 or 0.5"),
        ({"tag": "is_coupon_user", "is": 1}, "1 is not true or false"),
        ({"tag": "last_order_date", "at_least": 3}, "3 is not a date"),
        ({"tag": "likes", "is": "x"}, "is does not fit a list"),
        ({"segment": "seg_rfn", "is": "x"}, "did you mean seg_rfm"),
        ({"segment": "seg_rfm", "column": "x", "is": "x"}, "no column 'x'"),
        ({"score": "chrun", "at_least": 0.5}, "did you mean churn"),
    ],
)
def test_a_rule_that_names_what_nobody_knows_is_refused(settings: Settings, where: Any, told: str) -> None:
    write(settings, "aud_x", {"not": where})
    with pytest.raises(AudienceError) as caught:
        check_against(load_audiences(settings), CATALOGUE)
    assert [p for p in caught.value.problems if p.startswith("shop/audiences/aud_x.yml: where: ") and told in p]


@pytest.mark.parametrize(
    ("where", "missing"),
    [
        ({"event": "cart"}, "event cart: none has arrived"),
        ({"tag": "empty", "at_least": 1}, "tag empty: no member has one"),
        ({"score": "churn", "at_least": 0.5}, "score churn: no member has one"),
        ({"event": "view", "where": {"category": "手机"}}, "category 手机: no product is of it"),
    ],
)
def test_what_a_brand_lacks_makes_an_audience_unavailable(settings: Settings, where: Any, missing: str) -> None:
    write(settings, "aud_x", {"not": where})
    audiences = load_audiences(settings)
    check_against({"aud_x": audiences["aud_x"]}, CATALOGUE)
    state = availability(audiences["aud_x"], CATALOGUE, date(2026, 7, 1))
    assert (state.status, state.missing) == ("unavailable", (missing,))


def test_an_audience_ends_on_its_day(settings: Settings) -> None:
    write(settings, "aud_x", GOOD, expires=date(2026, 7, 1))
    audience = load_audiences(settings)["aud_x"]
    states = [availability(audience, CATALOGUE, date(2026, 7, day)).status for day in (1, 2)]
    assert states == ["ready", "expired"]


def test_a_file_that_is_not_saved_may_name_the_brands_audiences(settings: Settings, tmp_path: Path) -> None:
    path = write(settings, "aud_x", {"audience": "aud_frequent_buyers"})
    elsewhere = path.rename(tmp_path / "draft.yml")
    assert load_file(elsewhere, settings).rule == load_audiences(settings)["aud_frequent_buyers"].rule
