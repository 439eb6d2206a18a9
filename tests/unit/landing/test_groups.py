"""Many small files read together become the batches that each would be alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.landing import batches as batches_module
from orchestration.landing import mapping as mapping_module
from orchestration.landing.errors import LandingError
from orchestration.landing.lake import Batch, read_batches
from orchestration.landing.land import pending
from orchestration.landing.mapping import within_file
from orchestration.landing.readers import SourceFile, read_together
from orchestration.warehouse import scratch

from .conftest import GOOD, HEADER, SALES_YML, Tiny

LOADED_AT = datetime(2026, 6, 1, tzinfo=UTC)
# Windows over the whole file: they would give other numbers over several.
WINDOWED = SALES_YML.replace(
    "order_line_number: line_no",
    "order_line_number: row_number() over (partition by order_no order by source_row_number)",
).replace("when: member is null", "when: count(*) over (partition by sku) > 1")


def together_and_alone(
    make: Callable[[Path], Tiny], root: Path, mapping: str, files: dict[str, str | bytes]
) -> list[tuple[list[Batch], list[tuple[Any, ...]], list[tuple[Any, ...]], str]]:
    """What is landed, set aside and said of the same files: read in groups, and one by one."""
    found = []
    for name, group_files in (("together", batches_module.GROUP_FILES), ("alone", 1)):
        (root / name).mkdir()
        tiny = make(root / name)
        tiny.configure("sources/sales.yml", mapping)
        for path, text in files.items():
            tiny.write(path, text)
        said = ""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batches_module, "GROUP_FILES", group_files)
            try:
                tiny.land(loaded_at=LOADED_AT)
            except LandingError as error:
                said = str(error)
        landed = sorted(read_batches(tiny.lake), key=lambda b: b.source_file)
        areas = []
        for area in ("raw", "quarantine"):
            has_files = any((tiny.lake.root / area).rglob("*.parquet"))
            sql = f"select * from '{tiny.lake.root}/{area}/order_lines/*.parquet' order by batch_id, source_row_number"
            areas.append(tiny.rows(sql) if has_files else [])
        found.append((landed, *areas, said))
    return found


def comparable(batch: Batch) -> dict[str, Any]:
    return asdict(batch) | {"file_mtime_ns": 0}


def assert_same(found: list[tuple[list[Batch], list[Any], list[Any], str]]) -> None:
    together, alone = found
    assert [comparable(b) for b in together[0]] == [comparable(b) for b in alone[0]]
    assert together[1:] == alone[1:]


_line = st.tuples(
    st.sampled_from(["o1", "o2", ""]),
    st.sampled_from(["1", "2", "x"]),
    st.sampled_from(["2026-01-01 08:00:00", "2027-01-01", "never"]),
    st.sampled_from(["m1", ""]),
    st.sampled_from(["s1", "s2", '"s,3"', '"two\nlines"']),
    st.sampled_from(["sale", "refund", "gift", ""]),
    st.sampled_from(["1", "two"]),
    st.sampled_from(["1.00", "", "9;9"]),
).map(",".join)
_odd = st.sampled_from(["", "o1,1", '"unclosed,1', "a" * 40, GOOD + ",more"])
_file = st.tuples(st.sampled_from([HEADER, HEADER + ",colour"]), st.lists(st.one_of(_line, _line, _odd), max_size=4))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(_file, min_size=2, max_size=5), windowed=st.booleans())
def test_group_gives_what_its_files_give_alone(
    make_tiny: Callable[[Path], Tiny], files: list[tuple[str, list[str]]], windowed: bool
) -> None:
    mapping = (WINDOWED if windowed else SALES_YML) + "quarantine: {max_share: 0.9, tolerated_rows: 2}\n"
    texts: dict[str, str | bytes] = {}
    for number, (header, lines) in enumerate(files, start=1):
        wide = [line + ",red" if header != HEADER and line.count(",") == 7 else line for line in lines]
        texts[f"sales/2026-01-{number:02d}.csv"] = "\n".join([header, *wide]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        assert_same(together_and_alone(make_tiny, Path(folder), mapping, texts))


def test_expression_that_raises_in_one_file_of_a_group_sets_that_row_aside_only(
    tmp_path: Path, make_tiny: Callable[[Path], Tiny]
) -> None:
    mapping = SALES_YML.replace("quantity: qty", "quantity: qty::decimal(18, 4)")
    files: dict[str, str | bytes] = {
        f"sales/2026-01-0{n}.csv": f"{HEADER}\n{GOOD}\n{GOOD.replace('o1', 'o2').replace('2,10', f'{n},10')}\n"
        for n in range(1, 5)
    }
    files["sales/2026-01-03.csv"] = f"{HEADER}\n{GOOD}\n{GOOD.replace('o1', 'o2').replace(',2,10', ',two,10')}\n"
    found = together_and_alone(make_tiny, tmp_path, mapping, files)
    assert_same(found)
    assert [batch.rows_quarantined for batch in found[0][0]] == [0, 0, 1, 0]


def test_files_of_other_kinds_are_grouped_too(tmp_path: Path, make_tiny: Callable[[Path], Tiny]) -> None:
    mapping = SALES_YML.replace("kind: csv", "kind: csv, encoding: gb18030")
    files: dict[str, str | bytes] = {
        f"sales/2026-01-0{n}.csv": f"{HEADER}\n{GOOD.replace('m1', '会员')}\n".encode("gb18030") for n in range(1, 4)
    }
    files["sales/2026-01-02.csv"] += b"o2,1,2026-01-01 08:00:00,\xff\xff,s,sale,1,1\n"  # type: ignore[operator]
    found = together_and_alone(make_tiny, tmp_path, mapping, files)
    assert_same(found)
    assert [batch.rows_quarantined for batch in found[0][0]] == [0, 1, 0]


@pytest.mark.parametrize(
    "reader", ["kind: csv,", "kind: csv, null_values: [],", "kind: csv, skip_lines: 0, null_values: ['', '-'],"]
)
def test_ends_of_lines_marks_and_blank_lines_may_differ_from_file_to_file(
    tmp_path: Path, make_tiny: Callable[[Path], Tiny], reader: str
) -> None:
    lines = [HEADER, GOOD, GOOD.replace("o1", "o2").replace("m1", ""), GOOD.replace("o1", "o3").replace("m1", "-")]
    files: dict[str, str | bytes] = {
        "sales/2026-01-01.csv": "\n".join(lines) + "\n",
        "sales/2026-01-02.csv": "\r\n".join(lines) + "\r\n",
        "sales/2026-01-03.csv": "\r".join(lines) + "\r",
        "sales/2026-01-04.csv": "\ufeff" + "\n".join(lines),
        "sales/2026-01-05.csv": "\n".join([lines[0], "", *lines[1:], "", ""]),
        "sales/2026-01-06.csv": lines[0],
        "sales/2026-01-07.csv": "\n".join([lines[0], lines[1] + "\r", *lines[2:]]) + "\n",
    }
    found = together_and_alone(make_tiny, tmp_path, SALES_YML.replace("kind: csv,", reader), files)
    assert_same(found)


def test_end_of_a_file_that_the_engine_drops_in_a_group_is_found(
    tmp_path: Path, make_tiny: Callable[[Path], Tiny]
) -> None:
    """DuckDB 1.5 reads these three with one thread as one row and no error; alone, the third has a malformed record."""
    mapping = SALES_YML + "quarantine: {max_share: 0.5, tolerated_rows: 2}\n"
    files: dict[str, str | bytes] = {
        "sales/2026-01-01.csv": HEADER + "\n",
        "sales/2026-01-02.csv": HEADER + "\n",
        "sales/2026-01-03.csv": f'{HEADER}\n{GOOD}\n"unclosed,1\n',
    }
    found = together_and_alone(make_tiny, tmp_path, mapping, files)
    assert_same(found)
    assert found[0][0][2].rows_quarantined == 1
    (tmp_path / "sources").mkdir()
    paths = [tmp_path / "sources" / f"{number}.csv" for number in range(3)]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(str(text))
    listed = [SourceFile(path, path.name, None) for path in paths]
    columns: dict[str, str] = dict.fromkeys(list[str](HEADER.split(",")), "VARCHAR")
    (source,) = make_tiny(tmp_path / "brand").brand.sources
    for threads in (1, 2):
        with scratch() as connection:
            connection.execute(f"set threads = {threads}")
            assert not read_together(connection, source, listed, columns, table="rows_of_all", number="file_number")
            assert read_together(connection, source, listed[:2], columns, table="rows_of_all", number="file_number")


def test_refused_file_of_a_group_leaves_the_others(tiny: Tiny) -> None:
    for number in range(1, 6):
        tiny.sales(GOOD.replace("o1", f"o{number}"), day=f"2026-01-0{number}")
    tiny.write("sales/2026-01-02.csv", "")
    tiny.sales("o4,1,never,m1,s1,sale,2,1", day="2026-01-04")
    with pytest.raises(LandingError, match=r"2 of 5 file\(s\) could not be landed, 3 were"):
        tiny.land()
    assert [p.file.name[-6:-4] for p in pending(tiny.settings, tiny.brand)] == ["02", "04"]
    assert tiny.rows("select order_key, source_row_number from {raw} order by 1") == [("o1", 1), ("o3", 1), ("o5", 1)]


def test_large_file_is_not_gathered(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "SMALL_BYTES", 150)
    grouped: list[int] = []
    land_group = batches_module._land_group
    monkeypatch.setattr(
        batches_module, "_land_group", lambda load, group: grouped.append(len(group)) or land_group(load, group)
    )
    for number in range(1, 6):
        lines = [GOOD.replace("o1", f"o{n}") for n in range(1, 5 if number == 3 else 2)]
        tiny.sales(*lines, day=f"2026-01-0{number}")
    assert len(tiny.land()) == 5
    assert grouped == [2, 2]


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("upper(a)", "upper(a)"),
        ("count(*) over ()", "PARTITION BY tessera_file"),
        ("lag(a, 2, 'none') over (partition by b order by c desc nulls last)", "PARTITION BY tessera_file, b"),
        (
            "sum(a) over (order by b rows between 2 preceding and 1 following)",
            "ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING",
        ),
    ],
)
def test_window_is_computed_file_by_file(expression: str, written: str) -> None:
    with scratch() as connection:
        assert written in within_file(connection, expression)


def test_expression_that_cannot_be_written_anew_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than trust the engine's printer, what it printed is read again and compared."""
    with scratch() as connection:
        with pytest.raises(LandingError, match="subquery"):
            within_file(connection, "count(*) over (order by (select 1))")
        monkeypatch.setattr(mapping_module, "_meaning", lambda tree: object())
        with pytest.raises(LandingError, match="cannot be written anew"):
            within_file(connection, "count(*) over (partition by a_name_that_no_other_test_uses)")
