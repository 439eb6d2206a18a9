"""Members as the CRM, Tmall, the mini-program and the app keep them, and which identifiers each has seen together.

The CRM hands out its whole table at each month's end, in GBK and as people typed it; the app a log of changes; the others a dump.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from simulator import mess, text
from simulator.behaviour import NO_LOGIN, ON_APP
from simulator.identities import device_ids
from simulator.places import CITIES, FULL_REGIONS
from simulator.population import APP, JD, MINI, NEVER, TMALL
from simulator.randomness import scramble, uniform_of
from simulator.silos.exports import Export, by_file
from simulator.silos.orders_files import guide_code, store_code
from simulator.tables import Table
from simulator.text import Text, full_width, joined, pc, pick, whole

TIERS = ("普通会员", "银卡会员", "金卡会员", "黑金会员")
TIER_SPEND = (0, 100_000, 300_000, 800_000)  # fen paid in the last year
_GENDERS = (("女", "男"), ("F", "M"), ("2", "1"), ("女性", "男性"), ("", ""), ("未知", "保密"))
_DAY = 86_400


def write_members(export: Export) -> None:
    _crm_snapshots(export)
    _crm_bindings(export)
    _tmall_members(export)
    _mini_users(export)
    _app_members(export)


def written_phone(plain: Text, form: np.ndarray) -> Text:
    """A phone as people and tills write it: plain, full-width, with +86, with blanks, as a spreadsheet's number, or mistyped."""
    head, middle, tail = (pc.utf8_slice_codeunits(plain, a, b) for a, b in ((0, 3), (3, 7), (7, 11)))
    forms = (
        plain, full_width(plain), joined("+86 ", plain), joined(head, " ", middle, " ", tail), joined(plain, ".0"),
        joined(head, middle, pc.utf8_slice_codeunits(tail, 0, 3)),
    )  # fmt: skip
    return pc.choose(pa.array(form.astype(np.int64)), *forms)


def written_email(plain: Text, form: np.ndarray) -> Text:
    """An e-mail as people write it: plain, in capitals, with blanks, with full-width signs, or broken."""
    forms = (
        plain, pc.utf8_upper(plain), joined(" ", plain), pc.replace_substring(plain, "@", "＠"), pc.replace_substring(plain, ".", "。"),
        pc.replace_substring(plain, "@", ""),
    )  # fmt: skip
    return pc.choose(pa.array(form.astype(np.int64)), *forms)


def _birthday(export: Export, people: Table) -> Text:
    plain = text.day(export.config, people["birth_day"])
    year, month, day = (pc.utf8_slice_codeunits(plain, a, b) for a, b in ((0, 4), (5, 7), (8, 10)))
    forms = (
        plain,
        joined(year, "/", month, "/", day),
        joined(year, "年", month, "月", day, "日"),
        joined(year, month, day),
        plain,
    )
    written = pc.choose(pa.array(people["birthday_form"].astype(np.int64)), *forms)
    return text.where(people["knows_birthday"], written, "")


def _region(people: Table) -> Text:
    city = people["city"]
    long = pick(FULL_REGIONS, city)
    forms = (
        long,
        pick([f"{s}-{c.removesuffix('市')}" for _, s, c, _ in CITIES], city),
        pick([p for p, _, _, _ in CITIES], city),
        pick([s for _, s, _, _ in CITIES], city),
    )
    return pc.choose(pa.array(people["region_form"].astype(np.int64)), *forms)


def yearly_spend(export: Export, moment: int) -> np.ndarray:
    """Fen paid by each member in the year before a moment, refunds not taken off."""
    orders = export.block["orders"]
    inside = (orders["paid_at"] < moment) & (orders["paid_at"] >= moment - 365 * _DAY)
    return np.bincount(
        orders["person"][inside], weights=orders["payable"][inside], minlength=len(export.block["people"]["person"])
    ).astype(np.int64)


