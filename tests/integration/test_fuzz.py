"""Hundreds of damaged files: none ends landing without a message, none loses a good row, none reaches outside its root.

Every case is made from a seed, so a case that fails can be made again by its name. What single defects do to single
kinds of files is told by the tests of `tests/unit/landing`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.brands import Brand, load_brand
from orchestration.landing import batches as batches_module
from orchestration.landing import land as land_module
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import Batch, Lake, read_batches
from orchestration.landing.land import land
from orchestration.landing.readers.excel import load_extension
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import scratch

pytestmark = pytest.mark.slow

CASES_PER_KIND = 160
ROWS = 30
COLUMNS = ["nr", "order_no", "paid", "method", "amount"]
METHODS = ["支付宝", "微信, 扫码", 'card "gold"', "cash|coin", "多行\n备注", "  spaced ", "café", "null", "0"]

BRAND = """\
brand: fuzz
label_zh: 模糊测试
label_en: Fuzz
currency: CNY
calendar_start: 2020-01-01
quarantine: {max_share: 0.5, tolerated_rows: 10}
"""
SOURCE = """\
source_system: till
reader: {reader}
timestamps_in: Asia/Shanghai
entities:
  payments:
    fields:
      payment_key: nr
      order_key: order_no
      paid_at: paid
      payment_kind: "'full'"
      payment_method: method
      payment_amount: amount
      currency_code: "'CNY'"
