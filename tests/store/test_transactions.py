"""Transactions: all or nothing, one writer at a time, and errors with a remedy."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from backend.store import engine as engines
from backend.store import schema
from backend.store.engine import DatabaseUrlError
from backend.store.unit_of_work import Store, StoreUnavailableError
from tests.store.samples import NOW, image, register


def in_thread(work: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


class TestTransaction:
    def test_leaves_nothing_behind_when_it_fails(self, store: Store) -> None:
        with pytest.raises(RuntimeError), store.transaction() as unit:
            write_and_fail(unit.images.add)

        with store.snapshot() as unit:
            assert unit.images.count() == 0

    def test_waits_for_another_writer(self, store: Store) -> None:
        register(store, image("first"))
        both_started = threading.Barrier(4)

        def count_on() -> None:
            both_started.wait()
            for _ in range(5):
                with store.transaction() as unit:  # looks first, writes then
                    unit.images.add([image(f"n{unit.images.count()}")], now=NOW)

        running = [in_thread(count_on) for _ in range(4)]
        for thread, _ in running:
            thread.join()

        assert [error for _, errors in running for error in errors] == []
        with store.snapshot() as unit:
            assert unit.images.count() == 21

    def test_sees_what_another_one_changed_meanwhile(self, store: Store) -> None:
        register(store, image("a"))
        with store.transaction() as unit:
            before = unit.images.get("a")
            unit.images.move("a", uri="/new", sha256="f" * 64)
            after = unit.images.get("a")

        assert before is not None
        assert after is not None
        assert (before.uri, after.uri) == ("/images/a.png", "/new")


def write_and_fail(add: Callable[..., None]) -> None:
    add([image("a")], now=NOW)
    raise RuntimeError("half-way")


class TestSnapshot:
    def test_blocks_no_writer_and_stays_as_it_was(self, store: Store) -> None:
        register(store, image("a"))

        with store.snapshot() as unit:
            assert unit.images.count() == 1
            thread, errors = in_thread(lambda: register(store, image("b")))
            thread.join(timeout=20)
            assert not thread.is_alive()
            assert unit.images.count() == 1

        assert errors == []
        with store.snapshot() as unit:
            assert unit.images.count() == 2

    def test_waits_for_no_writer(self, store: Store) -> None:
        register(store, image("a"))

        with store.transaction() as writing, store.snapshot() as reading:
            writing.images.add([image("b")], now=NOW)
            assert reading.images.count() == 1

    def test_keeps_nothing(self, store: Store) -> None:
        with store.snapshot() as unit:
            unit.images.add([image("a")], now=NOW)
        with store.snapshot() as unit:
            assert unit.images.count() == 0


class TestStoreUnavailable:
    def test_names_the_migration_that_is_missing(self, database_url: str) -> None:
        with closing(Store(database_url)) as store:
            store.check()
            with (
                pytest.raises(StoreUnavailableError, match="run: overread db upgrade"),
                store.snapshot() as unit,
            ):
                unit.images.count()

    def test_names_the_lock(self, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engines, "_BUSY_TIMEOUT_MS", 50)
        with closing(Store(store_url)) as store, store.transaction() as first:
            first.images.count()
            with (
                pytest.raises(StoreUnavailableError, match="kept the database locked"),
                store.transaction() as second,
            ):
                second.images.count()

    def test_names_a_server_that_is_down(self, tmp_path: Path) -> None:
        url = f"postgresql://user:hidden-word@/overread?host={tmp_path}"
        with closing(Store(url)) as store, pytest.raises(StoreUnavailableError) as caught:
            store.check()

        assert "check OVERREAD_DATABASE_URL and that the server runs" in str(caught.value)
        assert "hidden-word" not in str(caught.value)
        with pytest.raises(StoreUnavailableError):
            schema.pending(url)

    def test_names_a_database_that_is_missing(self, postgresql_server: str) -> None:
        url = postgresql_server.replace("/postgres?", "/nowhere?")
        with (
            closing(Store(url)) as store,
            pytest.raises(StoreUnavailableError, match=r"nowhere.* check OVERREAD_DATABASE_URL"),
        ):
            store.check()

    def test_names_a_file_of_another_kind(self, tmp_path: Path) -> None:
        (tmp_path / "a.sqlite3").write_bytes(b"no database" * 100)
        with (
            closing(Store(f"sqlite:///{tmp_path / 'a.sqlite3'}")) as store,
            pytest.raises(StoreUnavailableError, match="damaged or of another kind"),
        ):
            store.check()

    @pytest.mark.parametrize("url", ["mysql://here/x", "no url", "oracle://x"])
    def test_is_not_what_a_wrong_url_gives(self, url: str) -> None:
        with pytest.raises(DatabaseUrlError, match="sqlite"):
            Store(url)


class TestSqliteFile:
    def test_writes_ahead_and_checks_references(self, tmp_path: Path) -> None:
        path = tmp_path / "new folder" / "store.sqlite3"
        schema.upgrade(f"sqlite:///{path}")

        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