def points_balance(export: Export, moment: int) -> np.ndarray:
    """Points of each member at a moment, as the ledger has them."""
    ledger = export.block["ledger"]
    before = ledger["at"] < moment
    size = len(export.block["people"]["person"])
    return np.bincount(ledger["person"][before], weights=ledger["points"][before], minlength=size).astype(np.int64)


def _crm_snapshots(export: Export) -> None:
    people, keys, config = export.block["people"], export.keys, export.config
    edges = mess.month_edges(config)
    gender = text.where(
        people["is_woman"],
        pick([g[0] for g in _GENDERS], people["gender_form"]),
        pick([g[1] for g in _GENDERS], people["gender_form"]),
    )
    fixed = {
        "会员号": keys.member_no,
        "姓名": keys.name,
        "性别": gender,
        "生日": _birthday(export, people),
        "邮箱": text.where(people["has_email"], written_email(keys.email, people["email_form"]), ""),
        "地区": _region(people),
        "注册时间": export.clock(people["crm"]),
        "注册渠道": pick(("天猫", "京东", "小程序", "APP", "门店"), people["home_channel"]),
        "归属门店": text.where(people["accounts"][:, 4] < NEVER, store_code(people["store"]), ""),
        "专属导购": text.where(people["accounts"][:, 4] < NEVER, guide_code(people["store"], people["guide"]), ""),
        "账号类型": pick(("", "test", "internal"), people["kind"]),
    }
    for edge in edges:
        moment = (int(edge) + 1) * _DAY
        there = np.flatnonzero((people["crm"] < moment) & (people["closed"] >= moment))
        phone = text.where(people["phone_changed"] < moment, keys.phone_later, keys.phone)
        spend = yearly_spend(export, moment)
        tier = np.searchsorted(TIER_SPEND, spend, side="right") - 1
        columns = {
            **fixed,
            "手机号": written_phone(phone, people["phone_form"]),
            "等级": pick(TIERS, tier),
            "积分": whole(points_balance(export, moment)),
        }
        index = pa.array(there)
        name = f"crm/members/{np.datetime64(config.start) + int(edge)}.csv"
        export.files.csv(name, {key: column.take(index) for key, column in columns.items()}, encoding="gbk")
    member = people["crm"] < NEVER
    for kind, mask in (
        ("contact_typo_phone", member & (people["phone_form"] == 5)),
        ("contact_typo_email", member & (people["email_form"] == 5) & people["has_email"]),
        ("contact_odd_form_phone", member & (people["phone_form"] > 0) & (people["phone_form"] < 5)),
        (
            "contact_odd_form_email",
            member & (people["email_form"] > 0) & (people["email_form"] < 5) & people["has_email"],
        ),
        ("test_account", member & (people["kind"] == 1)),
        ("internal_account", member & (people["kind"] == 2)),
        ("recycled_phone", member & (people["recycled_from"] >= 0)),
    ):
        export.log.add(kind, "crm", "crm/members", keys.member_no.take(pa.array(np.flatnonzero(mask))))
    shared = np.flatnonzero((people["device_owner"] != people["person"]) & (people["accounts"][:, APP] < NEVER))
    export.log.add("shared_device", "app", "app/events", keys.app_user.take(pa.array(shared)))


