"""Label Studio answers slowly, wrongly or half: nobody loses anything, and the others go on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import cast

import pytest
from typing_extensions import override

from backend.domain.readings import ReadingKind
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioMissingError
from backend.label_studio.tasks import MalformedTaskError
from backend.store.adjudicators import AdjudicationDesk
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store, StoreUnavailableError
from backend.workflow.check_sync import check_sync
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.receive_reading import Received
from backend.workflow.revise_worklists import withdraw_all
from backend.workflow.synchronise import synchronise
from backend.workflow.synchronise_adjudication import DESK
from tests.store.samples import NOW, enrol, entry, image, reading, register
from tests.workflow.label_studio_model import LabelStudioModel
from tests.workflow.samples import ONE_BOX

WHOLE = b'{"tasks": [], "total": 0, "total_annotations": 0, "total_predictions": 0}'
ANSWERS = {
    "an error": (500, b'{"detail": "database is locked"}', 0.0),
    "half an answer": (200, WHOLE[:40], 0.0),
    "a page for people": (200, b"<!doctype html><title>Log in</title>", 0.0),
    "another program's JSON": (200, b'{"status": "UP"}', 0.0),
    "a list where none belongs": (200, b"[]", 0.0),
    "an answer that comes late": (200, WHOLE, 1.5),
    "nothing": (0, b"", 0.0),
}


@contextmanager
def answering(status: int, body: bytes, delay_seconds: float) -> Iterator[str]:
    """Answer every request the same way; status 0 closes the connection."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(delay_seconds)
            if not status:
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # who asked has given up
                self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def filled(store: Store) -> Store:
    """Keep R1 and R2, each with image a on the worklist; nothing is pushed yet."""
    register(store, image("a"))
    enrol(store, "R1", "R2")
    with store.transaction() as unit:
        for reader_id in ("R1", "R2"):
            unit.readers.set_user(reader_id, 7)
        unit.worklists.add([entry("a", "R1"), entry("a", "R2")], now=NOW)
    return store


def two_rooms() -> tuple[LabelStudioModel, LabelStudioModel, LabelStudioDesk]:
    """Return the projects of R1 and R2, and the desk that reaches them."""
    room = LabelStudioModel("r1@example.org")
    other = LabelStudioModel("r2@example.org", project_id=102, last_task=100)
    desk = LabelStudioDesk(
        lambda reader_id: cast(LabelStudioClient, room if reader_id == "R1" else other),
        "http://backend",
        "secret",
        timedelta(days=3650),
    )
    return room, other, desk


def unreadable(project_id: int, task_id: int) -> None:
    raise MalformedTaskError(f"expected task {task_id} of {project_id} to be as it was")


def fail(*_: object) -> None:
    raise KeyError("n17")


def lose_the_store(*_: object) -> None:
    raise StoreUnavailableError("the database is down")


def be_gone(*_: object) -> None:
    raise LabelStudioMissingError("404")


def add_entry(store: Store, image_id: str, reader_id: str = "R1") -> None:
    with store.transaction() as unit:
        unit.images.add([image(image_id)], now=NOW)
        unit.worklists.add([entry(image_id, reader_id, rank=2)], now=NOW)