"""
READERS = {
    "csv": "{kind: csv, path: '*.csv'}",
    "csv_gz": "{kind: csv, path: '*.csv.gz'}",
    "csv_gbk": "{kind: csv, path: '*.csv', encoding: gb18030, delimiter: '|'}",
    "jsonl": "{kind: jsonl, path: '*.jsonl'}",
    "parquet": "{kind: parquet, path: '*.parquet'}",
    "excel": "{kind: excel, path: '*.xlsx'}",
}


@dataclass
class Case:
    """A damaged file. `good` are the rows nobody touched; `is_whole`: their text still stands in the file as it was."""

    content: bytes
    good: dict[str, tuple[str, str]]
    is_whole: bool = True
    said: str = field(default="")


def rows_of(rng: random.Random) -> list[dict[str, str]]:
    return [
        {
            "nr": f"P{n:04d}",
            "order_no": f"O{rng.randrange(10_000):05d}",
            "paid": f"2026-01-{rng.randrange(1, 29):02d} {rng.randrange(24):02d}:00:00",
            "method": rng.choice(METHODS),
            "amount": f"{rng.randrange(1, 100_000) / 100:.2f}",
        }
        for n in range(ROWS)
    ]


def values(rows: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    return {row["nr"]: (row["order_no"], row["amount"]) for row in rows}


# ---- what can be wrong with a row, whatever its file ----------------------------------------------------------------

RowDamage = Callable[[random.Random, dict[str, str]], None]


def blank_key(rng: random.Random, row: dict[str, str]) -> None:
    row["nr"] = ""


def blank_required(rng: random.Random, row: dict[str, str]) -> None:
    row[rng.choice(["order_no", "paid", "amount"])] = ""


def wrong_type(rng: random.Random, row: dict[str, str]) -> None:
    column = rng.choice(["paid", "amount"])
    row[column] = rng.choice(
        ["today", "１２.5元", "NaN", "1e400", "99999999999999999999", "2026-02-30 00:00:00", "--1"]
    )


def far_future(rng: random.Random, row: dict[str, str]) -> None:
    row["paid"] = "2099-01-01 00:00:00"


def huge_field(rng: random.Random, row: dict[str, str]) -> None:
    row["method"] = "长" * rng.choice([10_000, 300_000])


def odd_characters(rng: random.Random, row: dict[str, str]) -> None:
    row["method"] = rng.choice(["\u200b\u202e", "🙂" * 50, "\t\t", "a\r\nb", "';drop table src;--", "${HOME}", "\\N"])


def repeated_key(rng: random.Random, row: dict[str, str]) -> None:
    row["nr"] = "P0000"


ROW_DAMAGES: list[RowDamage] = [
    blank_key, blank_required, wrong_type, far_future, huge_field, odd_characters, repeated_key,
]  # fmt: skip


def damage_rows(rng: random.Random) -> tuple[list[dict[str, str]], dict[str, tuple[str, str]], str]:
    """Rows, the values of those nobody touched, and which damage was done."""
    rows = rows_of(rng)
    damage = rng.choice(ROW_DAMAGES)
    # The first row stays: it is the one that a repeated key repeats.
    touched = sorted(rng.sample(range(1, ROWS), rng.randrange(1, 6)))
    for position in touched:
        damage(rng, rows[position])
    good = [row for position, row in enumerate(rows) if position not in touched]
    return rows, values(good), damage.__name__


# ---- files --------------------------------------------------------------------------------------------------------


def csv_text(rows: list[dict[str, str]], delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def damage_bytes(rng: random.Random, content: bytes, rows: list[dict[str, str]]) -> Case:
    """Damage to a text file as such. What is put in touches the row that it stands in, what is cut off all that follow."""
    head, _, body = content.partition(b"\n")
    spot = rng.randrange(1, max(2, len(body) - 1))
    place = len(head) + 1 + spot
    before = [row for row in rows if _span(content, row)[1] < place]
    others = [row for row in rows if not _span(content, row)[0] <= place <= _span(content, row)[1]]
    match rng.randrange(11):
        case 0:
            return Case(content[: len(head) + 1 + spot], values(before), said="cut off")
        case 1:
            return Case(head + b"\n" + body[:spot] + b'"' + body[spot:], values(others), said="stray quote")
        case 2:
            noise = bytes(rng.randrange(256) for _ in range(8))
            return Case(head + b"\n" + body[:spot] + noise + body[spot:], values(others), said="noise")
        case 3:
            return Case(head + b"\n" + body[:spot] + b"\x00" + body[spot:], values(others), said="NUL")
        case 4:
            return Case(b"\xef\xbb\xbf" + content, values(rows), said="BOM")
        case 5:
            return Case(content.replace(b"\n", b"\r\n"), {}, is_whole=False, said="CRLF")
        case 6:
            return Case(content.decode("utf-8", "replace").encode("utf-16"), {}, is_whole=False, said="UTF-16")
        case 7:
            return Case(
                head.replace(b"amount", rng.choice([b"sum", b"nr", b"", b"AMOUNT "])) + b"\n" + body, {}, said="header"
            )
        case 8:
            return Case(b"", {}, said="empty")
        case 9:
            return Case(head, {}, said="header only")
        case _:
            return Case(content + content.partition(b"\n")[2], values(rows), said="twice over")


def _span(content: bytes, row: dict[str, str]) -> tuple[int, int]:
    """Where a row's text begins, and where the next one's does."""
    start = content.find(row["nr"].encode())
    end = content.find(row["amount"].encode(), start) + len(row["amount"])
    return start, end + 1


def damage_columns(rng: random.Random, content: bytes, rows: list[dict[str, str]], delimiter: bytes) -> Case:
    """One record with a column too many or too few."""
    plain = [n for n, row in enumerate(rows) if "\n" not in row["method"] and n]
    chosen = rng.choice(plain)
    key = rows[chosen]["nr"].encode()
    start = content.find(b"\n" + key) + 1
    end = content.find(b"\n", start)
    line = content[start:end]
    wrong = line + delimiter * 3 if rng.random() < 0.5 else line.split(delimiter)[0]
    good = [row for n, row in enumerate(rows) if n != chosen]
    return Case(content[:start] + wrong + content[end:], values(good), said="columns")


def make_csv(rng: random.Random, *, delimiter: str = ",", encoding: str = "utf-8", packed: bool = False) -> Case:
    if rng.random() < 0.4:
        rows, good, said = damage_rows(rng)
        # What an encoding has no character for is another defect than the one that is tried here.
        case = Case(csv_text(rows, delimiter).encode(encoding, "replace"), good, said=said)
    else:
        rows = rows_of(rng)
        content = csv_text(rows, delimiter).encode(encoding)
        if rng.random() < 0.3:
            case = damage_columns(rng, content, rows, delimiter.encode())
        elif encoding == "utf-8":
            case = damage_bytes(rng, content, rows)
        else:
            # A damaged byte of GB18030 changes where the characters after it begin: only the count can be asked for.
            damaged = damage_bytes(rng, content, rows)
            case = Case(damaged.content, {}, is_whole=False, said=f"{damaged.said} in {encoding}")
    if not packed:
        return case
    content = gzip.compress(case.content, mtime=0)
    match rng.randrange(5):
        case 0:
            return Case(content[: len(content) // 2], {}, is_whole=False, said="packed and cut off")
        case 1:
            return Case(case.content, {}, is_whole=False, said="not packed at all")
        case _:
            return Case(content, case.good, case.is_whole, f"packed, {case.said}")


def make_jsonl(rng: random.Random) -> Case:
    if rng.random() < 0.4:
        rows, good, said = damage_rows(rng)
        text = "\n".join(json.dumps(row, ensure_ascii=rng.random() < 0.5) for row in rows)
        return Case(text.encode(), good, said=said)
    rows = rows_of(rng)
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    chosen = rng.randrange(1, ROWS)
    line = lines[chosen]
    lines[chosen] = rng.choice(
        [
            line[: len(line) // 2], b"[1, 2, 3]", b"42", b"null", b'"text"', b"{}", b"{" * 200, line + line, b"\xff\xfe" + line,
            line.replace(b'"amount"', b'"amount": 1, "amount"'), line.replace(b"}", b', "deep": ' + b"[" * 50 + b"]" * 50 + b"}"),
            b'{"nr": NaN}', b"{'no': 'x'}", line.replace(b"}", b', "new_key_/~": 1}'), b"", b"   ", b"// comment",
        ]
    )  # fmt: skip
    good = [row for n, row in enumerate(rows) if n != chosen]
    ending = rng.choice([b"\n", b"\r\n", b"\n\n"])
    return Case(
        ending.join(lines) + rng.choice([b"", b"\n"]), values(good), said=f"line {chosen}: {lines[chosen][:20]!r}"
    )


def make_parquet(rng: random.Random) -> Case:
    rows, good, said = damage_rows(rng)
    table = pa.table({name: [row[name] for row in rows] for name in COLUMNS})
    kind = rng.randrange(6)
    if kind == 1:
        table = table.drop_columns([rng.choice(COLUMNS)])
    elif kind == 2:
        table = table.set_column(4, "amount", pa.array([[1.0]] * ROWS))
    elif kind == 3:
        table = table.slice(0, 0)
    text = io.BytesIO()
    pq.write_table(table, text)
    content = text.getvalue()
    if kind == 4:
        return Case(content[: rng.randrange(len(content))], {}, is_whole=False, said="cut off")
    if kind == 5:
        spot = rng.randrange(len(content) // 2, len(content))
        return Case(content[:spot] + b"\xff\x00\xff" + content[spot + 3 :], {}, is_whole=False, said="flipped bytes")
    return Case(content, good if kind == 0 else {}, kind == 0, said=f"{said}, {kind}")


def make_excel(rng: random.Random, folder: Path) -> Case:
    rows, good, said = damage_rows(rng)
    for row in rows:
        row["method"] = row["method"][:1000].replace("\t", " ")
    target = folder / "made.xlsx"
    frame = pa.table({name: [row[name] for row in rows] for name in COLUMNS})
    with scratch() as connection:
        load_extension(connection)
        connection.register("frame", frame)
        connection.execute(f"copy (select * from frame) to '{target}' (format xlsx, header true)")
    content = target.read_bytes()
    target.unlink()
    match rng.randrange(5):
        case 0:
            return Case(content[: rng.randrange(len(content))], {}, is_whole=False, said="cut off")
        case 1:
            spot = rng.randrange(len(content))
            return Case(
                content[:spot] + b"\xff\x00\xff" + content[spot + 3 :], {}, is_whole=False, said="flipped bytes"
            )
        case 2:
            return Case(csv_text(rows, ",").encode(), {}, is_whole=False, said="a CSV named .xlsx")
        case _:
            return Case(content, good, said=said)


MAKERS: dict[str, Callable[[random.Random, Path], Case]] = {
    "csv": lambda rng, folder: make_csv(rng),
    "csv_gz": lambda rng, folder: make_csv(rng, packed=True),
    "csv_gbk": lambda rng, folder: make_csv(rng, delimiter="|", encoding="gb18030"),
    "jsonl": lambda rng, folder: make_jsonl(rng),
    "parquet": lambda rng, folder: make_parquet(rng),
    "excel": make_excel,
}


# ---- judging -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fuzz:
    """A brand with one source, whose files are the cases."""

    settings: Settings
    brand: Brand

    @property
    def file(self) -> Path:
        """Where a file of the source may stand."""
        reader = self.brand.sources[0].files
        assert reader is not None and self.settings.sources_root is not None
        return self.settings.sources_root / reader.path.replace("*", "file")


def prepare(root: Path, kind: str) -> Fuzz:
    (root / "brands" / "fuzz" / "sources").mkdir(parents=True, exist_ok=True)
    (root / "files").mkdir(exist_ok=True)
    (root / "brands" / "fuzz" / "brand.yml").write_text(BRAND, encoding="utf-8")
    source = SOURCE.replace("{reader}", READERS[kind])
    (root / "brands" / "fuzz" / "sources" / "payments.yml").write_text(source, encoding="utf-8")
    settings = load_settings(
        "fuzz",
        {
            "TESSERA_BRANDS": str(root / "brands"),
            "TESSERA_SOURCES": str(root / "files"),
            "TESSERA_HOME": str(root / "home"),
        },
    )
    return Fuzz(settings, load_brand(settings))


def landed_by_file(fuzz: Fuzz) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """File → key → the (order, amount) that were landed with it."""
    found: dict[str, dict[str, list[tuple[str, str]]]] = {}
    with scratch() as connection:
        rows = connection.execute(
            f"""select source_file, payment_key, order_key, payment_amount::varchar
            from read_parquet('{fuzz.settings.lake}/raw/payments/*.parquet') order by source_file, source_row_number"""
        ).fetchall()
    for file, key, order, amount in rows:
        found.setdefault(file, {}).setdefault(key, []).append((order, amount))
    return found


def land_all(fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch, *, together: bool) -> str:
    """Land what is there; what was said of the files that were refused."""
    monkeypatch.setattr(land_module, "_ERRORS_SHOWN", 10_000)
    if not together:
        monkeypatch.setattr(batches_module, "GROUP_FILES", 1)
    try:
        land(fuzz.settings, fuzz.brand, "payments")
    except LandingError as error:
        return str(error)
    return ""


def judge(case: Case, name: str, batch: Batch | None, rows: dict[str, list[tuple[str, str]]], said: str) -> str:
    """Assert what must hold whatever the damage. Returns what became of the case."""
    if batch is None:
        assert f"- {name}: " in said, f"{name} ({case.said}): neither landed nor named in a message"
        assert not rows, f"{name} ({case.said}): refused, yet landed"
        return "refused"
    assert batch.rows_in == batch.rows_landed + batch.rows_quarantined, f"{name} ({case.said})"
    assert sum(map(len, rows.values())) == batch.rows_landed, f"{name} ({case.said})"
    if case.is_whole:
        for key, expected in case.good.items():
            # A damaged row may carry the key of a good one; it comes after it.
            assert rows.get(key, [None])[0] == expected, f"{name} ({case.said}): {key} was lost or changed"
    return "quarantined" if batch.rows_quarantined else "landed"


@pytest.mark.parametrize("together", [True, False], ids=["together", "alone"])
@pytest.mark.parametrize("kind", READERS)
def test_damaged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, together: bool) -> None:
    fuzz = prepare(tmp_path, kind)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    made: dict[str, Case] = {}
    for seed in range(0 if together else 1, CASES_PER_KIND, 2):
        name = fuzz.file.name.replace("file", f"case-{seed:03d}")
        made[name] = MAKERS[kind](random.Random(f"{kind}-{seed}"), tmp_path)
        (fuzz.file.parent / name).write_bytes(made[name].content)
        before[fuzz.file.parent / name] = made[name].content
    said = land_all(fuzz, monkeypatch, together=together)
    batches = {batch.source_file: batch for batch in read_batches(Lake(fuzz.settings.lake))}
    rows = landed_by_file(fuzz)
    came = Counter(judge(case, name, batches.get(name), rows.get(name, {}), said) for name, case in made.items())
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - set(before) == {
        path for path in fuzz.settings.lake.rglob("*") if path.is_file()
    }, "something was written outside the lake"
    assert {path: path.read_bytes() for path in before} == before, "a source was changed"
    # A wrong line of JSON is one wrong row: no damage that is tried here makes the whole file unreadable.
    assert came["refused"] or kind == "jsonl", f"the cases do not try much: {came}"
    assert came["quarantined"], f"the cases do not try much: {came}"


def test_three_hundred_cases_at_least() -> None:
    assert CASES_PER_KIND * len(READERS) >= 300


# ---- bombs and paths ------------------------------------------------------------------------------------------------


def test_packed_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    fuzz = prepare(tmp_path, "csv_gz")
    with gzip.open(fuzz.file, "wb", compresslevel=9) as stream:
        stream.write(",".join(COLUMNS).encode() + b"\n")
        for _ in range(300):
            stream.write(b"0,0,0,0,0000000\n" * (1 << 16))
    with pytest.raises(LandingError, match=r"file\.csv\.gz: unpacks to more than"):
        land(fuzz.settings, fuzz.brand, "payments")
    assert sum(path.stat().st_size for path in fuzz.settings.lake.rglob("*") if path.is_file()) < 1 << 20


def test_workbook_bomb_is_refused(tmp_path: Path) -> None:
    fuzz = prepare(tmp_path, "excel")
    with (
        zipfile.ZipFile(fuzz.file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as entry,
    ):
        for _ in range(300):
            entry.write(b"0" * (1 << 20))
    with pytest.raises(LandingError, match=r"file\.xlsx: unpacks to more than"):
        land(fuzz.settings, fuzz.brand, "payments")


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "a/../../secret.csv", "..\\secret.csv", "C:/x.csv"])
def test_paths_out_of_the_root_are_refused_in_the_configuration(tmp_path: Path, name: str) -> None:
    from orchestration.brands import BrandConfigError

    fuzz = prepare(tmp_path, "csv")
    (tmp_path / "secret.csv").write_text(csv_text(rows_of(random.Random(1)), ","), encoding="utf-8")
    source = tmp_path / "brands" / "fuzz" / "sources" / "payments.yml"
    source.write_text(source.read_text().replace("'*.csv'", json.dumps(name)), encoding="utf-8")
    with pytest.raises(BrandConfigError, match=r"reader\.path"):
        load_brand(fuzz.settings)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_links_out_of_the_root_are_refused(tmp_path: Path, what: str) -> None:
    fuzz = prepare(tmp_path, "csv")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file.csv").write_text(csv_text(rows_of(random.Random(1)), ","), encoding="utf-8")
    if what == "file":
        fuzz.file.symlink_to(outside / "file.csv")
    else:
        source = tmp_path / "brands" / "fuzz" / "sources" / "payments.yml"
        source.write_text(source.read_text().replace("*.csv", "inside/*.csv"), encoding="utf-8")
        fuzz = Fuzz(fuzz.settings, load_brand(fuzz.settings))
        fuzz.file.parent.symlink_to(outside)
    with pytest.raises(LandingError, match="link to a place outside"):
        land(fuzz.settings, fuzz.brand, "payments")


@pytest.mark.parametrize("name", ["file*.csv", "fi[l]e.csv", "fi'le.csv", "fi\nle.csv", "文件.csv", "a b;c.csv"])
def test_odd_file_names_are_read_or_refused_by_name(tmp_path: Path, name: str) -> None:
    fuzz = prepare(tmp_path, "csv")
    rows = rows_of(random.Random(2))
    (fuzz.file.parent / name).write_text(csv_text(rows, ","), encoding="utf-8")
    try:
        (batch,) = land(fuzz.settings, fuzz.brand, "payments")
    except LandingError as error:
        assert "rename it" in str(error)
    else:
        assert batch.rows_landed == ROWS
