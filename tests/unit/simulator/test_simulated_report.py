"""The calibration report: its statistics on small hands-on data, and the whole of it where the public data are."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from simulated import Written

from simulator.report import PICTURE, REPORT, Behaviour, Figure, main, purchase_gaps, sorted_behaviour, to_markdown

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def _behaviour() -> Behaviour:
    return sorted_behaviour(
        user=np.array([2, 1, 1, 1]),
        item=np.array([7, 5, 5, 6]),
        kind=np.array(["pv", "pv", "buy", "pv"]),
        at=np.array([50, 100, 130, 9_000]),
    )


def test_statistics_of_behaviour() -> None:
    found = _behaviour()
    assert found.per_user().tolist() == [3, 1]
    assert found.gaps().tolist() == [30]  # the next one is another session, and no gap spans two users
    assert found.per_session() == pytest.approx(4 / 3)
    assert (found.share("pv"), found.share("buy")) == (0.75, 0.25)
    assert found.top_share(0.3) == 0.5
    assert found.hours()[[0, 2]].tolist() == [0.75, 0.25]


def test_gaps_between_purchases_are_those_of_one_buyer_on_different_days() -> None:
    assert purchase_gaps(np.array([1, 1, 1, 2, 2]), np.array([3, 3, 10, 1, 5])).tolist() == [7, 4]


def test_a_figure_outside_its_factor_is_said_to_be() -> None:
    near = Figure("basket", "lines", "A", 2.0, 2.5, 1.5)
    far = Figure("basket", "lines", "A", 2.0, 4.0, 1.5)
    apart = Figure("basket", "lines", "A", 2.0, 9.0, None, "other trade")
    assert (near.is_near, far.is_near, apart.is_near) == (True, False, None)
    page = to_markdown([near, far, apart], 100, 1)
    assert (
        "1 of 2 judged" in page and "**outside** a factor of 1.5" in page and "differs on purpose: other trade" in page
    )


def test_missing_data_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sources", str(tmp_path), "--target", str(tmp_path)]) == 2
    assert "cdnow/CDNOW_master.txt" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "cdnow").exists(), reason="the public data are not beside the repository")
def test_the_simulated_brand_is_near_real_shops(tmp_path: Path) -> None:
    assert main(["--sources", str(DATA), "--target", str(tmp_path), "--members", "10000"]) == 0
    page = (tmp_path / REPORT).read_text(encoding="utf-8")
    for subject in (
        "activity",
        "inter-event gap",
        "inter-purchase gap",
        "funnel",
        "basket size",
        "popularity",
        "hour of day",
    ):
        assert subject in page
    assert (tmp_path / PICTURE).read_text(encoding="utf-8").count("<polyline") == 2


def test_the_workbook_of_stores_is_one_and_has_no_time_in_it(brand: Written) -> None:
    with zipfile.ZipFile(brand.sources / "pos/stores.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert {part.date_time for part in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert sheet.count("<row") == 1 + brand.config.stores
    assert "门店编码" in sheet and "S001" in sheet