class TestSynchronise:
    @pytest.mark.enable_socket
    @pytest.mark.parametrize("answer", ANSWERS)
    def test_goes_on_with_the_others_and_names_the_remedy(
        self, filled: Store, answer: str
    ) -> None:
        room = LabelStudioModel("r2@example.org", project_id=102, last_task=100)
        with answering(*ANSWERS[answer]) as url:

            def open_client(reader_id: str) -> LabelStudioClient:
                if reader_id == "R2":
                    return cast(LabelStudioClient, room)
                return LabelStudioClient(url, "token", timeout_seconds=0.5)

            desk = LabelStudioDesk(open_client, "http://backend", "secret", timedelta(days=3650))
            synchronise(filled, desk, clock=lambda: NOW)
            [task_id] = room.tasks
            room.submit(task_id, ONE_BOX)
            report = synchronise(filled, desk, clock=lambda: NOW)
            found = check_sync(filled, desk, clock=lambda: NOW)

        with filled.snapshot() as unit:
            assert [one.reader_id for one in unit.readings.valid()] == ["R2"]
        [problem] = report.problems
        assert problem.startswith("R1: ")
        [broken] = [one for one in found if one.reader_id == "R1"]
        assert broken.remedy
        assert "Traceback" not in broken.state

    def test_sets_aside_a_task_that_breaks_the_program_and_says_so_without_names(
        self, filled: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        room, _, desk = two_rooms()
        add_entry(filled, "b")
        synchronise(filled, desk, clock=lambda: NOW)
        with filled.snapshot() as unit:
            tasks = {one.image_id: one.task_id or 0 for one in unit.worklists.all(reader_id="R1")}
        room.submit(tasks["a"], cast(tuple[object, ...], 5))  # nothing that a result can be
        room.submit(tasks["b"], ONE_BOX)

        report = synchronise(filled, desk, clock=lambda: NOW)

        assert report.received[Received.NEW] == 1
        assert (report.problems, len(report.notices)) == ([], 1)
        assert f"task {tasks['a']} could not be read" in report.notices[0]
        assert "set aside" in caplog.text
        assert "R1" not in caplog.text
        made = next(iter(room.tasks[tasks["a"]].annotations))
        room.revise(tasks["a"], made, ONE_BOX)
        report = synchronise(filled, desk, clock=lambda: NOW)
        assert (report.received[Received.NEW], report.notices) == (1, [])

    @pytest.mark.parametrize("odd", [{"entry": "abc"}, {"entry": None}, {"image_id": 5}])
    def test_pushes_past_a_task_that_cannot_be_read(
        self, filled: Store, odd: dict[str, object]
    ) -> None:
        room, _, desk = two_rooms()
        synchronise(filled, desk, clock=lambda: NOW)
        [first] = room.tasks
        room.import_tasks(room.project_id, [{**room.tasks[first].data, **odd}])
        add_entry(filled, "b")

        report = synchronise(filled, desk, clock=lambda: NOW)

        assert (report.tasks_pushed, report.problems) == (1, [])

    def test_makes_no_task_again_that_is_there_and_cannot_be_read(self, filled: Store) -> None:
        room, _, desk = two_rooms()
        synchronise(filled, desk, clock=lambda: NOW)
        [task_id] = room.tasks
        whole = room.tasks[task_id].data
        room.update_task_data(task_id, {**whole, "entry": "abc"})
        room.submit(task_id, ONE_BOX)
        found = {one.what for one in check_sync(filled, desk, clock=lambda: NOW)}
        assert {"set aside", "worklist"} <= found
        assert not {"deleted", "foreign"} & found

        for day in range(3):
            report = synchronise(filled, desk, clock=partial(NOW.__add__, timedelta(days=day)))
            assert (report.tasks_lost, report.tasks_pushed, report.problems) == (0, 0, [])
            assert f"task {task_id} could not be read" in report.notices[0]

        room.update_task_data(task_id, whole)
        report = synchronise(filled, desk, clock=lambda: NOW + timedelta(days=3))
        assert (report.received[Received.NEW], report.notices) == (1, [])

    def test_goes_on_when_a_task_cannot_be_read_the_second_time_it_is_asked_for(
        self, filled: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room, _, desk = two_rooms()
        synchronise(filled, desk, clock=lambda: NOW)
        [task_id] = room.tasks
        backup = room.back_up()
        room.submit(task_id, ONE_BOX)
        synchronise(filled, desk, clock=lambda: NOW)
        room.restore(backup)
        add_entry(filled, "b")
        with monkeypatch.context() as changed:
            changed.setattr(room, "task_state", unreadable)
            changed.setattr(room, "changed_tasks", lambda *_, **__: iter(()))
            report = synchronise(filled, desk, clock=lambda: NOW + timedelta(days=1))

        assert (report.tasks_pushed, report.problems, len(report.notices)) == (1, [], 1)
        synchronise(filled, desk, clock=lambda: NOW + timedelta(days=1))
        with filled.snapshot() as unit:
            assert [one.reader_id for one in unit.readings.valid()] == ["R1"]

    def test_goes_on_with_the_others_whatever_goes_wrong_with_one(
        self, filled: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        room, other, desk = two_rooms()
        monkeypatch.setattr(room, "set_predictions", fail)

        report = synchronise(filled, desk, clock=lambda: NOW)

        assert report.tasks_pushed == 1
        assert len(other.tasks) == 1
        assert report.readers_failed == ["R1"]
        [problem] = report.problems
        assert problem.startswith("R1: KeyError in test_sync_failures.py, line ")
        assert "please report it" in problem
        assert "KeyError" in caplog.text
        assert "R1" not in caplog.text
        assert "n17" not in caplog.text + problem
        monkeypatch.setattr(room, "project_state", fail)
        broken, *others = check_sync(filled, desk, clock=lambda: NOW)
        assert "KeyError" in broken.state
        assert {one.reader_id for one in others} == {"R2"}

    def test_counts_the_adjudicators_trouble_as_no_readers(
        self, filled: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        _, _, readers = two_rooms()

        def open_client(who: str) -> LabelStudioClient:
            if who == DESK:
                raise KeyError("n17")
            return readers.open_client(who)

        with filled.transaction() as unit:
            unit.adjudicators.set_desk(AdjudicationDesk(9, 109, None))
        desk = LabelStudioDesk(open_client, "http://backend", "secret", timedelta(days=3650))

        report = synchronise(filled, desk, clock=lambda: NOW)

        assert (report.tasks_pushed, report.readers_failed) == (2, [])
        [problem] = report.problems
        assert problem.startswith("adjudication: KeyError in ")
        assert "n17" not in caplog.text

    def test_ends_when_the_store_cannot_be_used(
        self, filled: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room, _, desk = two_rooms()
        monkeypatch.setattr(room, "set_predictions", lose_the_store)

        with pytest.raises(StoreUnavailableError):
            synchronise(filled, desk, clock=lambda: NOW)


class TestReaderWhoLeft:
    @pytest.fixture
    def parted(self, filled: Store) -> tuple[Store, LabelStudioModel, LabelStudioDesk]:
        """R1 submitted something, left, and was not fetched."""
        room, _, desk = two_rooms()
        synchronise(filled, desk, clock=lambda: NOW)
        [task_id] = room.tasks
        room.submit(task_id, ONE_BOX)
        with filled.transaction() as unit:
            withdraw_all(unit, "R1", now=NOW)
            unit.readers.set_active("R1", active=False)
        return filled, room, desk

    def test_is_pulled_and_given_nothing(
        self, parted: tuple[Store, LabelStudioModel, LabelStudioDesk]
    ) -> None:
        store, room, desk = parted
        add_entry(store, "b")
        assert "waiting" in {
            one.what for one in check_sync(store, desk, clock=lambda: NOW) if one.reader_id == "R1"
        }

        report = synchronise(store, desk, clock=lambda: NOW)

        assert (report.received[Received.NEW], report.tasks_pushed) == (1, 0)
        assert len(room.tasks) == 1
        with store.snapshot() as unit:
            assert [one.reader_id for one in unit.readings.valid()] == ["R1"]

    def test_is_no_problem_when_the_project_is_gone_but_when_nothing_answers(
        self,
        parted: tuple[Store, LabelStudioModel, LabelStudioDesk],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        store, room, desk = parted
        room.is_down = True
        report = synchronise(store, desk, clock=lambda: NOW)
        assert report.readers_failed == ["R1"]
        assert len(report.problems) == 1

        monkeypatch.setattr(room, "project_state", be_gone)
        report = synchronise(store, desk, clock=lambda: NOW)
        assert (report.readers_failed, report.problems) == ([], [])
        [found] = [
            one for one in check_sync(store, desk, clock=lambda: NOW) if one.reader_id == "R1"
        ]
        assert "has left" in found.state
        assert found.remedy is None


class TestCheckSync:
    def test_reports_a_second_look_in_quarantine(self, filled: Store) -> None:
        _, _, desk = two_rooms()
        synchronise(filled, desk, clock=lambda: NOW)
        first = reading("a", "R1")
        again = replace(first, round=2, kind=ReadingKind.SECOND_LOOK)
        with filled.transaction() as unit:
            unit.readings.add([first], Receipt(NOW))
            unit.readings.add([again], Receipt(NOW, state="quarantined", reason="odd"))

        found = check_sync(filled, desk, clock=lambda: NOW)

        [finding] = [one for one in found if one.what == "quarantine"]
        assert (finding.reader_id, finding.state[:9]) == ("R1", "1 answers")
        assert finding.remedy