def _rows(
    owner: Text, kind: str, value: Text, since: np.ndarray, until: np.ndarray, mask: np.ndarray, verified: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    return np.flatnonzero(mask), {
        "owner": owner,
        "kind": kind,
        "value": value,
        "since": since,
        "until": until,
        "verified": verified,
    }


def _write_bindings(export: Export, name: str, parts: list[tuple[np.ndarray, dict[str, Any]]]) -> None:
    """A long table of identifiers: whose, which kind, which value, since when, until when."""
    columns: dict[str, list[pa.Array]] = {
        key: [] for key in ("id", "id_type", "id_value", "bound_at", "unbound_at", "verified")
    }
    for which, part in parts:
        index = pa.array(which)
        columns["id"].append(part["owner"].take(index))
        columns["id_type"].append(pa.repeat(pa.scalar(part["kind"]), len(which)))
        columns["id_value"].append(part["value"].take(index))
        columns["bound_at"].append(export.clock(part["since"][which]))
        columns["unbound_at"].append(pc.fill_null(export.clock(part["until"][which]), ""))
        columns["verified"].append(pa.repeat(pa.scalar("1" if part["verified"] else "0"), len(which)))
    export.files.csv(
        name, {key: pa.chunked_array(values, pa.string()).combine_chunks() for key, values in columns.items()}
    )


def _never(people: Table) -> np.ndarray:
    return np.full(len(people["person"]), NEVER)


def _crm_bindings(export: Export) -> None:
    """What the CRM knows to be one member: phone, e-mail, and the Tmall, JD and WeChat accounts that were bound."""
    people, keys = export.block["people"], export.keys
    crm, changed, never = people["crm"], people["phone_changed"], _never(people)
    member = crm < NEVER
    accounts = people["accounts"]
    bound = {c: np.maximum(crm, np.minimum(accounts[:, c], NEVER)) + 60 for c in (TMALL, JD, MINI)}
    good_phone, good_email = people["phone_form"] != 5, people["email_form"] != 5
    end = export.config.seconds
    typed_phone = written_phone(keys.phone, people["phone_form"])
    _write_bindings(export, "crm/bindings.csv", [
        _rows(keys.member_no, "member_number", keys.member_no, crm, people["closed"], member, True),
        _rows(keys.member_no, "phone", typed_phone, crm, changed, member & good_phone & (changed > crm), True),
        _rows(keys.member_no, "phone", keys.phone_later, np.maximum(changed, crm), never, member & (changed < NEVER), True),
        _rows(keys.member_no, "email", keys.email, crm, never, member & people["has_email"] & good_email, False),
        _rows(keys.member_no, "tmall_ouid", keys.ouid, bound[TMALL], never, member & (bound[TMALL] < end) & people["tmall_bound"], True),
        _rows(keys.member_no, "jd_pin", keys.pin, bound[JD], never, member & (bound[JD] < end) & people["jd_bound"], True),
        _rows(keys.member_no, "unionid", keys.unionid, bound[MINI], never, member & (bound[MINI] < end) & people["mini_phone"], True),
    ])  # fmt: skip


def _tmall_members(export: Export) -> None:
    people, keys = export.block["people"], export.keys
    which = np.flatnonzero(people["accounts"][:, TMALL] < NEVER)
    index = pa.array(which)
    phone = keys.phone.take(index)
    export.files.parquet("tmall/members.parquet", {
        "ouid": keys.ouid.take(index),
        "nick": joined("t***", whole(scramble(people["person"][which], 75) % np.uint64(10))),
        "mobile_masked": joined(pc.utf8_slice_codeunits(phone, 0, 3), "****", pc.utf8_slice_codeunits(phone, 7, 11)),
        "grade": pa.array((uniform_of(people["person"][which], 76) * 4).astype(np.int8)),
        "join_time": text.instant(export.config, people["accounts"][which, TMALL]),
    })  # fmt: skip


def _mini_users(export: Export) -> None:
    people, keys = export.block["people"], export.keys
    opened, changed = people["accounts"][:, MINI], people["phone_changed"]
    user = opened < NEVER
    which = np.flatnonzero(user)
    index = pa.array(which)
    authorised = people["mini_phone"]
    tells_gender = uniform_of(people["person"][which], 78) >= 0.5
    export.files.csv("miniprogram/users.csv", {
        "openid": keys.openid.take(index),
        "unionid": text.where(authorised[which], keys.unionid.take(index), ""),
        "nickname": joined("微信用户", whole(scramble(people["person"][which], 77) % np.uint64(9_000))),
        "gender": pick(("0", "1", "2"), np.where(tells_gender, np.where(people["is_woman"][which], 2, 1), 0)),
        "phone": text.where(authorised[which], keys.phone.take(index), ""),
        "created_at": export.clock(opened[which]),
    })  # fmt: skip
    never = _never(people)
    _write_bindings(export, "miniprogram/identities.csv", [
        _rows(keys.openid, "openid", keys.openid, opened, never, user, True),
        _rows(keys.openid, "unionid", keys.unionid, opened, never, user & authorised, True),
        _rows(keys.openid, "phone", keys.phone, opened, changed, user & authorised & (changed > opened), True),
    ])  # fmt: skip


def _app_members(export: Export) -> None:
    """The app's table as a log of changes, as a database's binlog gives it; and what its logins have tied together."""
    people, keys, config = export.block["people"], export.keys, export.config
    opened, changed = people["accounts"][:, APP], people["phone_changed"]
    user = opened < NEVER
    inserted = np.flatnonzero(user)
    updated = np.flatnonzero(user & (changed > opened) & (changed < NEVER))
    deleted = np.flatnonzero(user & (people["closed"] > opened + 2 * _DAY) & (people["closed"] < NEVER))
    updated = updated[~np.isin(updated, deleted) | (changed[updated] < people["closed"][updated])]
    row = np.concatenate([inserted, updated, deleted])
    operation = np.repeat(["I", "U", "D"], [len(inserted), len(updated), len(deleted)])
    at = np.concatenate([opened[inserted], changed[updated], people["closed"][deleted]])
    index = pa.array(row)
    is_later = operation != "I"
    phone = text.where(is_later & (changed[row] <= at), keys.phone_later.take(index), keys.phone.take(index))
    columns = {
        "op": pa.array(operation.tolist(), pa.string()),
        "lsn": whole(people["person"][row] * 4 + np.repeat([1, 2, 3], [len(inserted), len(updated), len(deleted)])),
        "changed_at": export.clock(at),
        "user_id": keys.app_user.take(index),
        "nickname": joined("lumi_", whole(scramble(people["person"][row], 79) % np.uint64(1_000_000))),
        "phone": phone,
        "email": text.where(
            people["has_email"][row] & (uniform_of(people["person"][row], 80) < 0.3), keys.email.take(index), ""
        ),
        "gender": pick(
            ("U", "F", "M"),
            np.where(uniform_of(people["person"][row], 81) < 0.4, 0, np.where(people["is_woman"][row], 1, 2)),
        ),
        "registered_at": export.clock(opened[row]),
        "register_source": text.where(people["home_channel"][row] == APP, "appstore", "crm_push"),
    }
    # What was there before the first day is in the first log.
    for name, which, _ in by_file(export, "app", "app/members/{}.csv", np.maximum(at, 0), None, columns["user_id"]):
        inside = pa.array(which)
        export.files.csv(name, {key: column.take(inside) for key, column in columns.items()})
    never = _never(people)
    visits = export.block["visits"]
    seen = np.flatnonzero(
        (visits["surface"] == ON_APP)
        & (visits["login_from"] < NO_LOGIN)
        & (visits["person"] >= 0)
        & (visits["order"] >= 0)
    )
    _, first = np.unique(people["person"][visits["person"][seen]] * 4 + visits["device"][seen], return_index=True)
    seen = np.sort(seen[first])
    devices = device_ids(config, people, {name: column[seen] for name, column in visits.items()})
    owners = visits["person"][seen]
    _write_bindings(export, "app/identities.csv", [
        _rows(keys.app_user, "phone", keys.phone, opened, changed, user & (changed > opened), True),
        _rows(keys.app_user, "phone", keys.phone_later, np.maximum(changed, opened), never, user & (changed < NEVER), True),
        _rows(keys.app_user, "unionid", keys.unionid, opened, never, user & people["app_wechat"], True),
        (np.arange(len(seen)), {
            "owner": keys.app_user.take(pa.array(owners)), "kind": "device_id", "value": devices,
            "since": visits["at"][seen], "until": np.full(len(seen), NEVER), "verified": True,
        }),
    ])  # fmt: skip
