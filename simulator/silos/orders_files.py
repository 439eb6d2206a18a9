"""Orders as five systems write them: Tmall (Parquet), JD (one wide CSV), the mini-program's and the app's databases, the tills."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from simulator import text
from simulator.identities import Keys
from simulator.mess import CLEAN, NO_TIME
from simulator.orders import CLOSED, GIFT, ORDER_KINDS, PRESALE, REFUND_REASONS, STATUSES
from simulator.places import FULL_REGIONS
from simulator.population import APP, JD, MINI, NEVER, POS, TMALL
from simulator.randomness import scramble, uniform_of
from simulator.silos.exports import Export, by_file
from simulator.tables import Table, rows, take
from simulator.text import HEX, Text, encoded, joined, padded, pc, pick, whole

_CARRIERS = ("顺丰速运", "中通快递", "圆通速递", "韵达快递", "京东物流")
_REMARKS = ("", "", "", "", "", "请尽快发货", "放快递柜", "送朋友的，请包装好", "不要放发票")
_TMALL_STATUS = ("等待买家付款", "买家已付款", "卖家已发货", "交易成功", "交易关闭", "交易关闭")
_JD_STATUS = ("待付款", "待出库", "待收货", "已完成", "已取消", "已关闭")
REFUND_STATUSES = ("requested", "refunded", "rejected", "withdrawn")
_TMALL_REFUND = ("退款中", "退款成功", "已拒绝", "已撤销")
REFUND_KINDS = ("refund_only", "return_and_refund", "exchange")
_TMALL_REFUND_KINDS = ("仅退款", "退货退款", "换货")
TILLS = 3
# Writes columns to the file of a name or pattern; the numbers are when each row happened.
Writer = Callable[[str, np.ndarray, dict[str, pa.Array]], None]


def tmall_order_no(codes: np.ndarray) -> Text:
    return joined("26", padded((scramble(codes, 61) % np.uint64(10**5)).astype(np.int64), 5), padded(codes, 12))


def jd_order_no(codes: np.ndarray) -> Text:
    return joined("3", padded(codes + 100_000_000_000, 12))


def mini_order_no(codes: np.ndarray) -> Text:
    return joined("MP", padded(codes * 3 + 20_000_000_001, 15))


def app_order_no(codes: np.ndarray) -> Text:
    return joined("AP", padded(codes * 7 + 50_000_000_003, 16))


def receipt_no(codes: np.ndarray) -> Text:
    return joined("R", padded(codes + 1, 12))


ORDER_NUMBERS = {TMALL: tmall_order_no, JD: jd_order_no, MINI: mini_order_no, APP: app_order_no, POS: receipt_no}


def member_keys(keys: Keys, channel: int) -> Text:
    """Under which name a channel knows each member."""
    return {TMALL: keys.ouid, JD: keys.pin, MINI: keys.openid, APP: keys.app_user, POS: keys.card}[channel]


def write_orders(export: Export) -> None:
    _tmall(export)
    _jd(export)
    _shop(export, MINI, "miniprogram")
    _shop(export, APP, "app")
    _pos(export)


class _Picked:
    """Orders of one channel, with their lines and refunds by row of the picked orders."""

    def __init__(self, export: Export, channel: int) -> None:
        block = export.block
        self.rows = np.flatnonzero(block["orders"]["channel"] == channel)
        self.orders: Table = take(block["orders"], self.rows)
        new = np.full(rows(block["orders"]), -1, dtype=np.int64)
        new[self.rows] = np.arange(len(self.rows))
        self.lines: Table = take(block["lines"], new[block["lines"]["order"]] >= 0)
        self.lines["order"] = new[self.lines["order"]]
        self.refunds: Table = take(block["refunds"], new[block["refunds"]["order"]] >= 0)
        number = np.where(self.refunds["line"] >= 0, block["lines"]["number"][np.maximum(self.refunds["line"], 0)], -1)
        product = np.where(
            self.refunds["line"] >= 0, block["lines"]["product"][np.maximum(self.refunds["line"], 0)], -1
        )
        self.refunds["order"] = new[self.refunds["order"]]
        self.refunds["number"], self.refunds["product"] = number, product
        self.number = ORDER_NUMBERS[channel](self.orders["code"])
        person = pa.array(self.orders["person"])
        self.member = member_keys(export.keys, channel).take(person)
        self.fault = self.orders["fault"]
        people = block["people"]
        at = self.orders["at"]
        later = people["phone_changed"][self.orders["person"]] <= at
        self.phone = text.where(later, export.keys.phone_later.take(person), export.keys.phone.take(person))
        self.region = pick(
            FULL_REGIONS,
            people["city"][self.orders["person"]],
        )
        # The receiver of a gift is nobody the brand knows, or another member; an order names a hash of the address.
        gift = self.orders["kind"] == GIFT
        self.receiver = text.where(gift, encoded(scramble(self.orders["code"], 66), HEX, 16), None)
        self.remark = pick(_REMARKS, (scramble(self.orders["code"], 67) % np.uint64(len(_REMARKS))).astype(np.int64))


def _masked(phone: Text) -> Text:
    return joined(pc.utf8_slice_codeunits(phone, 0, 3), "****", pc.utf8_slice_codeunits(phone, 7, 11))


def _picks(columns: dict[str, pa.Array], which: np.ndarray) -> dict[str, pa.Array]:
    index = pa.array(which)
    return {name: column.take(index) for name, column in columns.items()}


def _without(column: pa.Array, mask: np.ndarray) -> pa.Array:
    """The column with nulls where the mask is true."""
    return pc.if_else(pa.array(~mask), column, pa.scalar(None, column.type))


# ---- Tmall ---------------------------------------------------------------------------------------------------------------


def _tmall(export: Export) -> None:
    config, catalogue = export.config, export.world.catalogue
    picked = _Picked(export, TMALL)
    orders, lines = picked.orders, picked.lines
    columns = {
        "tid": picked.number,
        "buyer_ouid": picked.member,
        "receiver_mobile": _masked(picked.phone),
        "created": _without(text.instant(config, orders["at"]), picked.fault == NO_TIME),
        "pay_time": text.instant(config, orders["paid_at"]),
        "status": pick(_TMALL_STATUS, orders["status"]),
        "trade_type": pick(("fixed", "step", "gift"), orders["kind"]),
        "total_fee": text.decimal(orders["goods"]),
        "platform_discount_fee": text.decimal(orders["platform"]),
        "seller_discount_fee": text.decimal(orders["brand"]),
        "post_fee": text.decimal(orders["freight"]),
        "payment": text.decimal(orders["payable"]),
        "receiver_area": picked.region,
        "receiver_hash": picked.receiver,
        "buyer_message": picked.remark,
    }
    fault = np.where(np.isin(picked.fault, (1, 2, NO_TIME)), picked.fault, CLEAN)  # a Parquet row is never cut off
    for name, which, _ in by_file(export, "tmall", "tmall/orders/{}.parquet", orders["at"], fault, picked.number):
        export.files.parquet(name, _picks(columns, which))
    order = lines["order"]
    by_line = pa.array(order)
    line_columns = {
        "tid": picked.number.take(by_line),
        "oid": whole(lines["number"]),
        "buyer_ouid": picked.member.take(by_line),
        "created": text.instant(config, orders["at"][order]),
        "pay_time": text.instant(config, orders["paid_at"][order]),
        "outer_sku_id": pick(catalogue.code, lines["product"]),
        "title": pick(catalogue.name_zh, lines["product"]),
        "num": pa.array(lines["quantity"].astype(np.int32)),
        "price": text.decimal(lines["price"]),
        "total_fee": text.decimal(lines["goods"]),
        "seller_discount": text.decimal(lines["brand"]),
        "platform_discount": text.decimal(lines["platform"]),
        "divide_order_fee": text.decimal(lines["paid"]),
    }
    for name, which, _ in by_file(
        export, "tmall", "tmall/order_lines/{}.parquet", orders["at"][order], None, picked.number
    ):
        export.files.parquet(name, _picks(line_columns, which))
    _payments(
        export,
        picked,
        lambda name, at, columns: _quarterly(export, name, at, columns),
        "tmall/payments/{}.parquet",
        "alipay",
    )
    _tmall_shipments(export, picked)
    _tmall_refunds(export, picked)


def _quarterly(export: Export, pattern: str, at: np.ndarray, columns: dict[str, pa.Array]) -> None:
    for name, which, _ in by_file(export, "", pattern, at, None, next(iter(columns.values())), months=3):
        export.files.parquet(name, _picks(columns, which))


def payment_rows(picked: _Picked) -> Table:
    """Deposits, balances and full payments that came in: order (row), at, kind (0 full, 1 deposit, 2 balance), amount."""
    orders = picked.orders
    presale = orders["kind"] == PRESALE
    full = np.flatnonzero(~presale & (orders["paid_at"] < NEVER))
    deposits = np.flatnonzero(presale & (orders["deposit_at"] < NEVER))
    balances = np.flatnonzero(presale & (orders["paid_at"] < NEVER))
    order = np.concatenate([full, deposits, balances])
    return {
        "order": order,
        "at": np.concatenate([orders["paid_at"][full], orders["deposit_at"][deposits], orders["paid_at"][balances]]),
        "kind": np.repeat([0, 1, 2], [len(full), len(deposits), len(balances)]),
        "amount": np.concatenate([
            orders["payable"][full], orders["deposit"][deposits], orders["payable"][balances] - orders["deposit"][balances],
        ]),
    }  # fmt: skip


PAYMENT_KINDS = ("full", "deposit", "balance")


def _payments(export: Export, picked: _Picked, write: Writer, pattern: str, method: str) -> None:
    paid = payment_rows(picked)
    number = picked.number.take(pa.array(paid["order"]))
    methods = pick(
        (method, "花呗", "wechat_pay"), (uniform_of(picked.orders["code"][paid["order"]], 68) * 1.4).astype(np.int64)
    )
    write(pattern, paid["at"], {
        "pay_no": joined(number, "-", whole(paid["kind"])),
        "order_no": number,
        "pay_time": text.instant(export.config, paid["at"]) if pattern.endswith("parquet") else export.clock(paid["at"]),
        "pay_type": pick(PAYMENT_KINDS, paid["kind"]),
        "channel": methods,
        "amount": text.decimal(paid["amount"]) if pattern.endswith("parquet") else text.yuan(paid["amount"]),
    })  # fmt: skip


def _tmall_shipments(export: Export, picked: _Picked) -> None:
    orders = picked.orders
    which = np.flatnonzero(orders["shipped_at"] < NEVER)
    columns = {
        "out_sid": joined("SF", padded(orders["code"][which] * 31 + 7, 14)),
        "tid": picked.number.take(pa.array(which)),
        "company_name": pick(_CARRIERS, (orders["code"][which] % 4)),
        "consign_time": text.instant(export.config, orders["shipped_at"][which]),
        "sign_time": text.instant(export.config, orders["delivered_at"][which]),
        "status": text.where(orders["delivered_at"][which] < NEVER, "已签收", "运输中"),
    }
    _quarterly(export, "tmall/shipments/{}.parquet", orders["shipped_at"][which], columns)


def refund_numbers(refunds: Table, prefix: str) -> Text:
    return joined(prefix, padded(refunds["code"] + 1, 12))


def _tmall_refunds(export: Export, picked: _Picked) -> None:
    refunds = picked.refunds
    order = pa.array(refunds["order"])
    number = refund_numbers(refunds, "TR")
    columns = {
        "退款编号": number,
        "订单编号": picked.number.take(order),
        "子订单": text.where(refunds["number"] > 0, whole(refunds["number"]), ""),
        "买家": picked.member.take(order),
        "商家编码": pc.fill_null(pick(export.world.catalogue.code, refunds["product"]), ""),
        "申请时间": export.clock(refunds["requested_at"]),
        "完结时间": pc.fill_null(export.clock(refunds["refunded_at"]), ""),
        "退款状态": pick(_TMALL_REFUND, refunds["status"]),
        "退款类型": pick(_TMALL_REFUND_KINDS, refunds["kind"]),
        "退货数量": whole(refunds["quantity"]),
        "退款金额": joined("￥", text.yuan(refunds["amount"])),
        "退款原因": pick(REFUND_REASONS, refunds["reason"]),
    }
    _log_over_refunds(export, "tmall", number, refunds)
    for name, which, _ in by_file(
        export, "tmall", "tmall/refunds/{}.csv", refunds["requested_at"], None, number, months=3
    ):
        export.files.csv(name, _picks(columns, which), encoding="gbk")


def _log_over_refunds(export: Export, system: str, number: Text, refunds: Table) -> None:
    over = np.flatnonzero(refunds["is_over"])
    export.log.add("refund_above_paid", system, "", number.take(pa.array(over)))


# ---- JD ------------------------------------------------------------------------------------------------------------------


def _thousands(fen: np.ndarray) -> Text:
    """Yuan as a spreadsheet shows them: ￥1,234.50."""
    plain = text.yuan(fen)
    big = text.where(
        fen >= 100_000,
        joined(whole(fen // 100_000), ",", padded(fen % 100_000 // 100, 3), ".", padded(fen % 100, 2)),
        plain,
    )
    return joined("￥", big)


def _jd(export: Export) -> None:
    catalogue = export.world.catalogue
    picked = _Picked(export, JD)
    orders, lines = picked.orders, picked.lines
    order = lines["order"]
    by_line = pa.array(order)
    people = export.block["people"]
    shows_phone = people["jd_bound"][orders["person"]]
    stamp = pc.replace_substring(pc.fill_null(export.clock(orders["at"]), ""), "-", "/")
    fault = np.where(lines["number"] == 1, picked.fault[order], CLEAN)
    head = {
        "订单号": picked.number,
        "用户PIN": picked.member,
        "下单时间": stamp,
        "付款时间": _slashed(export, orders["paid_at"]),
        "订单状态": pick(_JD_STATUS, orders["status"]),
        "预售": text.where(orders["kind"] == PRESALE, "是", "否"),
        "定金": _thousands(orders["deposit"]),
        "定金支付时间": _slashed(export, orders["deposit_at"]),
        "运费": _thousands(orders["freight"]),
        "应付金额": _thousands(orders["payable"]),
        "收货人手机": text.where(shows_phone, picked.phone, _masked(picked.phone)),
        "收货地区": picked.region,
        "礼品收件人": pc.fill_null(picked.receiver, ""),
        "出库时间": _slashed(export, orders["shipped_at"]),
        "妥投时间": _slashed(export, orders["delivered_at"]),
    }
    columns = {name: column.take(by_line) for name, column in head.items()}
    columns["下单时间"] = text.where(fault == NO_TIME, "", columns["下单时间"])
    columns.update({
        "行号": whole(lines["number"]),
        "商品编号": pick(catalogue.code, lines["product"]),
        "商品名称": pick(catalogue.name_zh, lines["product"]),
        "数量": whole(lines["quantity"]),
        "京东价": _thousands(lines["price"]),
        "商品金额": _thousands(lines["goods"]),
        "商家优惠": _thousands(lines["brand"]),
        "平台优惠": _thousands(lines["platform"]),
        "实付金额": _thousands(lines["paid"]),
    })  # fmt: skip
    key = joined(columns["订单号"], "-", columns["行号"])
    for name, which, broken in by_file(export, "jd", "jd/orders/{}.csv", orders["at"][order], fault, key, months=3):
        export.files.csv(
            name, _picks(columns, which[~broken]), encoding="gb18030", extra=_cut_off(columns["订单号"], which[broken])
        )
    _payments(export, picked, lambda name, at, columns: export.files.csv(name, columns), "jd/payments.csv", "京东支付")
    refunds = picked.refunds
    by_order = pa.array(refunds["order"])
    number = refund_numbers(refunds, "JR")
    _log_over_refunds(export, "jd", number, refunds)
    export.files.csv("jd/refunds.csv", {
        "服务单号": number,
        "订单号": picked.number.take(by_order),
        "行号": text.where(refunds["number"] > 0, whole(refunds["number"]), ""),
        "用户PIN": picked.member.take(by_order),
        "申请时间": _slashed(export, refunds["requested_at"]),
        "退款时间": _slashed(export, refunds["refunded_at"]),
        "状态": pick(REFUND_STATUSES, refunds["status"]),
        "类型": pick(REFUND_KINDS, refunds["kind"]),
        "退款金额": _thousands(refunds["amount"]),
        "原因": pick(REFUND_REASONS, refunds["reason"]),
    }, encoding="gb18030")  # fmt: skip


def _cut_off(first_column: Text, which: np.ndarray, delimiter: str = ",") -> list[str]:
    """Records that end in the middle: too few columns, which a reader cannot place."""
    return [f"{value}{delimiter}" for value in first_column.take(pa.array(which)).to_pylist()]


def _slashed(export: Export, at: np.ndarray) -> Text:
    return pc.replace_substring(pc.fill_null(export.clock(at), ""), "-", "/")


# ---- the brand's own shops -----------------------------------------------------------------------------------------------


def _shop(export: Export, channel: int, system: str) -> None:
    """Tables of the shop's database, dumped once at the end of the period."""
    catalogue = export.world.catalogue
    picked = _Picked(export, channel)
    orders, lines, files = picked.orders, picked.lines, export.files
    empty_time = picked.fault == NO_TIME
    which = np.flatnonzero(empty_time)
    export.log.add("null_required", system, f"{system}/orders.csv", picked.number.take(pa.array(which)))
    files.csv(f"{system}/orders.csv", {
        "order_no": picked.number,
        "buyer_id": picked.member,
        "created_at": text.where(empty_time, "", export.clock(orders["at"])),
        "paid_at": pc.fill_null(export.clock(orders["paid_at"]), ""),
        "status": pick(STATUSES, orders["status"]),
        "type": pick(ORDER_KINDS, orders["kind"]),
        "goods_fen": whole(orders["goods"]),
        "discount_fen": whole(orders["brand"]),
        "platform_fen": whole(orders["platform"]),
        "points_fen": whole(orders["points"]),
        "freight_fen": whole(orders["freight"]),
        "payable_fen": whole(orders["payable"]),
        "receiver_hash": pc.fill_null(picked.receiver, ""),
        "area": picked.region,
        "remark": picked.remark,
        "updated_at": export.clock(_last_change(orders)),
    })  # fmt: skip
    by_line = pa.array(lines["order"])
    files.csv(f"{system}/order_items.csv", {
        "order_no": picked.number.take(by_line),
        "line_no": whole(lines["number"]),
        "buyer_id": picked.member.take(by_line),
        "created_at": export.clock(orders["at"][lines["order"]]),
        "order_status": pick(STATUSES, orders["status"][lines["order"]]),
        "is_paid": text.where(orders["paid_at"][lines["order"]] < NEVER, "1", "0"),
        "sku": pick(catalogue.code, lines["product"]),
        "qty": whole(lines["quantity"]),
        "price_fen": whole(lines["price"]),
        "goods_fen": whole(lines["goods"]),
        "discount_fen": whole(lines["brand"]),
        "platform_fen": whole(lines["platform"]),
        "points_fen": whole(lines["points"]),
        "paid_fen": whole(lines["paid"]),
    })  # fmt: skip
    _payments(
        export, picked, lambda name, at, columns: files.csv(name, columns), f"{system}/payments.csv", "wechat_pay"
    )
    sent = np.flatnonzero(orders["shipped_at"] < NEVER)
    files.csv(f"{system}/shipments.csv", {
        "waybill": joined("YT" if channel == MINI else "ZT", padded(orders["code"][sent] * 37 + 11, 14)),
        "order_no": picked.number.take(pa.array(sent)),
        "carrier": pick(_CARRIERS, orders["code"][sent] % 5),
        "shipped_at": export.clock(orders["shipped_at"][sent]),
        "signed_at": pc.fill_null(export.clock(orders["delivered_at"][sent]), ""),
    })  # fmt: skip
    refunds = picked.refunds
    by_order = pa.array(refunds["order"])
    number = refund_numbers(refunds, "MR" if channel == MINI else "AR")
    _log_over_refunds(export, system, number, refunds)
    files.csv(f"{system}/refunds.csv", {
        "refund_no": number,
        "order_no": picked.number.take(by_order),
        "line_no": text.where(refunds["number"] > 0, whole(refunds["number"]), ""),
        "buyer_id": picked.member.take(by_order),
        "sku": pc.fill_null(pick(catalogue.code, refunds["product"]), ""),
        "requested_at": export.clock(refunds["requested_at"]),
        "refunded_at": pc.fill_null(export.clock(refunds["refunded_at"]), ""),
        "status": pick(REFUND_STATUSES, refunds["status"]),
        "kind": pick(REFUND_KINDS, refunds["kind"]),
        "qty": whole(refunds["quantity"]),
        "amount_fen": whole(refunds["amount"]),
        "reason": pick(REFUND_REASONS, refunds["reason"]),
    })  # fmt: skip


