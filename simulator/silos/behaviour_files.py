"""Behaviour events of the app (with the web shop) and the mini-program: JSON lines, packed.

The app nests properties and names events as the tracking plan does; the mini-program has its own short names and clocks.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future

import numpy as np
import pyarrow as pa

from simulator import mess, text
from simulator.behaviour import EVENTS, MODULES, NO_LOGIN, ON_APP, ON_MINI, ON_WEB, PAGES, SEARCH
from simulator.campaigns import CAMPAIGNS
from simulator.identities import device_ids
from simulator.mess import (
    FUTURE,
    KINDS,
    LATE,
    MALFORMED,
    NO_NAME,
    NO_TIME,
    TWICE,
    TWICE_ACROSS,
    UNKNOWN,
    UNKNOWN_NAMES,
    file_of,
)
from simulator.population import MINI
from simulator.randomness import scramble, uniform_of
from simulator.silos.exports import Export
from simulator.silos.orders_files import app_order_no, mini_order_no
from simulator.text import BASE62, HEX, Text, encoded, joined, pc, pick, whole

_CHUNK = 400_000  # rows turned into text at a time: about 150 MB
MINI_NAMES = {
    "view": "goods_detail", "cart": "add_cart", "favourite": "collect", "unfavourite": "cancel_collect", "purchase": "pay_success",
    "checkout": "submit_order", "page_view": "page_show", "page_leave": "page_hide",
}  # fmt: skip
_VERSIONS = ("6.1.0", "6.2.3", "6.4.1", "7.0.0", "7.1.2")
_ANDROID = ("Xiaomi 14", "HUAWEI Mate 60", "OPPO Find X7", "vivo X100", "HONOR 200")
CRAWLER_AGENTS = ("Mozilla/5.0 (compatible; Bytespider)", "python-requests/2.31", "Scrapy/2.11 (+https://scrapy.org)")
SEARCHES = (
    "口红",
    "面膜",
    "防晒霜",
    "精华",
    "香水 女",
    "身体乳",
    "敏感肌 面霜",
    "洗发水",
    "粉底液",
    "礼盒",
    "眼霜",
    "男士洁面",
    "香薰",
    "护手霜",
    "卸妆油",
)
_WEB_SOURCES = (("baidu", "cpc"), ("xiaohongshu", "kol"), ("douyin", "feed"), ("wechat", "moments"), ("direct", "none"))


def write_events(export: Export, pool: Executor) -> list[Future[None]]:
    """Start writing the block's events; the answers come when the files have them."""
    visits, events = export.block["visits"], export.block["events"]
    edges = mess.export_edges(export.config)
    names = [str(np.datetime64(export.config.start) + int(edge)) for edge in edges]
    visit_text = _visit_fragments(export)
    product_text = joined('"product_id":"', pa.array(export.world.catalogue.code.tolist()), '"')
    surface = visits["surface"][events["visit"]]
    place = np.minimum(file_of(events["at"] // 86_400, edges), len(edges) - 1)
    fault = events["fault"]
    late = (fault == LATE) & (place < len(edges) - 1)
    across = (fault == TWICE_ACROSS) & (place < len(edges) - 1)
    twice = fault == TWICE
    place = place + late
    row = np.concatenate([np.arange(len(place)), np.flatnonzero(twice), np.flatnonzero(across)])
    place = np.concatenate([place, place[twice], place[across] + 1])
    is_mini = surface[row] == ON_MINI
    _log_mess(export, names, row, place, is_mini, late, across)
    tasks = []
    for system, mine in (("app", ~is_mini), ("miniprogram", is_mini)):
        order = np.flatnonzero(mine)
        order = order[np.lexsort((events["number"][row[order]], events["at"][row[order]], place[order]))]
        bounds = np.searchsorted(place[order], np.arange(len(edges) + 1))
        for number, name in enumerate(names):
            which = row[order[bounds[number] : bounds[number + 1]]]
            tasks.append(
                pool.submit(_write, export, f"{system}/events/{name}.jsonl.gz", system, which, visit_text, product_text)
            )
    return tasks


def event_ids(visits: dict[str, np.ndarray], events: dict[str, np.ndarray], which: np.ndarray) -> Text:
    code = visits["code"][events["visit"][which]] * 1_024 + events["number"][which]
    return encoded(scramble(code, 31), BASE62, 11)


def _log_mess(
    export: Export,
    names: list[str],
    row: np.ndarray,
    place: np.ndarray,
    is_mini: np.ndarray,
    late: np.ndarray,
    across: np.ndarray,
) -> None:
    visits, events = export.block["visits"], export.block["events"]
    fault = events["fault"]
    copies = np.arange(len(row)) >= len(fault)
    listed = (
        np.isin(fault[row], (FUTURE, MALFORMED, NO_TIME, NO_NAME, UNKNOWN))
        | (late[row] & (fault[row] == LATE))
        | copies
    )
    skewed = visits["skew"][events["visit"][row]] != 0
    for mask, kind in ((listed, None), (skewed & ~copies, "clock_skewed")):
        for system, mine in (("app", ~is_mini), ("miniprogram", is_mini)):
            which = np.flatnonzero(mask & mine)
            file = joined(f"{system}/events/", pick(names, place[which]), ".jsonl.gz")
            code = pick(KINDS, fault[row[which]]) if kind is None else kind
            export.log.add(code, system, file, event_ids(visits, events, row[which]))


def _visit_fragments(export: Export) -> dict[str, Text]:
    """Parts of a line that all events of a visit share."""
    visits, people, keys = export.block["visits"], export.block["people"], export.keys
    row = np.maximum(visits["person"], 0)
    surface, at = visits["surface"], visits["at"]
    device = device_ids(export.config, people, visits)
    take = pa.array(row)
    ios = people["ios"][row]
    session = encoded(scramble(visits["code"], 32), HEX, 16)
    # Versions come out over time, and people update late.
    moment = np.clip(at / export.config.seconds + (uniform_of(people["person"][row], 41) - 0.7) * 0.25, 0, 0.999)
    version = pick(_VERSIONS, np.floor(moment * len(_VERSIONS)).astype(np.int64))
    agent_app = text.where(
        ios,
        "LumiereApp/iOS CFNetwork",
        joined(
            "LumiereApp/Android ",
            pick(_ANDROID, (scramble(people["device_owner"][row], 42) % np.uint64(5)).astype(np.int64)),
        ),
    )
    agent_web = text.where(
        ios,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Mobile Safari",
        "Mozilla/5.0 (Linux; Android 15) Chrome/126 Mobile",
    )
    crawler = pick(CRAWLER_AGENTS, visits["device"].astype(np.int64) % len(CRAWLER_AGENTS))
    agent = text.where(visits["is_bot"], crawler, text.where(surface == ON_APP, agent_app, agent_web))
    platform = text.where(
        surface == ON_APP,
        text.where(ios, "ios", "android"),
        text.where(visits["is_bot"] | (uniform_of(visits["code"], 43) < 0.3), "web", "h5"),
    )
    ip = encoded(
        scramble(np.where(visits["is_bot"], 10**9 + visits["device"].astype(np.int64), people["household"][row]), 44),
        HEX,
        16,
    )
    app = joined(
        '"device_id":"', device, '","session_id":"', session, '","platform":"', platform, '","app_version":',
        text.where(surface == ON_APP, joined('"', version, '"'), "null"), ',"user_agent":"', agent, '","ip_hash":"', ip, '"',
    )  # fmt: skip
    authorised = people["mini_phone"][row] & (at >= people["accounts"][row, MINI])
    mini = joined(
        '"openid":"', keys.openid.take(take), '","unionid":', text.where(authorised, joined('"', keys.unionid.take(take), '"'), "null"),
        ',"sid":"', session, '","app":{"ver":"', version, '","scene":', whole(1001 + scramble(visits["code"], 45) % np.uint64(60)),
        '},"ip_hash":"', ip, '"',
    )  # fmt: skip
    source = (scramble(visits["code"], 46) % np.uint64(len(_WEB_SOURCES))).astype(np.int64)
    campaign = pick([c.code for c in CAMPAIGNS], visits["campaign"])
    channels = pick([c.channel for c in CAMPAIGNS], visits["campaign"])
    utm = text.where(
        visits["campaign"] >= 0,
        joined(
            '"campaign":"',
            pc.fill_null(campaign, ""),
            '","utm_source":"crm","utm_medium":"',
            pc.fill_null(channels, ""),
            '"',
        ),
        text.where(
            (surface == ON_WEB) & ~visits["is_bot"],
            joined(
                '"utm_source":"',
                pick([s for s, _ in _WEB_SOURCES], source),
                '","utm_medium":"',
                pick([m for _, m in _WEB_SOURCES], source),
                '"',
            ),
            None,
        ),
    )
    user = text.where(
        (visits["person"] >= 0) & (visits["login_from"] < NO_LOGIN), joined('"', keys.app_user.take(take), '"'), None
    )
    return {"app": app, "mini": mini, "utm": utm, "user": user}


def _write(
    export: Export, name: str, system: str, which: np.ndarray, visit_text: dict[str, Text], product_text: Text
) -> None:
    for start in range(0, len(which), _CHUNK):
        lines = _lines(export, system, which[start : start + _CHUNK], visit_text, product_text)
        export.files.lines(name, lines, len(lines))


def _lines(export: Export, system: str, which: np.ndarray, visit_text: dict[str, Text], product_text: Text) -> Text:
    visits, events = export.block["visits"], export.block["events"]
    event = {name: column[which] for name, column in events.items()}
    visit = event["visit"]
    take = pa.array(visit)
    ids = event_ids(visits, events, which)
    fault = event["fault"]
    labels = [MINI_NAMES.get(name, name) for name in EVENTS] if system == "miniprogram" else list(EVENTS)
    codes = np.where(fault == UNKNOWN, len(EVENTS) + event["number"] % len(UNKNOWN_NAMES), event["name"])
    quoted = [f'"{label}"' for label in (*labels, *UNKNOWN_NAMES)]
    name = pick([*quoted, "null"], np.where(fault == NO_NAME, len(quoted), codes))
    properties = _properties(export, system, event, which, visit_text, product_text)
    if system == "app":
        clock = text.where(fault == NO_TIME, "null", joined('"', text.clock(export.config, event["shown_at"]), '"'))
        known = event["number"] >= visits["login_from"][visit]
        user = pc.fill_null(text.where(known, visit_text["user"].take(take), None), "null")
        line = joined(
            '{"event_id":"', ids, '","event":', name, ',"event_time":', clock, ',"user_id":', user, ",", visit_text["app"].take(take),
            ',"properties":{', properties, "}}",
        )  # fmt: skip
    else:
        clock = text.where(fault == NO_TIME, "null", whole(text.epoch(export.config, event["shown_at"])))
        line = joined(
            '{"uuid":"',
            ids,
            '","evt":',
            name,
            ',"ts":',
            clock,
            ",",
            visit_text["mini"].take(take),
            ',"props":{',
            properties,
            "}}",
        )
    cut = pc.utf8_slice_codeunits(line, 0, 60)
    line = text.where(fault == MALFORMED, cut, line) if (fault == MALFORMED).any() else line
    return joined(line, "\n")


def _properties(
    export: Export,
    system: str,
    event: dict[str, np.ndarray],
    which: np.ndarray,
    visit_text: dict[str, Text],
    product_text: Text,
) -> Text:
    """The nested properties: those that an event has, and no others."""
    size = len(which)
    page = joined('"page":"', pick(PAGES, event["page"]), '"')
    product = product_text.take(pa.array(event["product"].astype(np.int64), mask=event["product"] < 0))
    module = pick(MODULES, event["module"])
    slot = joined(
        '"module":"', module, '","position":', text.where(event["module"] >= 0, whole(event["position"]), None)
    )
    content = text.where(event["content"] >= 0, joined('"content_id":"CT', whole(event["content"]), '"'), None)
    dwell = text.where(event["dwell"] >= 0, joined('"duration":', whole(event["dwell"])), None)
    searched = pick(
        SEARCHES,
        np.where(
            event["name"] == SEARCH,
            (scramble(event["at"] + event["number"], 47) % np.uint64(len(SEARCHES))).astype(np.int64),
            -1,
        ),
    )
    query = joined('"keyword":"', searched, '"')
    codes = (
        export.block["orders"]["code"][np.maximum(event["order"], 0)]
        if len(export.block["orders"]["code"])
        else np.zeros(size, dtype=np.int64)
    )
    number = app_order_no(codes) if system == "app" else mini_order_no(codes)
    order = text.where(
        event["order"] >= 0,
        joined('"order_no":"', number, '","amount":', text.yuan(np.maximum(event["amount"], 0))),
        None,
    )
    utm = visit_text["utm"].take(pa.array(event["visit"]))
    parts = [page, product, slot, content, dwell, query, order, utm]
    return pc.binary_join_element_wise(*parts, ",", null_handling="skip")
