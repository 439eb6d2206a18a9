"""Text and Parquet files: what is read of them, what is set aside and under which number, and what is refused."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.landing.errors import LandingError
from orchestration.landing.readers import SourceFile, file_columns, parquet, read, text
from orchestration.warehouse import scratch

from .reader_case import found_in, source


def jsonl(folder: Path, content: bytes | str, **more: object):
    return found_in(folder, content, "given.jsonl", kind="jsonl", **more)


# ---- delimited text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reader"),
    [
        ("a;b\n1;2\n", {"delimiter": ";"}),
        ("a\tb\n1\t2\n", {"delimiter": "\t"}),
        ("a，b\n1，2\n", {"delimiter": "，"}),
        ("1|2\n", {"delimiter": "|", "header": False, "columns": ["a", "b"]}),
        ("日报\n\n'a','b'\n'1','2'\n", {"quote": "'", "skip_lines": 2}),
        ('Report "x\ny\na,b\n1,2\n', {"skip_lines": 2}),  # a quote in a title is no quote
        ("title\r\na,b\r\n1,2", {"skip_lines": 1}),
        ("t\ra,b\r1,2\r", {"skip_lines": 1}),
        ("  a b\n\n 1\t 2  \n", {"delimiter": "whitespace"}),
        ("\ufeffa,b\n1,2\n", {}),
        ("\ufeffa,b\n1,2\n", {"encoding": "utf-16-le"}),
        ("a,b\n1,2\n", {"encoding": "utf-16"}),
    ],
)
def test_layouts_of_delimited_text(tmp_path: Path, content: str, reader: dict[str, object]) -> None:
    found = found_in(tmp_path, content.encode(str(reader.get("encoding", "utf-8"))), **reader)
    assert found.columns == {"a": "VARCHAR", "b": "VARCHAR"}
    assert found.rows == [(1, "1", "2")]
    assert found.rejected == []


def test_quotes_may_mean_nothing(tmp_path: Path) -> None:
    found = found_in(tmp_path, 'a|b\n1|"x\n2|y"z\n', delimiter="|", quote="")
    assert found.rows == [(1, "1", '"x'), (2, "2", 'y"z')]


def test_null_values_are_those_of_the_source(tmp_path: Path) -> None:
    content = 'a,b\nNULL,\\N\n"",x\n'
    assert found_in(tmp_path, content, null_values=["NULL", "\\N"]).rows == [(1, None, None), (2, "", "x")]
    assert found_in(tmp_path, content).rows == [(1, "NULL", "\\N"), (2, None, "x")]
    assert found_in(tmp_path, "a,b\n,x\n", null_values=[]).rows == [(1, "", "x")]
    words = found_in(tmp_path, "a b\n- 1\n", delimiter="whitespace", null_values=["-"])
    assert words.rows == [(1, None, "1")]


@pytest.mark.parametrize(
    "content",
    ["a,b\r\n1,2\n3,4\r\n5,6\n", "a,b\n1,2\r\n3,4\n5,6\r\n", "a,b\r1,2\r3,4\r5,6", "a,b\n1,2\n\n3,4\r\n\r\n5,6\n\n"],
)
def test_lines_may_end_in_different_ways(tmp_path: Path, content: str) -> None:
    assert found_in(tmp_path, content).rows == [(1, "1", "2"), (2, "3", "4"), (3, "5", "6")]


def test_a_carriage_return_in_a_field_is_kept(tmp_path: Path) -> None:
    found = found_in(tmp_path, 'a,b\n1,x\ry\n2,"u\r\nv"\n3,"\r"\n')
    assert found.rows == [(1, "1", "x\ry"), (2, "2", "u\r\nv"), (3, "3", "\r")]


def test_records_have_their_place_whatever_stands_between_them(tmp_path: Path) -> None:
    """Field of many lines, blank lines, records with too few and too many fields, a byte that is no text."""
    found = found_in(tmp_path, b'a,b\n1,"x\n\ny"\n\n2\n3,4\n\n5,6,7\n8,\xff\n9,10\n')
    assert [row[0] for row in found.rows] == [1, 3, 6]
    assert found.reasons == [(2, "missing_columns"), (4, "too_many_columns"), (5, "invalid_encoding")]
    assert found.rows[0][2] == "x\n\ny"


def test_a_column_may_be_called_rowid(tmp_path: Path) -> None:
    assert found_in(tmp_path, "rowid,b\n7,8\n9,10\n").rows == [(1, "7", "8"), (2, "9", "10")]


def test_numbers_are_those_of_the_file_when_many_threads_read_it(tmp_path: Path) -> None:
    lines = [f"{n},{'x' * (n % 40)}" for n in range(1, 400_001)]
    lines[199_999] = "200000"
    found = found_in(tmp_path, "a,b\n" + "\n".join(lines))
    assert found.reasons == [(200_000, "missing_columns")]
    assert all(number == int(value) for number, value, _ in found.rows)
    assert len(found.rows) == 399_999


@pytest.mark.parametrize("before", [0, 1, 5_000])
def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path, before: int) -> None:
    """DuckDB alone would swallow all that follow and keep 10,000 characters of it."""
    good = [f"{n},好评 {n}" for n in range(20_000)]
    lines = [*good[:before], '-1,"open', *good[before:]]
    found = found_in(tmp_path, "a,b\n" + "\n".join(lines) + "\n")
    assert found.reasons == [(before + 1, "unquoted_value")]
    assert json.loads(found.rejected[0][2]) == {"csv_line": '-1,"open'}
    assert [(row[1], row[2]) for row in found.rows] == [tuple(line.split(",")) for line in good]
    assert [row[0] for row in found.rows] == [n for n in range(1, 20_002) if n != before + 1]


def test_broken_quotes_among_good_ones(tmp_path: Path) -> None:
    lines = [
        '1,"x ""y"" z"',
        '2,"a"b',
        '3,"m\nn"',
        '4,"open',
        '5,plain "quoted" inside',
        '6,"two\nand ""more""\nlines"',
        '7,"8"',
    ]
    found = found_in(tmp_path, "a,b\n" + "\n".join(lines) + "\n")
    assert [(row[0], row[2]) for row in found.rows] == [
        (1, 'x "y" z'), (3, "m\nn"), (5, 'plain "quoted" inside'), (6, 'two\nand "more"\nlines'), (7, "8"),
    ]  # fmt: skip
    assert found.reasons == [(2, "unquoted_value"), (4, "unquoted_value")]


def test_a_quote_that_is_never_closed_in_the_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match=r"given\.csv: .*(first line|column)"):
        found_in(tmp_path, 'a,"b\n1,2\n3,4\n')


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n1,2\n", "first line is blank"),
        ("a,A\n1,2\n", "there twice"),
        (b"\xff,b\n1,2\n", "is not utf-8"),
    ],
)
def test_a_header_that_names_nothing_is_refused_with_a_remedy(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(LandingError, match=said):
        found_in(tmp_path, content)


# ---- encodings and packing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "big5", "shift_jis", "latin-1", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings(tmp_path: Path, encoding: str, packed: bool) -> None:
    word = "café" if encoding == "latin-1" else "中文"
    content = "".join([f"a,{word}\n", *(f"{n},{word}{n}\n" for n in range(100_000))]).encode(encoding)
    name = "given.csv.gz" if packed else "given.csv"
    found = found_in(tmp_path, gzip.compress(content, 1) if packed else content, name, encoding=encoding)
    assert list(found.columns) == ["a", word]
    assert found.rows[0] == (1, "0", f"{word}0") and found.rows[-1] == (100_000, "99999", f"{word}99999")
    assert len(found.rows) == 100_000


def test_bytes_that_an_encoding_does_not_know_cost_their_own_row_only(tmp_path: Path) -> None:
    lines = [f"{n},中文".encode("gbk") for n in range(1, 9)]
    lines[2], lines[4], lines[6] = b"3,\xff", b"5,\x81", b"7"
    found = found_in(tmp_path, b"a,b\n" + b"\n".join(lines), encoding="gbk")
    assert [row[0] for row in found.rows] == [1, 2, 4, 6, 8]
    assert found.reasons == [(3, "invalid_encoding"), (5, "invalid_encoding"), (7, "missing_columns")]


def test_a_bomb_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "TOLERATED_BYTES", 1 << 20)
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * (1 << 20))
    with pytest.raises(LandingError, match=r"given\.csv\.gz: unpacks to more than 200 times"):
        found_in(tmp_path, packed, "given.csv.gz")
    with pytest.raises(LandingError, match="unpacks to more than"):
        found_in(tmp_path, packed, "given.jsonl.gz", kind="jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given.csv.gz", "given.jsonl.gz"]


def test_what_does_not_fit_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(LandingError, match="half of the free disk"):
        found_in(tmp_path, gzip.compress(b"a,b\n" + b"1,2\n" * 10), "given.csv.gz")


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", gzip.compress(b"a,b\n" + random.Random(1).randbytes(9_000), mtime=0)[:5_000]]
)
def test_what_cannot_be_unpacked_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(LandingError, match=r"given\.csv\.gz: cannot be unpacked"):
        found_in(tmp_path, content, "given.csv.gz")


# ---- JSON Lines -----------------------------------------------------------------------------------------------------


def test_every_key_of_the_file_is_a_column(tmp_path: Path) -> None:
    found = jsonl(
        tmp_path,
        '{"a": 1, "b": {"x": [1, "中"]}, "c": null}\n' * 3_000 + '{"late/~key": true, "a": "s", "q \\"z": 2.50}\n',
    )
    assert set(found.columns) == {"a", "b", "c", "late/~key", 'q "z'}
    assert set(found.columns.values()) == {"VARCHAR"}
    names = list(found.columns)
    first, last = dict(zip(names, found.rows[0][1:], strict=True)), dict(zip(names, found.rows[-1][1:], strict=True))
    assert (first["a"], json.loads(first["b"]), first["c"]) == ("1", {"x": [1, "中"]}, None)
    assert (last["a"], last["late/~key"], last['q "z'], last["b"]) == ("s", "true", "2.5", None)
    assert last == last | {"c": None} and found.rows[-1][0] == 3_001


def test_lines_that_are_no_object_are_set_aside_by_themselves(tmp_path: Path) -> None:
    lines = [
        '{"a": 1}',
        "",
        "null",
        "[1, 2]",
        "42",
        '"text"',
        '{"a": 2',
        '{"a": 3}{"a": 4}',
        "  ",
        "{}",
        ' {"a": 5} ',
        "{'a': 6}",
    ]
    found = jsonl(tmp_path, "\n".join(lines))
    assert found.rows == [(1, "1"), (8, None), (9, "5")]
    assert found.reasons == [
        (2, "not_an_object"), (3, "not_an_object"), (4, "not_an_object"), (5, "not_an_object"),
        (6, "not_json"), (7, "not_json"), (10, "not_json"),
    ]  # fmt: skip
    assert json.loads(found.rejected[4][2]) == {"line": '{"a": 2'}


@pytest.mark.parametrize("line", ["null", "[1]", "7"])
def test_one_line_that_is_no_object_is_found(tmp_path: Path, line: str) -> None:
    found = jsonl(tmp_path, f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    assert (found.rows, found.reasons) == ([(1, "1"), (3, "2")], [(2, "not_an_object")])


def test_unreadable_lines_have_their_number_among_the_others(tmp_path: Path) -> None:
    utf8 = jsonl(tmp_path, b'{"a": 1}\n{"a": "\xff"}\n\n{"a": 3}\nbad\n{"a": 5}\n')
    gbk = jsonl(tmp_path, '{"a": 1}\n'.encode("gbk") + b'{"a": "\xff"}\n\n{"a": 3}\nbad\n{"a": 5}\n', encoding="gbk")
    for found in (utf8, gbk):
        assert found.rows == [(1, "1"), (3, "3"), (5, "5")]
        assert found.reasons == [(2, "invalid_encoding"), (4, "not_json")]


def test_a_line_that_is_too_long_is_set_aside(tmp_path: Path) -> None:
    found = jsonl(tmp_path, '{"a": 1}\n{"a": "' + "x" * (17 << 20) + '"}\n{"a": 2}\n')
    assert [(row[0], row[1]) for row in found.rows] == [(1, "1"), (3, "2")]
    assert found.reasons == [(2, "line_size_over_maximum")]


def test_packed_and_foreign_json_lines(tmp_path: Path) -> None:
    content = '{"a": "中"}\n{"b": 2}\n'.encode("gb18030")
    found = found_in(tmp_path, gzip.compress(content), "given.jsonl.gz", kind="jsonl", encoding="gb18030")
    assert found.rows == [(1, "中", None), (2, None, "2")]


@pytest.mark.parametrize(
    ("content", "said"),
    [("[]\n", "no JSON object"), ('{"a": 1, "A": 2}\n', "there twice"), ('{"": 1}\n', "key of its objects is empty")],
)
def test_json_lines_without_columns_are_refused(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(LandingError, match=said):
        jsonl(tmp_path, content)


def test_lines_of_one_file_are_never_taken_for_those_of_another(tmp_path: Path) -> None:
    given = source(kind="jsonl", path="*.jsonl")
    files = [SourceFile(tmp_path / f"{n}.jsonl", f"{n}.jsonl", None) for n in range(3)]
    for n, file in enumerate(files):
        file.path.write_text(f'{{"a": {n}}}\n')
    with scratch() as connection:
        columns = [file_columns(connection, given, file) for file in files]
        for n in (2, 0, 1, 1):
            read(connection, given, files[n], columns[n], tmp_path)
            assert connection.execute("select a from src").fetchall() == [(str(n),)]


# ---- Parquet --------------------------------------------------------------------------------------------------------


def test_parquet_keeps_its_types_and_numbers(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array(range(300_000), pa.int32()), "b": pa.array([["x"]] * 300_000)})
    pq.write_table(table, tmp_path / "made.parquet", row_group_size=7_000)
    found = found_in(tmp_path, (tmp_path / "made.parquet").read_bytes(), "given.parquet", kind="parquet")
    assert found.columns == {"a": "INTEGER", "b": "VARCHAR[]"}
    assert all(number == value + 1 for number, value, _ in found.rows)


def test_a_parquet_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"a": ["same"] * 1_000_000}), tmp_path / "made.parquet")
    content = (tmp_path / "made.parquet").read_bytes()
    assert len(found_in(tmp_path, content, "given.parquet", kind="parquet").rows) == 1_000_000
    monkeypatch.setattr(parquet, "TOLERATED_ROWS", 100_000)
    with pytest.raises(LandingError, match=r"given\.parquet: has 1,000,000 rows in"):
        found_in(tmp_path, content, "given.parquet", kind="parquet")