def _last_change(orders: Table) -> np.ndarray:
    """When the order last changed: the latest of what happened to it."""
    latest = orders["at"].copy()
    for name in ("deposit_at", "paid_at", "shipped_at", "delivered_at", "cancelled_at"):
        latest = np.maximum(latest, np.where(orders[name] < NEVER, orders[name], 0))
    return latest + np.where(orders["status"] == CLOSED, 86_400, 0)


# ---- tills ---------------------------------------------------------------------------------------------------------------


def store_code(stores: np.ndarray) -> Text:
    return joined("S", padded(stores + 1, 3))


def guide_code(stores: np.ndarray, guides: np.ndarray) -> Text:
    return joined("G", padded(stores + 1, 3), padded(guides + 1, 2))


def _pos(export: Export) -> None:
    """One row per line of a receipt, the head repeated on each. The card is shown or the number said; some stay unknown."""
    catalogue = export.world.catalogue
    picked = _Picked(export, POS)
    orders, lines = picked.orders, picked.lines
    order = lines["order"]
    by_line = pa.array(order)
    code = orders["code"]
    known = uniform_of(code, 71) < 0.93
    says_phone = uniform_of(code, 72) < 0.55
    head = {
        "store_no": store_code(orders["store"]),
        "till": whole(1 + code % TILLS),
        "receipt_no": picked.number,
        "sold_at": pc.replace_substring_regex(export.clock(orders["at"]), r"[-: ]", ""),
        "card_no": text.where(known, picked.member, ""),
        "mobile": text.where(known & says_phone, picked.phone, ""),
        "guide": text.where(orders["guide"] >= 0, guide_code(orders["store"], orders["guide"]), ""),
        "receipt_amount": text.yuan(orders["payable"]),
        "points_fen": whole(orders["points"]),
        "pay_method": pick(
            ("wechat_pay", "alipay", "card", "cash"), (uniform_of(code, 73) ** 1.6 * 4).astype(np.int64)
        ),
    }
    columns = {name: column.take(by_line) for name, column in head.items()}
    fault = np.where(lines["number"] == 1, picked.fault[order], CLEAN)
    columns["sold_at"] = text.where(fault == NO_TIME, "", columns["sold_at"])
    columns.update({
        "line_no": whole(lines["number"]),
        "sku": pick(catalogue.code, lines["product"]),
        "qty": whole(lines["quantity"]),
        "list_price": text.yuan(lines["price"]),
        "discount": text.yuan(lines["brand"]),
        "amount": text.yuan(lines["paid"]),
    })  # fmt: skip
    key = joined(columns["receipt_no"], "-", columns["line_no"])
    for name, which, broken in by_file(export, "pos", "pos/sales/{}.psv", orders["at"][order], fault, key, months=3):
        export.files.csv(
            name,
            _picks(columns, which[~broken]),
            delimiter="|",
            extra=_cut_off(columns["receipt_no"], which[broken], "|"),
        )
    refunds = picked.refunds
    by_order = pa.array(refunds["order"])
    number = refund_numbers(refunds, "PR")
    _log_over_refunds(export, "pos", number, refunds)
    export.files.csv("pos/returns.psv", {
        "return_no": number,
        "receipt_no": picked.number.take(by_order),
        "line_no": text.where(refunds["number"] > 0, whole(refunds["number"]), ""),
        "card_no": picked.member.take(by_order),
        "returned_at": export.clock(refunds["requested_at"]),
        "refunded_at": pc.fill_null(export.clock(refunds["refunded_at"]), ""),
        "status": pick(REFUND_STATUSES, refunds["status"]),
        "amount": text.yuan(refunds["amount"]),
        "reason": pick(REFUND_REASONS, refunds["reason"]),
    }, delimiter="|")  # fmt: skip
