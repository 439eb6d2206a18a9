"""Which files a source has, wherever they are: below a root, extracted, or in an object store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile

from orchestration.landing.errors import LandingError
from orchestration.landing.readers import files as files_module
from orchestration.landing.readers import list_files
from orchestration.settings import Settings

from .reader_case import source


def settings(root: Path) -> Settings:
    (root / "sources").mkdir(exist_ok=True)
    return Settings(brand="given", home=root / "home", brands_dir=root, sources_root=root / "sources")


# ---- below a root ---------------------------------------------------------------------------------------------------


def test_generated_files_are_asked_for_by_the_command_that_makes_them(tmp_path: Path) -> None:
    given, where = source(kind="csv", path="orders/{date}.csv", location="generated"), settings(tmp_path)
    with pytest.raises(LandingError, match="tessera run --brand given"):
        list_files(where, given)
    target = where.generated_sources / "orders" / "2026-01-02.csv"
    target.parent.mkdir(parents=True)
    target.write_text("a\n1\n")
    (found,) = list_files(where, given)
    assert (found.path, found.name, found.business_date) == (target, "orders/2026-01-02.csv", date(2026, 1, 2))


def test_extracts_are_listed_by_name(tmp_path: Path) -> None:
    given = source("full", kind="api", base_url="https://shop.example", endpoint="orders")
    where = settings(tmp_path)
    assert list_files(where, given) == []
    folder = where.lake / "extracts" / "given"
    folder.mkdir(parents=True)
    for name in ("b.parquet", "a.parquet", "a.parquet.part", "state.json"):
        (folder / name).write_bytes(b"")
    assert [file.name for file in list_files(where, given)] == ["extracts/given/a.parquet", "extracts/given/b.parquet"]


@pytest.mark.parametrize("what", ["pipe", "dangling link", "link out", "folder link out"])
def test_what_is_no_file_below_the_root_is_refused(tmp_path: Path, what: str) -> None:
    where, outside = settings(tmp_path), tmp_path / "outside"
    outside.mkdir()
    (outside / "x.csv").write_text("a\n1\n")
    place = tmp_path / "sources" / "in"
    if what == "folder link out":
        place.symlink_to(outside)
    else:
        place.mkdir()
    if what == "pipe":
        os.mkfifo(place / "x.csv")
    elif what == "dangling link":
        (place / "x.csv").symlink_to(place / "gone.csv")
    elif what == "link out":
        (place / "x.csv").symlink_to(outside / "x.csv")
    with pytest.raises(LandingError, match=r"in/x\.csv: is (no file to read|a link to a place outside)"):
        list_files(where, source(kind="csv", path="in/*.csv"))


# ---- an object store ------------------------------------------------------------------------------------------------


@pytest.fixture
def store() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def stored(path: str = "orders/*.csv", url: str = "memory://bucket/shop") -> Any:
    return source(kind="csv", path=path, location="object_store", url=url)


def test_objects_are_fetched_once_and_again_when_they_change(
    tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe("/bucket/shop/orders/a.csv", b"a\n1\n")
    store.pipe("/bucket/shop/orders/2026.csv.gz", b"not asked for")
    store.pipe("/bucket/shop/other/a.csv", b"not asked for")
    where, fetched = settings(tmp_path), []
    get_file = store.get_file
    monkeypatch.setattr(
        type(store),
        "get_file",
        lambda self, path, *more, **options: (fetched.append(path), get_file(path, *more, **options)),
    )
    (first,) = list_files(where, stored())
    (again,) = list_files(where, stored())
    assert first == again and len(fetched) == 1
    assert first.name == "memory://bucket/shop/orders/a.csv"
    assert first.path.read_bytes() == b"a\n1\n" and first.path.is_relative_to(where.lake / "fetched" / "given")
    store.pipe("/bucket/shop/orders/a.csv", b"a\n2\n3\n")
    (changed,) = list_files(where, stored())
    assert changed.path.read_bytes() == b"a\n2\n3\n" and changed.name == first.name
    assert list(changed.path.parent.iterdir()) == [changed.path], "the copy of the earlier state is removed"


def test_a_copy_has_the_time_of_its_object(tmp_path: Path, store: Any) -> None:
    store.pipe("/bucket/shop/orders/a.csv", b"a\n1\n")
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    store.store["/bucket/shop/orders/a.csv"].created = moment
    (file,) = list_files(settings(tmp_path), stored())
    assert file.path.stat().st_mtime == moment.timestamp()


def test_dates_and_missing_objects(tmp_path: Path, store: Any) -> None:
    for day in ("2026-01-02", "2026-01-01", "latest"):
        store.pipe(f"/bucket/shop/orders/{day}.csv", b"a\n1\n")
    found = list_files(settings(tmp_path), stored("orders/{date}.csv"))
    assert [file.business_date for file in found] == [date(2026, 1, 1), date(2026, 1, 2)]
    with pytest.raises(LandingError, match=r"no file none/\*\.csv in memory://bucket/shop"):
        list_files(settings(tmp_path), stored("none/*.csv"))


@pytest.mark.parametrize(
    "key", ["orders/../../../../escaped.csv", "orders/a b;$(x)'\n.csv", "orders/" + "长" * 80 + ".csv", "orders/*.csv"]
)
def test_no_name_of_an_object_leads_out_of_the_cache(tmp_path: Path, store: Any, key: str) -> None:
    place = f"/bucket/shop/{key}"
    store.store[place] = MemoryFile(store, place, b"a\n1\n")
    where = settings(tmp_path)
    try:
        found = list_files(where, stored("*/*.csv"))
    except LandingError as error:
        assert "no file" in str(error)
        found = []
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {file.path for file in found}
    assert all(path.parent == where.lake / "fetched" / "given" for path in written)


def test_a_store_that_fails_says_where_and_nothing_of_its_secrets(
    tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe("/bucket/shop/orders/a.csv", b"a\n1\n")

    def fail(*_: object, **__: object) -> None:
        raise PermissionError("denied for key AKIASECRET")

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "get_file", fail)
        with pytest.raises(LandingError, match=r"orders/a\.csv: cannot be fetched .*PermissionError") as told:
            list_files(settings(tmp_path), stored())
    assert "SECRET" not in str(told.value)
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "glob", fail)
        with pytest.raises(LandingError, match=r"memory://bucket/shop cannot be listed") as told:
            list_files(settings(tmp_path), stored())
    assert "SECRET" not in str(told.value)


def test_a_copy_that_broke_off_is_refused(tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe("/bucket/shop/orders/a.csv", b"a\n1\n")
    monkeypatch.setattr(type(store), "get_file", lambda self, path, target: Path(target).write_bytes(b"a\n"))
    with pytest.raises(LandingError, match="broke off"):
        list_files(settings(tmp_path), stored())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_object_that_would_fill_the_disk_is_not_fetched(
    tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe("/bucket/shop/orders/a.csv", b"a\n1\n")
    monkeypatch.setattr(files_module.shutil, "disk_usage", lambda _: type("", (), {"free": 6})())
    with pytest.raises(LandingError, match="half of the free disk"):
        list_files(settings(tmp_path), stored())


@pytest.mark.parametrize(
    "url", ["file:///etc", "local:///etc", "simplecache::memory://bucket", "zip://x::file:///etc/a.zip"]
)
def test_a_url_is_that_of_a_store(tmp_path: Path, url: str) -> None:
    try:
        given = stored("*.csv", url)
    except ValueError:
        return  # the configuration refuses it already
    with pytest.raises(LandingError, match="use location: sources"):
        list_files(settings(tmp_path), given)


def test_a_store_without_its_package_says_which(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match=r"needs a package that is not installed.*s3fs for s3://"):
        list_files(settings(tmp_path), stored(url="adl://bucket"))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, bytes], None]]:
    """An S3 server of this process, on loopback; a function that puts an object into its bucket."""
    pytest.importorskip("s3fs", reason="s3fs, which speaks S3, is not among the locked packages")
    server_module = pytest.importorskip("moto.server", reason="moto, the S3 server, is not among the locked packages")
    import s3fs

    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("bucket")
    yield lambda key, content: system.pipe(f"bucket/{key}", content)
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_s3_itself(tmp_path: Path, s3: Callable[[str, bytes], None]) -> None:
    given, where = stored("orders/{date}.csv", "s3://bucket/shop"), settings(tmp_path)
    s3("shop/orders/2026-01-01.csv", b"a\n1\n")
    s3("shop/orders/2026-01-02.csv", b"a\n2\n")
    s3("shop/orders/readme.txt", b"no")
    found = list_files(where, given)
    assert [(file.name, file.path.read_bytes()) for file in found] == [
        ("s3://bucket/shop/orders/2026-01-01.csv", b"a\n1\n"),
        ("s3://bucket/shop/orders/2026-01-02.csv", b"a\n2\n"),
    ]
    s3("shop/orders/2026-01-02.csv", b"a\n3\n")
    again = list_files(where, given)
    assert [file.path.read_bytes() for file in again] == [b"a\n1\n", b"a\n3\n"]
    assert again[0].path == found[0].path and again[1].path != found[1].path
