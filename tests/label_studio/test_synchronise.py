"""Label Studio and the store brought to agree on a real server, after all that people do to it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.worklists import EntryState
from backend.label_studio import regions
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.task_rows import TaskRow
from backend.label_studio.tasks import TaskState
from backend.store.readers import ReaderProject
from backend.store.readings import KeptReading
from backend.store.unit_of_work import Store
from backend.workflow.check_sync import SyncFinding, check_sync
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.receive_reading import Received
from backend.workflow.sync_report import SyncReport
from backend.workflow.synchronise import synchronise
from tests.label_studio.conftest import Organisation
from tests.label_studio_server import LabelStudioServer
from tests.store.samples import NOW, entry, image
from tests.workflow.samples import NO_FINDING, ONE_BOX

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("label_studio"),
]
BOX, NOTHING = list(ONE_BOX), list(NO_FINDING)


def wall_clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - compared with the server's


@dataclass
class Room:
    """R8 with images a, b, c on the worklist, as tasks in a project of their own."""

    store_file: Path
    client: LabelStudioClient
    reader: ReaderSession
    project_id: int
    database: Path
    store: Store
    late: timedelta = timedelta()

    def clock(self) -> datetime:
        return wall_clock() + self.late

    @property
    def desk(self) -> LabelStudioDesk:
        def open_client(_: str) -> LabelStudioClient:
            return LabelStudioClient(
                self.client._connection.base_url, self.client._connection.token
            )

        return LabelStudioDesk(open_client, "http://backend.test", "secret", timedelta(days=30))

    def sync(self) -> SyncReport:
        return synchronise(self.store, self.desk, clock=self.clock)

    def check(self) -> dict[str, SyncFinding]:
        before = self.store_file.read_bytes()
        found = {one.what: one for one in check_sync(self.store, self.desk, clock=self.clock)}
        assert self.store_file.read_bytes() == before, "a check changes nothing"
        return found

    def tasks(self) -> dict[str, TaskState]:
        """Return the task of every image."""
        return {
            task.image_id: task
            for task in self.client.changed_tasks(
                self.project_id, None, on_unreadable=lambda _: None
            )
            if task.image_id
        }

    def read(self, image_id: str, result: list[regions.Region] | None = None) -> int:
        task = self.tasks()[image_id]
        return self.reader.submit(task, BOX if result is None else result, lead_time_seconds=1)

    def kept(self, image_id: str) -> KeptReading | None:
        with self.store.snapshot() as unit:
            return unit.readings.current(image_id, "R8")

    def state(self, image_id: str) -> str | None:
        kept = self.kept(image_id)
        return None if kept is None else kept.receipt.state

    def boxes(self, image_id: str) -> int:
        kept = self.kept(image_id)
        assert kept is not None
        return len(kept.reading.boxes)

    def entry_states(self) -> dict[str, EntryState]:
        with self.store.snapshot() as unit:
            return {one.image_id: one.state for one in unit.worklists.all()}

    def back_up_label_studio(self, to: Path) -> None:
        with closing(sqlite3.connect(self.database)) as live, closing(sqlite3.connect(to)) as copy:
            live.backup(copy)

    def restore_label_studio(self, backup: Path) -> None:
        with (
            closing(sqlite3.connect(self.database)) as live,
            closing(sqlite3.connect(backup)) as copy,
        ):
            copy.backup(live)


@pytest.fixture
def room(
    organisations: tuple[Organisation, Organisation],
    server: LabelStudioServer,
    project_id: int,
    migrated_file: Path,
    tmp_path: Path,
) -> Iterator[Room]:
    one = organisations[0]
    file = Path(shutil.copy(migrated_file, tmp_path / "store.sqlite3"))
    store = Store(f"sqlite:///{file}")
    with store.transaction() as unit:
        unit.images.add([image(name) for name in "abc"], now=NOW)
        unit.readers.ensure(["R8"], now=NOW)
        unit.readers.add_project(
            ReaderProject("R8", one.account.email, one.keys.organisation_id, project_id)
        )
        unit.worklists.add(
            [entry(name, "R8", rank=rank) for rank, name in enumerate("abc", start=1)], now=NOW
        )
    data = Path(server.environment["LABEL_STUDIO_BASE_DATA_DIR"])
    opened = Room(file, one.client, one.session, project_id, data / "label_studio.sqlite3", store)
    report = opened.sync()
    assert (report.tasks_pushed, report.problems, report.notices) == (3, [], [])
    yield opened
    store.close()


class TestSynchronise:
    def test_pulls_what_was_read_and_lists_no_tasks_when_nothing_vanished(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room.sync()
        monkeypatch.setattr(LabelStudioClient, "all_tasks", None)
        room.read("a")

        assert room.sync().received[Received.NEW] == 1
        assert room.sync().received[Received.NEW] == 0
        assert (room.state("a"), room.entry_states()["a"]) == ("valid", EntryState.READ)

    def test_compares_all_tasks_once_a_day(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room.sync()
        listed: list[int] = []
        whole = LabelStudioClient.all_tasks

        def noted(self: LabelStudioClient, project_id: int) -> list[TaskRow]:
            listed.append(project_id)
            return whole(self, project_id)

        monkeypatch.setattr(LabelStudioClient, "all_tasks", noted)
        room.sync()
        room.late = timedelta(days=1)
        room.sync()
        room.sync()

        assert listed == [room.project_id]

    def test_goes_on_past_a_task_that_it_cannot_read(self, room: Room) -> None:
        odd = {"image": "x", "image_id": "b", "entry": "abc", "overread": 1}
        [task_id] = room.client.import_tasks(room.project_id, [odd])
        room.read("a")

        report = room.sync()

        assert report.received[Received.NEW] == 1
        assert report.problems == []
        assert f"task {task_id} could not be read" in report.notices[0]
        assert "Mend or delete" in report.notices[0]
        assert room.check()["set aside"].remedy
        with room.store.transaction() as unit:
            unit.images.add([image("d")], now=NOW)
            unit.worklists.add([entry("d", "R8", rank=4)], now=NOW)
        report = room.sync()
        assert (report.tasks_pushed, report.problems) == (1, [])
        assert len(report.notices) == 1, "it is said until it is mended"
        room.client.delete_tasks(room.project_id, [task_id])
        assert room.sync().notices == []
        assert "set aside" not in room.check()

    def test_takes_a_task_that_was_mended(self, room: Room) -> None:
        task = room.tasks()["a"]
        whole = room.client._connection.ask("GET", f"/api/tasks/{task.task_id}/")["data"]
        room.client.update_task_data(task.task_id, {**whole, "entry": "abc"})
        room.reader.submit(task, BOX, lead_time_seconds=1)
        assert len(room.sync().notices) == 1
        assert room.state("a") is None

        room.client.update_task_data(task.task_id, whole)

        assert room.sync().notices == []
        assert room.state("a") == "valid"

    def test_takes_a_bulk_change_page_by_page(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("backend.label_studio.client._STATE_PAGE", 2)
        changed = {"selectedItems": {"all": True, "excluded": []}}
        room.client.connection.ask(
            "POST",
            "/api/dm/actions",
            params={"id": "predictions_to_annotations", "project": room.project_id},
            body=changed,
        )
        moments = {task.updated_at for task in room.tasks().values()}

        report = room.sync()

        assert len(moments) == 1
        assert report.received[Received.QUARANTINED] == 3, "they are empty, so nothing was said"


class TestDeletion:
    def test_of_an_unread_task_makes_it_again(self, room: Room) -> None:
        room.client.delete_tasks(room.project_id, [room.tasks()["b"].task_id])
        assert room.check()["deleted"].remedy is None

        report = room.sync()

        assert (report.tasks_lost, report.tasks_pushed) == (1, 1)
        assert set(room.tasks()) == {"a", "b", "c"}

    def test_of_a_task_that_was_read_leaves_the_reading(self, room: Room) -> None:
        room.read("a")
        room.sync()
        room.client.delete_tasks(room.project_id, [room.tasks()["a"].task_id])

        report = room.sync()

        assert (report.tasks_lost, report.tasks_pushed, report.readings_kept) == (0, 0, 1)
        assert room.sync().readings_kept == 0, "it is said once"
        assert (room.state("a"), room.entry_states()["a"]) == ("valid", EntryState.READ)
        found = room.check()["deleted"]
        assert "readings stay" in found.state
        assert found.remedy is None

    def test_of_an_annotation_by_its_reader_withdraws_the_reading(self, room: Room) -> None:
        made = room.read("a")
        room.sync()
        room.reader.withdraw(made)

        assert room.sync().received[Received.WITHDRAWN] == 1
        assert (room.state("a"), room.boxes("a")) == ("withdrawn", 1)

    def test_of_the_project_keeps_every_reading_and_names_the_remedy(self, room: Room) -> None:
        room.read("a")
        room.sync()
        room.client._connection.ask("DELETE", f"/api/projects/{room.project_id}/")

        report = room.sync()

        assert "overread readers add R8" in report.problems[0]
        assert "overread readers add R8" in (room.check()["project"].remedy or "")
        assert (room.state("a"), room.entry_states()["a"]) == ("valid", EntryState.READ)


class TestPeople:
    def test_may_be_renamed(self, room: Room) -> None:
        user_id = room.reader.user_id()
        with closing(sqlite3.connect(room.database)) as live, live:
            live.execute(
                "UPDATE htx_user SET first_name = 'Ada', last_name = 'Lovelace' WHERE id = ?",
                [user_id],
            )
        room.read("a")

        assert room.sync().received[Received.NEW] == 1
        assert "user" not in room.check()

    def test_may_get_another_address(self, room: Room) -> None:
        user_id = room.reader.user_id()
        with closing(sqlite3.connect(room.database)) as live, live:
            [[before]] = live.execute("SELECT email FROM htx_user WHERE id = ?", [user_id])
            live.execute("UPDATE htx_user SET email = 'new@example.com' WHERE id = ?", [user_id])
        try:
            room.read("a")
            assert room.sync().received[Received.NEW] == 1
            found = room.check()["user"]
        finally:
            with closing(sqlite3.connect(room.database)) as live, live:
                live.execute("UPDATE htx_user SET email = ? WHERE id = ?", [before, user_id])

        assert "overread readers add R8 --email" in (found.remedy or "")
        assert "@" not in found.state

    def test_who_change_the_answer_of_a_reader_are_noticed(self, room: Room) -> None:
        made = room.read("a")
        room.sync()
        room.client._connection.ask("PATCH", f"/api/annotations/{made}/", body={"result": NOTHING})

        assert room.sync().received[Received.QUARANTINED] == 1
        kept = room.kept("a")
        assert kept is not None
        assert "another Label Studio user" in str(kept.receipt.reason)
        assert room.check()["quarantine"].remedy
        room.reader.revise(made, BOX)
        assert room.sync().received[Received.REVISED] == 1
        assert (room.state("a"), room.boxes("a")) == ("valid", 1)


class TestSecondTask:
    def test_is_told_and_what_is_read_in_it_counts(self, room: Room) -> None:
        task = room.tasks()["a"]
        whole = room.client._connection.ask("GET", f"/api/tasks/{task.task_id}/")["data"]
        [twin] = room.client.import_tasks(room.project_id, [whole])
        assert str(twin) in (room.check()["second task"].remedy or "")

        state = room.client.task_state(room.project_id, twin)
        assert state is not None
        room.reader.submit(state, BOX, lead_time_seconds=1)
        room.sync()

        assert (room.state("a"), room.entry_states()["a"]) == ("valid", EntryState.READ)
        assert room.sync().received[Received.WITHDRAWN] == 0


class TestRestoredBackup:
    def test_of_label_studio_withdraws_nothing(self, room: Room, tmp_path: Path) -> None:
        room.read("a", NOTHING)
        room.sync()
        room.back_up_label_studio(tmp_path / "yesterday")
        with room.store.transaction() as unit:
            unit.images.add([image("d"), image("e")], now=NOW)
            unit.worklists.add([entry("d", "R8", rank=4), entry("e", "R8", rank=5)], now=NOW)
        room.sync()
        first = room.client.changed_tasks(room.project_id, None)
        annotation = next(t for t in first if t.image_id == "a").annotations[0]
        room.reader.revise(annotation.id, BOX)
        room.read("b")
        room.read("d")
        room.sync()
        tasks_before = {name: task.task_id for name, task in room.tasks().items()}

        room.restore_label_studio(tmp_path / "yesterday")
        assert "older in Label Studio" in room.check()["restored"].state
        report = room.sync()

        assert report.problems == []
        assert report.readings_kept == 3, "a changed, b and d read since the backup"
        assert report.tasks_lost == 1, "e was pushed since and is unread"
        assert {name: room.state(name) for name in "abd"} == dict.fromkeys("abd", "valid")
        assert (room.boxes("a"), room.boxes("b")) == (1, 1)
        assert room.tasks()["e"].task_id == tasks_before["d"], "a number given a second time"
        assert room.state("e") is None

        # Whatever touches the restored tasks now is not the reader's deleting.
        for name in "ab":
            task = room.tasks()[name]
            data = room.client._connection.ask("GET", f"/api/tasks/{task.task_id}/")["data"]
            room.client.update_task_data(task.task_id, data)
        room.sync()
        assert {name: room.state(name) for name in "abd"} == dict.fromkeys("abd", "valid")
        assert room.boxes("a") == 1
        assert "nothing has to be read again" in (room.check()["restored"].remedy or "")

        # What the reader does from now on counts.
        room.read("b", NOTHING)
        room.read("e")
        assert room.sync().received[Received.REVISED] == 1
        assert (room.boxes("b"), room.state("e")) == (0, "valid")

    def test_of_the_store_pulls_again_and_counts_what_it_does_not_know(
        self, room: Room, tmp_path: Path
    ) -> None:
        room.read("a", NOTHING)
        room.sync()
        with (
            closing(sqlite3.connect(room.store_file)) as live,
            closing(sqlite3.connect(tmp_path / "yesterday")) as copy,
        ):
            live.backup(copy)
        with room.store.transaction() as unit:
            unit.images.add([image("d")], now=NOW)
            unit.worklists.add([entry("d", "R8", rank=4)], now=NOW)
        room.sync()
        room.read("b")
        room.read("d")
        room.sync()
        room.store.close()

        room.store = Store(f"sqlite:///{tmp_path / 'yesterday'}")
        room.store_file = tmp_path / "yesterday"
        report = room.sync()

        assert (report.received[Received.NEW], report.problems) == (1, [])
        assert report.received[Received.FOREIGN] >= 1
        assert {name: room.state(name) for name in "ab"} == {"a": "valid", "b": "valid"}
        found = room.check()["foreign"]
        assert found.state == "1 tasks belong to no entry of this store, 1 of them with answers"
        assert "restored" in (found.remedy or "")


class TestClock:
    def test_of_this_machine_does_not_decide_what_is_pulled(self, room: Room) -> None:
        for hours in (-30, 30):
            room.late = timedelta(hours=hours)
            room.read("a" if hours < 0 else "b")
            assert room.sync().received[Received.NEW] == 1
            found = room.check()["clock"]
            assert "NTP" in (found.remedy or "")
        room.late = timedelta()
        assert room.check()["clock"].remedy is None

    def test_of_label_studio_may_be_set_back(self, room: Room) -> None:
        room.read("a")
        room.sync()
        later = "2199-01-01 00:00:00.000000"
        with closing(sqlite3.connect(room.database)) as live, live:  # read while it ran ahead
            live.execute(
                "UPDATE task SET updated_at = ? WHERE id = ?", [later, room.tasks()["a"].task_id]
            )
        with room.store.transaction() as unit:
            unit.readers.set_synced("R8", datetime(2199, 1, 1, tzinfo=UTC))
        assert "set back" in str(
            [one.state for one in check_sync(room.store, room.desk, clock=room.clock)]
        )
        room.read("b")

        assert room.sync().received[Received.NEW] == 1
        room.read("c")
        assert room.sync().received[Received.NEW] == 1
        assert {name: room.state(name) for name in "abc"} == dict.fromkeys("abc", "valid")
